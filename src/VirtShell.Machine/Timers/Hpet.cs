using System;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Interrupts;
using VirtShell.State;

namespace VirtShell.Machine.Timers;

/// <summary>
/// A high precision event timer (IA-PC HPET Specification 1.0a): a counter of 100 MHz, three comparators that are one-shot or periodic, and
/// the legacy replacement route, by which the first two stand for the 8254 (IRQ 0) and the RTC (IRQ 8).
/// </summary>
/// <remarks>
/// An interrupt by edges leaves its line high until the comparator is set up again or matches again; no controller sees more than the edge.
/// </remarks>
internal sealed class Hpet : IDevice, IMmioHandler
{
    public const ulong BaseAddress = 0xFED0_0000;
    public const ulong Length = 0x400;

    /// <summary>Low half of the capabilities: Intel, legacy replacement, a counter of 64 bits, three comparators, revision 1.</summary>
    public const uint Capabilities = 0x8086_A201;

    private const uint PeriodFemtoseconds = 10_000_000;
    private const int TickNanoseconds = 10;
    private const int ComparatorCount = 3;

    // A comparator interrupts no more often: it costs the host an event each time.
    private const long ShortestNanoseconds = 1_000;

    // Registers (2.3).
    private const int CapabilitiesRegister = 0x000;
    private const int ConfigurationRegister = 0x010;
    private const int StatusRegister = 0x020;
    private const int CounterRegister = 0x0F0;
    private const int FirstComparator = 0x100;
    private const int ComparatorStride = 0x20;
    private const int ComparatorValue = 0x08;

    // General configuration (2.3.5).
    private const ulong Enable = 1 << 0;
    private const ulong LegacyRoute = 1 << 1;

    // Comparator configuration (2.3.8).
    private const ulong Level = 1 << 1;
    private const ulong InterruptEnable = 1 << 2;
    private const ulong Periodic = 1 << 3;
    private const ulong PeriodicCapable = 1 << 4;
    private const ulong Wide = 1 << 5;
    private const ulong SetValue = 1 << 6;
    private const ulong Narrowed = 1 << 8;
    private const int RouteShift = 9;
    private const ulong RouteMask = 0x1F;
    private const ulong ComparatorWritable = Level | InterruptEnable | Periodic | SetValue | Narrowed | (RouteMask << RouteShift);

    /// <summary>I/O APIC pins 20 to 23, which nothing else is wired to.</summary>
    private const ulong Routes = 0x00F0_0000;

    // Runtime glue.
    private readonly MachineClock _clock;
    private readonly InterruptRouter _interrupts;
    private readonly TimerEvent[] _events = new TimerEvent[ComparatorCount];

    // Saved state. While it counts, the counter is _counter plus the ticks since _startedAt (nanoseconds).
    private readonly ulong[] _configurations = new ulong[ComparatorCount];
    private readonly ulong[] _comparators = new ulong[ComparatorCount];
    private readonly ulong[] _periods = new ulong[ComparatorCount];
    private ulong _configuration;
    private ulong _status;
    private ulong _counter;
    private long _startedAt;

    public Hpet(IoBus bus, MachineClock clock, InterruptRouter interrupts)
    {
        _clock = clock;
        _interrupts = interrupts;
        for (int i = 0; i < ComparatorCount; i++)
        {
            int number = i;
            _events[i] = new TimerEvent(() => Match(number));
        }

        bus.MapMmio(BaseAddress, Length, this);
        Reset();
    }

    public string Name => "hpet";

    private bool IsEnabled => (_configuration & Enable) != 0;

    private bool ReplacesLegacy => (_configuration & (Enable | LegacyRoute)) == (Enable | LegacyRoute);

    private ulong Counter => IsEnabled ? unchecked(_counter + (ulong)((_clock.Now - _startedAt) / TickNanoseconds)) : _counter;

    public void Reset()
    {
        for (int i = 0; i < ComparatorCount; i++)
        {
            SetLine(i, false);
            _clock.Cancel(_events[i]);
            _configurations[i] = PeriodicCapable | Wide | (Routes << 32);
            _comparators[i] = ulong.MaxValue;
            _periods[i] = 0;
        }

        _configuration = _status = _counter = 0;
        _startedAt = 0;
        _interrupts.SetLegacyReplacement(false);
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        for (int i = 0; i < ComparatorCount; i++)
        {
            visitor.Value($"configuration-{i}", ref _configurations[i]);
            visitor.Value($"comparator-{i}", ref _comparators[i]);
            visitor.Value($"period-{i}", ref _periods[i]);
            _events[i].Describe(visitor, $"event-{i}", _clock);
            if (visitor.IsLoading)
            {
                _configurations[i] = (_configurations[i] & ComparatorWritable) | PeriodicCapable | Wide | (Routes << 32);
            }
        }

        visitor.Value("configuration", ref _configuration, Enable | LegacyRoute);
        visitor.Value("status", ref _status, (1 << ComparatorCount) - 1);
        visitor.Value("counter", ref _counter);
        visitor.Value("started-at", ref _startedAt);
        if (visitor.IsLoading)
        {
            _interrupts.SetLegacyReplacement(ReplacesLegacy);
        }
    }

    public ulong ReadMmio(ulong offset, int size)
    {
        int register = (int)offset & ~7;
        return RegisterAt(register) >> (8 * ((int)offset & 7));
    }

    public void WriteMmio(ulong offset, int size, ulong value)
    {
        // Whole registers or halves of them (2.3.1); what other accesses do the specification leaves open, and here they do nothing.
        if (size < 4 || offset % (ulong)size != 0)
        {
            return;
        }

        int register = (int)offset & ~7;
        int shift = 8 * ((int)offset & 7);
        ulong mask = size == 8 ? ulong.MaxValue : (ulong)uint.MaxValue << shift;
        Write(register, value << shift, mask);
    }

    private static ulong Merge(ulong before, ulong value, ulong mask) => (before & ~mask) | (value & mask);

    private ulong RegisterAt(int register)
    {
        switch (register)
        {
            case CapabilitiesRegister:
                return Capabilities | ((ulong)PeriodFemtoseconds << 32);
            case ConfigurationRegister:
                return _configuration;
            case StatusRegister:
                return _status;
            case CounterRegister:
                return Counter;
            default:
                int number = (register - FirstComparator) / ComparatorStride;
                if (register < FirstComparator || number >= ComparatorCount)
                {
                    return 0;
                }

                return (register % ComparatorStride) switch
                {
                    0 => _configurations[number],
                    ComparatorValue => _comparators[number],
                    _ => 0,
                };
        }
    }

    private void Write(int register, ulong value, ulong mask)
    {
        switch (register)
        {
            case ConfigurationRegister:
                Configure(Merge(_configuration, value, mask) & (Enable | LegacyRoute));
                break;
            case StatusRegister:
                Acknowledge(value & mask);
                break;
            case CounterRegister:
                _counter = Merge(Counter, value, mask);
                _startedAt = _clock.Now;
                RescheduleAll();
                break;
            default:
                int number = (register - FirstComparator) / ComparatorStride;
                if (register >= FirstComparator && number < ComparatorCount)
                {
                    WriteComparator(number, register % ComparatorStride, value, mask);
                }

                break;
        }
    }

    private void Configure(ulong value)
    {
        ulong counter = Counter;
        for (int i = 0; i < ComparatorCount; i++)
        {
            SetLine(i, false);
        }

        _configuration = value;
        _counter = counter;
        _startedAt = _clock.Now;
        _interrupts.SetLegacyReplacement(ReplacesLegacy);
        RestoreLevels();
        RescheduleAll();
    }

    private void Acknowledge(ulong value)
    {
        for (int i = 0; i < ComparatorCount; i++)
        {
            if ((value & _status & (1u << i)) != 0)
            {
                _status &= ~(1ul << i);
                SetLine(i, false);
            }
        }
    }

    private void WriteComparator(int number, int register, ulong value, ulong mask)
    {
        ulong configuration = _configurations[number];
        if (register == 0)
        {
            SetLine(number, false);
            _configurations[number] = (configuration & ~ComparatorWritable) | (Merge(configuration, value, mask) & ComparatorWritable);
            if ((_configurations[number] & Narrowed) != 0)
            {
                _comparators[number] = (uint)_comparators[number];
                _periods[number] = (uint)_periods[number];
            }

            if ((_configurations[number] & Level) == 0)
            {
                _status &= ~(1ul << number);
            }

            RestoreLevels();
            Reschedule(number);
        }
        else if (register == ComparatorValue)
        {
            if ((configuration & Narrowed) != 0)
            {
                value = (uint)value;
                mask = mask == (ulong)uint.MaxValue << 32 ? 0 : ulong.MaxValue;
            }

            // In periodic mode a write sets the period, and the comparator itself only after the bit that asks for it (2.3.9.2.2).
            if ((configuration & Periodic) == 0 || (configuration & SetValue) != 0)
            {
                _comparators[number] = Merge(_comparators[number], value, mask);
            }

            if ((configuration & Periodic) != 0)
            {
                _periods[number] = Merge(_periods[number], value, mask);
            }

            _configurations[number] &= ~SetValue;
            Reschedule(number);
        }
    }

    private void RestoreLevels()
    {
        for (int i = 0; i < ComparatorCount; i++)
        {
            if ((_status & (1u << i)) != 0 && (_configurations[i] & InterruptEnable) != 0)
            {
                SetLine(i, true);
            }
        }
    }

    private void RescheduleAll()
    {
        for (int i = 0; i < ComparatorCount; i++)
        {
            Reschedule(i);
        }
    }

    private void Reschedule(int number)
    {
        if (!IsEnabled)
        {
            _clock.Cancel(_events[number]);
            return;
        }

        ulong left = unchecked(_comparators[number] - Counter);
        if ((_configurations[number] & Narrowed) != 0)
        {
            left = (uint)left;
        }

        // At once is a whole turn away. What is further than the clock goes never comes.
        const ulong furthest = long.MaxValue / (4 * TickNanoseconds);
        if (left > furthest || (left == 0 && (_configurations[number] & Narrowed) == 0))
        {
            _clock.Cancel(_events[number]);
            return;
        }

        long ticks = left == 0 ? 1L << 32 : (long)left;
        long tickStart = _clock.Now - ((_clock.Now - _startedAt) % TickNanoseconds);
        _clock.Schedule(_events[number], MachineClock.SaturatingAdd(tickStart, ticks * TickNanoseconds));
    }

    private void Match(int number)
    {
        ulong configuration = _configurations[number];
        if ((configuration & InterruptEnable) != 0)
        {
            SetLine(number, false);
            SetLine(number, true);
        }

        if ((configuration & Level) != 0)
        {
            _status |= 1ul << number;
        }

        ulong period = _periods[number];
        if ((configuration & Periodic) == 0 || period == 0)
        {
            Reschedule(number);
            return;
        }

        // Periods that the host was away for, or that are too short, are passed over.
        ulong counter = Counter;
        ulong least = unchecked(counter - _comparators[number]) + (ShortestNanoseconds / TickNanoseconds);
        if ((configuration & Narrowed) != 0)
        {
            least = (uint)least;
        }

        ulong periods = (least / period) + (least % period == 0 ? 0ul : 1);
        _comparators[number] = unchecked(_comparators[number] + (Math.Max(periods, 1) * period));
        if ((configuration & Narrowed) != 0)
        {
            _comparators[number] = (uint)_comparators[number];
        }

        Reschedule(number);
    }

    private void SetLine(int number, bool asserted)
    {
        if (ReplacesLegacy && number < 2)
        {
            _interrupts.SetReplacedIrq(number == 0 ? 0 : 8, asserted);
            return;
        }

        int pin = (int)((_configurations[number] >> RouteShift) & RouteMask);
        if (((Routes >> pin) & 1) != 0)
        {
            _interrupts.IoApic.SetPin(pin, asserted);
        }
    }
}
