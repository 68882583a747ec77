namespace VirtShell.Bench;

/// <summary>What times are compared.</summary>
public enum BenchClock
{
    /// <summary>The host's monotonic clock: what people wait for.</summary>
    Wall,

    /// <summary>The contestant's processor time, which a busy host disturbs less.</summary>
    Processor,
}

/// <summary>One run of one program.</summary>
/// <param name="Contestant">Where it ran.</param>
/// <param name="Program">The program's name.</param>
/// <param name="Repetition">In which repetition, from 1.</param>
/// <param name="Milliseconds">The host's time between its two marks.</param>
/// <param name="Checksum">What it computed.</param>
/// <param name="ProcessorMilliseconds">Processor time of the contestant in between, all its threads and processes; null where the host cannot tell.</param>
/// <param name="Instructions">Guest instructions in between, the kernel's included; null where they are not counted.</param>
public sealed record Sample(Contestant Contestant, string Program, int Repetition, double Milliseconds, ulong Checksum, double? ProcessorMilliseconds = null, long? Instructions = null)
{
    /// <summary>The time by one of the clocks, in milliseconds.</summary>
    public double? Time(BenchClock clock) => clock == BenchClock.Wall ? Milliseconds : ProcessorMilliseconds;
}

/// <summary>One boot of a fresh process to the guest's prompt.</summary>
/// <param name="Contestant">What booted.</param>
/// <param name="Repetition">In which repetition, from 1.</param>
/// <param name="Milliseconds">From starting the process until the prompt came out of it.</param>
/// <param name="ProcessorMilliseconds">Processor time of the process until then; null where the host cannot tell.</param>
public sealed record BootSample(Contestant Contestant, int Repetition, double Milliseconds, double? ProcessorMilliseconds = null)
{
    /// <summary>The time by one of the clocks, in milliseconds.</summary>
    public double? Time(BenchClock clock) => clock == BenchClock.Wall ? Milliseconds : ProcessorMilliseconds;
}
