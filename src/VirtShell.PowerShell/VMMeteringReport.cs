using System;
using VirtShell.Host;

namespace VirtShell.PowerShell;

/// <summary>
/// What a VM has used in its current or last run, as Measure-VM gives it out. Names are Hyper-V's where it has them;
/// unlike there, processor use is in percent of one host core.
/// </summary>
public sealed class VMMeteringReport
{
    private const long Mebibyte = 1 << 20;

    private readonly VmMetrics _used;

    internal VMMeteringReport(VirtualMachine vm)
    {
        _used = vm.Vm.Metrics;
        VMName = vm.Name;
        VMId = vm.Id;
        ComputerName = vm.ComputerName;
        TotalDiskAllocation = vm.Vm.DiskBytes / Mebibyte;
        if (vm.Vm.StartedAt is { } started)
        {
            MeteringDuration = (vm.Vm.EndedAt ?? DateTimeOffset.UtcNow) - started;
        }
    }

    public string VMName { get; }

    public Guid VMId { get; }

    public string ComputerName { get; }

    /// <summary>Host time from power-on to the end of the run, or to now.</summary>
    public TimeSpan MeteringDuration { get; }

    /// <summary>Percent of one host core, on average.</summary>
    public int AverageProcessorUsage => MeteringDuration > TimeSpan.Zero ? (int)Math.Round(Math.Min(100, 100 * (_used.HostTime / MeteringDuration))) : 0;

    /// <summary>Host processor time.</summary>
    public TimeSpan ProcessorTime => _used.HostTime;

    /// <summary>Guest time since power-on.</summary>
    public TimeSpan GuestTime => _used.GuestTime;

    /// <summary>Instructions retired.</summary>
    public long Instructions => _used.Instructions;

    /// <summary>The most host memory that guest RAM took, in MiB, rounded up.</summary>
    public long MaximumMemoryUsage => (_used.PeakMemoryBytes + Mebibyte - 1) / Mebibyte;

    /// <summary>Size of all disks together, in MiB.</summary>
    public long TotalDiskAllocation { get; }

    /// <summary>What the guest read from its disks, in MiB.</summary>
    public long AggregatedDiskDataRead => _used.DiskBytesRead / Mebibyte;

    /// <summary>What the guest wrote to its disks, in MiB.</summary>
    public long AggregatedDiskDataWritten => _used.DiskBytesWritten / Mebibyte;

    /// <summary>As <see cref="AggregatedDiskDataRead"/>, in bytes.</summary>
    public long DiskBytesRead => _used.DiskBytesRead;

    /// <summary>As <see cref="AggregatedDiskDataWritten"/>, in bytes.</summary>
    public long DiskBytesWritten => _used.DiskBytesWritten;

    /// <summary>Reads and writes of disks.</summary>
    public long DiskOperations => _used.DiskOperations;

    /// <summary>Bytes that the guest sent on COM1.</summary>
    public long SerialBytes => _used.SerialBytes;

    /// <summary>As <see cref="MaximumMemoryUsage"/>, in bytes.</summary>
    public long PeakMemoryBytes => _used.PeakMemoryBytes;

    public override string ToString() => VMName;
}
