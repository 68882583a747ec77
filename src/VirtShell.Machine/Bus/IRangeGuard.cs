namespace VirtShell.Machine.Bus;

/// <summary>Looks at what a part maps while it is built; throws where that is not the part's.</summary>
internal interface IRangeGuard
{
    void CheckPorts(ushort first, int count);

    void CheckMmio(ulong start, ulong length);
}
