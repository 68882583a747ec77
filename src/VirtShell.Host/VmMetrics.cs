using System;

namespace VirtShell.Host;

/// <summary>What a run has used so far.</summary>
/// <param name="Instructions">Retired instructions.</param>
/// <param name="GuestTime">Guest time since power-on.</param>
/// <param name="SerialBytes">Bytes sent on COM1.</param>
/// <param name="PeakMemoryBytes">The most host memory that guest RAM has taken.</param>
/// <param name="HostTime">Host processor time spent running the VM, as exact as the host counts it: some hosts count in ticks of 10 ms.</param>
public readonly record struct VmMetrics(long Instructions, TimeSpan GuestTime, long SerialBytes, long PeakMemoryBytes, TimeSpan HostTime)
{
    /// <summary>Bytes that the guest has read from its disks.</summary>
    public long DiskBytesRead { get; init; }

    /// <summary>Bytes that the guest has written to its disks.</summary>
    public long DiskBytesWritten { get; init; }

    /// <summary>Reads and writes of its disks.</summary>
    public long DiskOperations { get; init; }
}
