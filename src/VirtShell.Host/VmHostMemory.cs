namespace VirtShell.Host;

/// <summary>Host memory that a VM takes, in bytes, by what takes it. While it is off, nothing but the logs of its last run.</summary>
/// <param name="RamBytes">Pages of guest RAM that the host has had to give for this VM alone.</param>
/// <param name="EngineBytes">The processor's soft TLBs, decoded and translated code.</param>
/// <param name="DeviceBytes">Objects of the machine: devices, tables, queues.</param>
/// <param name="DiskBytes">What the guest has written to throw-away overlays, as far as it is in memory.</param>
/// <param name="LogBytes">Serial logs of all ports, which stay until the next start.</param>
public readonly record struct VmHostMemory(long RamBytes, long EngineBytes, long DeviceBytes, long DiskBytes, long LogBytes)
{
    /// <summary>Everything but guest RAM.</summary>
    public long OverheadBytes => EngineBytes + DeviceBytes + DiskBytes + LogBytes;

    /// <summary>Everything. Boot images are not in it: VMs share them, and the inventory counts them once.</summary>
    public long TotalBytes => RamBytes + OverheadBytes;
}
