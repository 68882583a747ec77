namespace VirtShell.Machine.Bios;

/// <summary>The VBE (VESA BIOS Extension 3.0).</summary>
internal sealed partial class BiosVideo
{
    private void VbeOff()
    {
    }

    // Not there: AL is not 4Fh.
    private void CallVbe() => c.Ah = 1;
}
