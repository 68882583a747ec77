using System;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using VirtShell.Machine;
using VirtShell.State;

namespace VirtShell.Host.Running;

/// <summary>
/// What a run has come to and what it has cost. The dispatch counts and publishes; other threads read what is published, each number for
/// itself. Once frozen, the numbers are those of the instruction at which the run ended.
/// </summary>
internal sealed class RunMetrics : IStateful
{
    private const int MemorySamplesPerSecond = 1;

    /// <summary>Samples of memory take at most one part in this many of a VM's time.</summary>
    private const int MemorySampleShare = 200;

    /// <summary>More, and sums would not fit.</summary>
    private const long MostCounted = long.MaxValue / 2;

    private readonly RunMachine _machine;

    // Of the machines before this one.
    private long _priorInstructions;
    private long _priorGuestTime;
    private int _restarts;

    [NotState("A run that ends is not saved.")]
    private bool _frozen;

    [NotState("Published from the machine.")]
    private long _instructions;

    [NotState("Published from the machine.")]
    private long _guestTime;

    [NotState("What this host has spent.")]
    private long _peakMemory;

    [NotState("What this host has spent.")]
    private long _hostTime;

    [NotState("The host's clock.")]
    private long _nextMemorySample;

    /// <param name="machine">What is counted.</param>
    public RunMetrics(RunMachine machine)
    {
        _machine = machine;
        Engine = new RunEngine(machine);
    }

    /// <summary>What the engine has done.</summary>
    public RunEngine Engine { get; }

    /// <summary>Retired instructions as last published, those before a restart included.</summary>
    public long Instructions => Volatile.Read(ref _instructions);

    /// <summary>Guest time in nanoseconds as last published, that before a restart included.</summary>
    public long GuestTime => Volatile.Read(ref _guestTime);

    /// <summary>Retired instructions at this moment, or at the end. On the run's thread.</summary>
    public long InstructionsNow => Running is { } now ? _priorInstructions + now.Instructions : Instructions;

    /// <summary>Guest time at this moment, or at the end. On the run's thread.</summary>
    public long GuestTimeNow => Running is { } now ? _priorGuestTime + now.GuestTime : GuestTime;

    /// <summary>Guest time before the present machine was switched on.</summary>
    public long PriorGuestTime => _priorGuestTime;

    /// <summary>Restarts after a crash so far.</summary>
    public int Restarts => Volatile.Read(ref _restarts);

    private Pc? Running => _frozen ? null : _machine.Current;

    public VmMetrics Snapshot(long serialBytes) => new(
        Instructions,
        TimeSpan.FromTicks(GuestTime / TimeSpan.NanosecondsPerTick),
        serialBytes,
        Volatile.Read(ref _peakMemory),
        TimeSpan.FromTicks(Volatile.Read(ref _hostTime) / TimeSpan.NanosecondsPerTick))
    {
        DiskBytesRead = _machine.Build.Disks.Sum(static disk => disk.BytesRead),
        DiskBytesWritten = _machine.Build.Disks.Sum(static disk => disk.BytesWritten),
        DiskOperations = _machine.Build.Disks.Sum(static disk => disk.Operations),
    };

    public void Publish()
    {
        if (Running is not { } now)
        {
            return;
        }

        Volatile.Write(ref _instructions, _priorInstructions + now.Instructions);
        Volatile.Write(ref _guestTime, _priorGuestTime + now.GuestTime);
        Engine.Publish();
        if (Stopwatch.GetTimestamp() >= _nextMemorySample)
        {
            SampleMemory();
        }
    }

    /// <summary>What is published stays: the run has ended as of this instruction.</summary>
    public void Freeze() => _frozen = true;

    /// <summary>Another machine follows; counts go on from what is published.</summary>
    public void Restart()
    {
        Volatile.Write(ref _restarts, _restarts + 1);
        _priorInstructions = Instructions;
        _priorGuestTime = GuestTime;
        _frozen = false;
        Engine.Restart();
    }

    public void SampleMemory()
    {
        if (_machine.Current is { } now)
        {
            // Asking takes a millisecond a gibibyte.
            long before = Stopwatch.GetTimestamp();
            Volatile.Write(ref _peakMemory, Math.Max(_peakMemory, (long)now.Memory.ResidentBytes()));
            long after = Stopwatch.GetTimestamp();
            _nextMemorySample = after + Math.Max(Stopwatch.Frequency / MemorySamplesPerSecond, (after - before) * MemorySampleShare);
        }
    }

    /// <summary>Adds processor time of the host, in nanoseconds.</summary>
    public void AddHostTime(long nanoseconds) => Volatile.Write(ref _hostTime, _hostTime + nanoseconds);

    public void Describe(StateVisitor visitor)
    {
        visitor.Value("prior-instructions", ref _priorInstructions, 0, MostCounted);
        visitor.Value("prior-guest-time", ref _priorGuestTime, 0, MostCounted);
        visitor.Value("restarts", ref _restarts, min: 0);
    }
}
