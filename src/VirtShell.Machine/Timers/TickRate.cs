namespace VirtShell.Machine.Timers;

/// <summary>Converts between guest time and the ticks of an oscillator, exactly: tick n begins at the first nanosecond for which <see cref="TicksAt"/> gives n.</summary>
/// <param name="hertz">Frequency, at most 9 GHz so that nothing overflows.</param>
internal readonly struct TickRate(long hertz)
{
    private const long Second = 1_000_000_000;

    /// <summary>Whole ticks since power-on.</summary>
    public long TicksAt(long nanoseconds)
    {
        (long seconds, long rest) = System.Math.DivRem(nanoseconds, Second);
        return (seconds * hertz) + (rest * hertz / Second);
    }

    /// <summary>The first nanosecond of a tick.</summary>
    public long StartOf(long tick)
    {
        (long seconds, long rest) = System.Math.DivRem(tick, hertz);
        return (seconds * Second) + (((rest * Second) + hertz - 1) / hertz);
    }
}
