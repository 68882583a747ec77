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

    public string Name => throw new NotSupportedException();

    public Guid Id => throw new NotSupportedException();

    /// <summary>Why the stored definition cannot be used (a damaged file, for example); null where it can. Such a VM can only be removed.</summary>
    public string? DefinitionError => throw new NotSupportedException();

    /// <summary>The process that runs this VM, when it is not this one; <see cref="State"/> is then Running and every operation is refused.</summary>
    public int? OwnerProcessId => throw new NotSupportedException();

    /// <summary>When the current or last run was started; null before the first.</summary>
    public DateTimeOffset? StartedAt => throw new NotSupportedException();

    /// <summary>Restarts after a crash in the current or last run.</summary>
    public int CrashRestarts => throw new NotSupportedException();

    /// <summary>Estimated host memory of this VM beyond the RAM that its guest has touched, in bytes; 0 while it is off.</summary>
    public long OverheadBytes => throw new NotSupportedException();

    /// <summary>The output of a port (1 COM1, 2 COM2, 101 first virtio console) in the current or last run; empty where nothing was sent.</summary>
    public SerialLog GetSerial(int port) => throw new NotSupportedException();

    /// <summary>A report of the VM as it is now, taken between two instructions; the VM must be running or paused.</summary>
    public CrashReport Inspect() => throw new NotSupportedException();

    /// <summary>Presses the power button and waits. Gives true once the VM is off, false where the time ran out; the VM then goes on (turn it off).</summary>
    public System.Threading.Tasks.Task<bool> ShutdownAsync(TimeSpan timeout, CancellationToken cancellation = default) => throw new NotSupportedException();

    /// <summary>Waits until COM1's output from <paramref name="fromOffset"/> on matches. Gives null when the VM ended or a limit passed first.</summary>
    /// <param name="fromOffset">Byte offset in the log at which to begin.</param>
    /// <param name="guestTimeLimit">Limit in guest time from now; null for none.</param>
    /// <param name="hostTimeLimit">Limit in host time from now; null for none.</param>
    public Task<SerialMatch?> WaitForSerialAsync(System.Text.RegularExpressions.Regex pattern, long fromOffset = 0, TimeSpan? guestTimeLimit = null, TimeSpan? hostTimeLimit = null, CancellationToken cancellation = default) => throw new NotSupportedException();

    /// <summary>As the other overload, for plain text compared exactly.</summary>
    public Task<SerialMatch?> WaitForSerialAsync(string text, long fromOffset = 0, TimeSpan? guestTimeLimit = null, TimeSpan? hostTimeLimit = null, CancellationToken cancellation = default) => throw new NotSupportedException();

    /// <summary>Completes when the VM is in <paramref name="state"/>.</summary>
    public Task WaitForStateAsync(VmState state, CancellationToken cancellation = default) => throw new NotSupportedException();

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
