using System;
using System.Threading;
using System.Threading.Tasks;

namespace VirtShell.Host;

/// <summary>
/// A VM as people know it: definition, lifecycle, serial log, metrics, crash report. All members are thread-safe.
/// </summary>
public sealed partial class VirtualMachine
{
    public VmDefinition Definition => throw new NotSupportedException();

    public VmState State => throw new NotSupportedException();

    /// <summary>How the last run ended; <see cref="EndCode"/> belongs to it.</summary>
    public VmEndKind End => throw new NotSupportedException();

    public int EndCode => throw new NotSupportedException();

    public CrashReport? CrashReport => throw new NotSupportedException();

    /// <summary>The whole output of COM1 of the current or last run.</summary>
    public SerialLog Serial => throw new NotSupportedException();

    public VmMetrics Metrics => throw new NotSupportedException();

    /// <summary>Raised after each change of state, on any thread.</summary>
    public event EventHandler<VmStateChangedEventArgs>? StateChanged;

    /// <summary>Replaces the definition; the VM must be off.</summary>
    public void Configure(VmDefinition definition) => throw new NotSupportedException();

    /// <summary>Resolves images, builds the machine and starts it. Returns once it runs.</summary>
    public void Start(IGuestDriver? driver = null, IProgress<string>? progress = null, CancellationToken cancellation = default) => throw new NotSupportedException();

    /// <summary>Presses the power button; does not wait.</summary>
    public void RequestShutdown() => throw new NotSupportedException();

    /// <summary>Pulls the plug. Returns once the machine is gone.</summary>
    public void TurnOff() => throw new NotSupportedException();

    public void Pause() => throw new NotSupportedException();

    public void Resume() => throw new NotSupportedException();

    /// <summary>The reset button.</summary>
    public void ResetGuest() => throw new NotSupportedException();

    public void SendSerial(int port, ReadOnlySpan<byte> bytes) => throw new NotSupportedException();

    /// <summary>Completes when the VM is Off or Crashed.</summary>
    public Task WaitForEndAsync(CancellationToken cancellation = default) => throw new NotSupportedException();

    private void OnStateChanged(VmStateChangedEventArgs e) => StateChanged?.Invoke(this, e);
}

public sealed class VmStateChangedEventArgs(VmState before, VmState after) : EventArgs
{
    public VmState Before { get; } = before;

    public VmState After { get; } = after;
}

/// <summary>What a run has used so far.</summary>
/// <param name="Instructions">Retired instructions.</param>
/// <param name="GuestTime">Guest time since power-on.</param>
/// <param name="SerialBytes">Bytes sent on COM1.</param>
/// <param name="PeakMemoryBytes">The most host memory that guest RAM has taken.</param>
/// <param name="HostTime">Host processor time spent running the VM.</param>
public readonly record struct VmMetrics(long Instructions, TimeSpan GuestTime, long SerialBytes, long PeakMemoryBytes, TimeSpan HostTime);
