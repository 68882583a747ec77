namespace VirtShell.Machine.Display;

/// <summary>What the sequencer and the graphics controller say together about accesses of the processor to display memory.</summary>
/// <param name="MapMask">Planes that are written, a bit each.</param>
/// <param name="Chain4">The low two address bits choose the plane.</param>
/// <param name="OddEvenWrite">Even addresses write planes 0 and 2, odd ones 1 and 3.</param>
/// <param name="OddEvenRead">The lowest address bit chooses the plane that is read.</param>
/// <param name="DropsLowBit">The lowest address bit is no part of the address in a plane.</param>
/// <param name="WindowStart">First offset from A0000h that is answered.</param>
/// <param name="WindowLength">Bytes that are answered.</param>
/// <param name="WriteMode">0 to 3.</param>
/// <param name="ReadMode">0 or 1.</param>
/// <param name="IsPlainWrite">Bytes of the processor reach the planes unchanged.</param>
internal readonly record struct VgaMode(
    byte MapMask,
    bool Chain4,
    bool OddEvenWrite,
    bool OddEvenRead,
    bool DropsLowBit,
    int WindowStart,
    int WindowLength,
    byte WriteMode,
    byte ReadMode,
    bool IsPlainWrite)
{
    /// <summary>How an access that writes and reads bytes unchanged maps the window to the planes; None where it does not.</summary>
    public PlainLayout Plain
    {
        get
        {
            if (!IsPlainWrite || ReadMode != 0)
            {
                return PlainLayout.None;
            }

            if (Chain4)
            {
                return MapMask == 0xF && WindowLength == VideoMemory.PlaneSize ? PlainLayout.Chain4 : PlainLayout.None;
            }

            bool isText = OddEvenWrite && OddEvenRead && DropsLowBit && MapMask == 3 && WindowLength < VideoMemory.PlaneSize;
            return isText ? PlainLayout.OddEven : PlainLayout.None;
        }
    }
}

/// <summary>A window in which each byte is one byte of one plane.</summary>
internal enum PlainLayout
{
    None,

    /// <summary>64 KiB, four planes in turn at every fourth address.</summary>
    Chain4,

    /// <summary>32 KiB, planes 0 and 1 in turn at every second address.</summary>
    OddEven,
}
