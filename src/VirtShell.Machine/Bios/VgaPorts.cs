namespace VirtShell.Machine.Bios;

/// <summary>The VGA by its ports.</summary>
internal static class VgaPorts
{
    public const int AttributeIndex = 0x3C0;
    public const int AttributeRead = 0x3C1;
    public const int Miscellaneous = 0x3C2;
    public const int SequencerIndex = 0x3C4;
    public const int PelMask = 0x3C6;
    public const int DacRead = 0x3C7;
    public const int DacWrite = 0x3C8;
    public const int DacData = 0x3C9;
    public const int MiscellaneousRead = 0x3CC;
    public const int GraphicsIndex = 0x3CE;

    /// <summary>Offset of the input status register from the CRT controller's port.</summary>
    public const int StatusOffset = 6;
}
