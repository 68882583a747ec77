using System;
using System.Collections.Generic;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Drives;
using VirtShell.State;

namespace VirtShell.Machine.Timers;

/// <summary>
/// The MC146818A real-time clock (Motorola datasheet) with 128 bytes of CMOS RAM, at ports 70h and 71h. Interrupts on IRQ 8.
/// The day of the week follows from the date; daylight saving is not applied.
/// </summary>
internal sealed partial class RtcCmos : IDevice, IPortHandler
{
    public const ushort IndexPort = 0x70;
    public const int Irq = 8;

    /// <summary>CMOS byte of the century, as the FADT tells.</summary>
    public const byte CenturyRegister = 0x32;

    // Beyond the bytes of the AT: the third place in bits 7:4 of the first, whose bit 0 has floppies booted that bear no signature.
    private const int BootOrderHigh = 0x38;
    private const int BootOrderLow = 0x3D;
    private const int BootPlaces = 3;
    private const byte NoSignatureCheck = 1;

    // Drives A: and B:, and the equipment byte: coprocessor and pointing device, and in bits 7:6 and 0 how many floppy drives.
    private const int FloppyTypes = 0x10;
    private const int Equipment = 0x14;
    private const byte EquipmentWithout = 0x06;
    private const byte EquipmentFloppy = 0x01;
    private const int EquipmentFloppyShift = 6;

    private const int Size = 128;
    private const long Second = MachineClock.NanosecondsPerSecond;

    // UIP rises 244 µs before an update, which takes 1984 µs with a 32.768 kHz crystal (datasheet, table 6).
    private const long UpdateWindow = 2_228_000;

    private const int Seconds = 0x00;
    private const int SecondsAlarm = 0x01;
    private const int Minutes = 0x02;
    private const int MinutesAlarm = 0x03;
    private const int Hours = 0x04;
    private const int HoursAlarm = 0x05;
    private const int DayOfWeek = 0x06;
    private const int DayOfMonth = 0x07;
    private const int Month = 0x08;
    private const int Year = 0x09;
    private const int RegisterA = 0x0A;
    private const int RegisterB = 0x0B;
    private const int RegisterC = 0x0C;
    private const int RegisterD = 0x0D;

    private const byte AUpdateInProgress = 0x80;
    private const byte ADividerReset = 0x60;
    private const byte BSet = 0x80;
    private const byte BUpdateEnable = 0x10;
    private const byte BAlarmEnable = 0x20;
    private const byte BPeriodicEnable = 0x40;
    private const byte BBinary = 0x04;
    private const byte B24Hours = 0x02;
    private const byte CUpdate = 0x10;
    private const byte CAlarm = 0x20;
    private const byte CPeriodic = 0x40;
    private const byte CRequest = 0x80;
    private const byte DValid = 0x80;
    private const byte AlarmDontCare = 0xC0;
    private const byte HourPm = 0x80;

    private static readonly TickRate s_crystal = new(32768);

    // Fixed configuration.
    private readonly ulong _lowMemory;
    private readonly ulong _highMemory;
    private readonly long _startSeconds;

    // Runtime glue.
    private readonly MachineClock _clock;
    private readonly Action<bool> _irq8;
    private readonly TimerEvent _event;

    // Saved state. Seconds since 1970 are (guest time + _phase) / 1 s + _epoch; while stopped, the date registers hold the time.
    private readonly byte[] _ram = new byte[Size];
    private long _epoch;
    private long _phase;
    private long _syncedAt;
    private byte _index;
    private byte _flags;
    private bool _stopped;

    /// <param name="bus">Where the ports are claimed.</param>
    /// <param name="clock">The machine's clock.</param>
    /// <param name="irq8">The interrupt line.</param>
    /// <param name="startSeconds">Seconds since 1970 that the clock shows at guest time 0.</param>
    /// <param name="lowMemory">RAM below 4 GiB in bytes, for the memory size bytes.</param>
    /// <param name="highMemory">RAM above 4 GiB in bytes.</param>
    public RtcCmos(IoBus bus, MachineClock clock, Action<bool> irq8, long startSeconds, ulong lowMemory, ulong highMemory)
    {
        ArgumentNullException.ThrowIfNull(bus);
        _clock = clock;
        _irq8 = irq8;
        _startSeconds = startSeconds;
        _lowMemory = lowMemory;
        _highMemory = highMemory;
        _event = new TimerEvent(Fire);
        bus.MapPorts(IndexPort, 2, this);
        _epoch = startSeconds;
        Reset();
    }

    public string Name => "rtc";

    /// <summary>The time of day that the clock shows, in seconds.</summary>
    public long SecondsOfDay
    {
        get
        {
            RtcCalendar time = TimeAt(_clock.Now);
            return (((time.Hour * 60L) + time.Minute) * 60) + time.Second;
        }
    }

    private bool IsBinary => (_ram[RegisterB] & BBinary) != 0;

    private bool Is24Hours => (_ram[RegisterB] & B24Hours) != 0;

    /// <summary>The state after power-on and firmware: the time of day goes on over a reset.</summary>
    public void Reset()
    {
        _clock.Cancel(_event);
        if (_stopped)
        {
            _epoch = _startSeconds;
            _phase = 0;
            _stopped = false;
        }

        Array.Clear(_ram);
        _ram[RegisterA] = 0x26;
        _ram[RegisterB] = B24Hours;
        _index = 0;
        _flags = 0;
        _syncedAt = _clock.Now;
        FillFirmwareBytes();
        _irq8(false);
    }

    /// <summary>Tells firmware by CMOS which floppy drives there are, and in which order to try kinds of drives: four bits for each place, as SeaBIOS and Bochs' BIOS read them.</summary>
    internal void SetDrives(IReadOnlyList<Drive> drives, IReadOnlyList<DriveKind> order)
    {
        byte types = FloppyFormat.CmosTypes(drives);
        int floppies = ((types & 0xF0) != 0 ? 1 : 0) + ((types & 0x0F) != 0 ? 1 : 0);
        _ram[FloppyTypes] = types;
        _ram[Equipment] = (byte)(EquipmentWithout | (floppies == 0 ? 0 : EquipmentFloppy | ((floppies - 1) << EquipmentFloppyShift)));
        WriteChecksum();
        int places = 0;
        for (int i = 0; i < Math.Min(order.Count, BootPlaces); i++)
        {
            places |= (order[i] switch { DriveKind.Floppy => 1, DriveKind.HardDisk => 2, _ => 3 }) << (4 * i);
        }

        _ram[BootOrderLow] = (byte)places;
        _ram[BootOrderHigh] = (byte)((places >> 8 << 4) | NoSignatureCheck);
    }

    public uint ReadPort(ushort port, int size)
    {
        if (port == IndexPort)
        {
            // The index register is write-only.
            return 0xFF;
        }

        switch (_index)
        {
            case Seconds or Minutes or Hours or (>= DayOfWeek and <= Year) or CenturyRegister:
                return _stopped ? _ram[_index] : Encode(_index, TimeAt(_clock.Now));
            case RegisterA:
                return (uint)(_ram[RegisterA] | (IsUpdating ? AUpdateInProgress : 0));
            case RegisterC:
                Synchronize();
                byte flags = _flags;
                _flags = 0;
                UpdateIrq();
                Reschedule();
                return flags;
            case RegisterD:
                return DValid;
            default:
                return _ram[_index];
        }
    }

    public void WritePort(ushort port, int size, uint value)
    {
        if (port == IndexPort)
        {
            // Bit 7 masks NMI; this machine has no source of it.
            _index = (byte)(value & (Size - 1));
            return;
        }

        switch (_index)
        {
            case Seconds or Minutes or Hours or (>= DayOfWeek and <= Year) or CenturyRegister:
                WriteTime(_index, (byte)value);
                break;
            case RegisterA:
                Synchronize();
                Freeze();
                _ram[RegisterA] = (byte)(value & 0x7F);
                Thaw(afterDividerReset: true);
                break;
            case RegisterB:
                WriteRegisterB((byte)value);
                break;
            case RegisterC or RegisterD:
                break;
            default:
                Synchronize();
                _ram[_index] = (byte)value;
                break;
        }

        UpdateIrq();
        Reschedule();
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Array("ram", _ram.AsSpan());
        visitor.Value("epoch", ref _epoch);
        visitor.Clamped("phase", ref _phase, 0, Second - 1);
        visitor.Value("synced-at", ref _syncedAt);
        visitor.Value("index", ref _index, Size - 1);
        visitor.Value("flags", ref _flags);
        visitor.Value("stopped", ref _stopped);
        _event.Describe(visitor, "event", _clock);
    }

    private bool IsUpdating => !_stopped && Second - ((_clock.Now + _phase) % Second) <= UpdateWindow;

    private static int FromBcd(int value) => (10 * (value >> 4)) + (value & 0xF);

    private static int ToBcd(int value) => (value / 10 << 4) | (value % 10);

    private RtcCalendar TimeAt(long now) => RtcCalendar.FromSeconds(SecondsAt(now));

    private long SecondsAt(long now) => ((now + _phase) / Second) + _epoch;

    // The guest time at which a second begins.
    private long StartOf(long second) => ((second - _epoch) * Second) - _phase;

    private void FillFirmwareBytes()
    {
        const ulong KiB = 1024;
        const ulong MiB = 1024 * KiB;
        uint extended = (uint)Math.Min(_lowMemory > MiB ? (_lowMemory - MiB) / KiB : 0, 0xFFFF);
        uint above16 = (uint)Math.Min(_lowMemory > 16 * MiB ? (_lowMemory - (16 * MiB)) / (64 * KiB) : 0, 0xFFFF);
        uint above4G = (uint)Math.Min(_highMemory / (64 * KiB), 0xFF_FFFF);
        _ram[Equipment] = EquipmentWithout;
        (_ram[0x15], _ram[0x16]) = (0x80, 0x02); // 640 KiB of base memory
        (_ram[0x17], _ram[0x18]) = ((byte)extended, (byte)(extended >> 8));
        (_ram[0x30], _ram[0x31]) = ((byte)extended, (byte)(extended >> 8));
        (_ram[0x34], _ram[0x35]) = ((byte)above16, (byte)(above16 >> 8));
        (_ram[0x5B], _ram[0x5C], _ram[0x5D]) = ((byte)above4G, (byte)(above4G >> 8), (byte)(above4G >> 16));
        WriteChecksum();
    }

    private void WriteChecksum()
    {
        int sum = 0;
        for (int i = 0x10; i <= 0x2D; i++)
        {
            sum += _ram[i];
        }

        (_ram[0x2E], _ram[0x2F]) = ((byte)(sum >> 8), (byte)sum);
    }

    private byte Encode(int register, RtcCalendar time)
    {
        int hour = time.Hour;
        byte pm = 0;
        if (!Is24Hours)
        {
            pm = hour >= 12 ? HourPm : (byte)0;
            hour = hour % 12 == 0 ? 12 : hour % 12;
        }

        int value = register switch
        {
            Seconds => time.Second,
            Minutes => time.Minute,
            Hours => hour,
            DayOfWeek => time.Weekday,
            DayOfMonth => time.Day,
            Month => time.Month,
            Year => time.Year % 100,
            _ => time.Year / 100,
        };
        byte encoded = (byte)(IsBinary ? value : ToBcd(value));
        return register == Hours ? (byte)(encoded | pm) : encoded;
    }

    private int Decode(int register) => DecodeByte(register, _ram[register]);

    private int DecodeByte(int register, int raw)
    {
        bool pm = false;
        if (register == Hours && !Is24Hours)
        {
            pm = (raw & HourPm) != 0;
            raw &= ~HourPm;
        }

        int value = IsBinary ? raw : FromBcd(raw);
        return register == Hours && !Is24Hours ? (value % 12) + (pm ? 12 : 0) : value;
    }

    // Brings the date registers up to date, so that some of them can be written.
    private void Freeze()
    {
        if (_stopped)
        {
            return;
        }

        RtcCalendar time = TimeAt(_clock.Now);
        foreach (int register in (ReadOnlySpan<int>)[Seconds, Minutes, Hours, DayOfWeek, DayOfMonth, Month, Year, CenturyRegister])
        {
            _ram[register] = Encode(register, time);
        }
    }

    private void Thaw(bool afterDividerReset)
    {
        bool stop = (_ram[RegisterB] & BSet) != 0 || (_ram[RegisterA] & ADividerReset) == ADividerReset;
        if (stop)
        {
            _stopped = true;
            return;
        }

        if (!_stopped && afterDividerReset)
        {
            return;
        }

        // The divider chain released from reset updates half a second later (datasheet, "Divider Control").
        long fraction = _stopped && afterDividerReset ? Second / 2 : (_clock.Now + _phase) % Second;
        RtcCalendar time = new(
            (Math.Clamp(Decode(CenturyRegister), 0, 99) * 100) + Math.Clamp(Decode(Year), 0, 99),
            Math.Clamp(Decode(Month), 1, 12),
            Decode(DayOfMonth),
            Decode(Hours),
            Decode(Minutes),
            Decode(Seconds));
        (long sinceStart, long rest) = Math.DivRem(_clock.Now, Second);
        _phase = fraction - rest;
        _epoch = time.ToSeconds() - sinceStart;
        if (_phase < 0)
        {
            _phase += Second;
            _epoch--;
        }

        _stopped = false;
        _syncedAt = _clock.Now;
    }

    private void WriteTime(int register, byte value)
    {
        Synchronize();
        Freeze();
        _ram[register] = value;
        if (!_stopped)
        {
            Thaw(afterDividerReset: false);
        }
    }

    private void WriteRegisterB(byte value)
    {
        Synchronize();
        Freeze();
        bool wasStopped = _stopped;
        byte before = _ram[RegisterB];
        if ((value & BSet) != 0)
        {
            value &= unchecked((byte)~BUpdateEnable);
        }

        _ram[RegisterB] = value;
        bool formatChanged = ((before ^ value) & (BBinary | B24Hours)) != 0;
        if (wasStopped || (value & BSet) != 0)
        {
            Thaw(afterDividerReset: false);
        }
        else if (formatChanged)
        {
            // The bytes do not change when their meaning does; ours are made anew from the time, which is what software expects to set next.
            Freeze();
        }
    }

    // Sets the flags of everything that happened since the last call.
    private void Synchronize()
    {
        long now = _clock.Now;
        long from = _syncedAt;
        _syncedAt = now;
        if (now <= from)
        {
            return;
        }

        int shift = PeriodShift;
        if (shift >= 0 && s_crystal.TicksAt(now) >> shift != s_crystal.TicksAt(from) >> shift)
        {
            _flags |= CPeriodic;
        }

        if (_stopped)
        {
            return;
        }

        long lastSecond = SecondsAt(now);
        long firstSecond = SecondsAt(from);
        if (lastSecond != firstSecond)
        {
            _flags |= CUpdate;
            if (NextAlarm(firstSecond) <= lastSecond)
            {
                _flags |= CAlarm;
            }
        }
    }

    // log2 of the periodic rate in 32.768 kHz ticks, or -1 for none; rates 1 and 2 are those of 8 and 9 with this crystal.
    private int PeriodShift => (_ram[RegisterA] & 0xF) switch
    {
        0 => -1,
        1 => 7,
        2 => 8,
        int rate => rate - 1,
    };

    private void UpdateIrq()
    {
        bool request = (_flags & _ram[RegisterB] & (CPeriodic | CAlarm | CUpdate)) != 0;
        _flags = request ? (byte)(_flags | CRequest) : (byte)(_flags & ~CRequest);
        _irq8(request);
    }

    private void Reschedule()
    {
        long next = long.MaxValue;
        byte enabled = (byte)(_ram[RegisterB] & ~_flags);
        long now = _clock.Now;
        int shift = PeriodShift;
        if ((enabled & BPeriodicEnable) != 0 && shift >= 0)
        {
            next = s_crystal.StartOf(((s_crystal.TicksAt(now) >> shift) + 1) << shift);
        }

        if (!_stopped)
        {
            long second = SecondsAt(now);
            if ((enabled & BUpdateEnable) != 0)
            {
                next = Math.Min(next, StartOf(second + 1));
            }

            if ((enabled & BAlarmEnable) != 0 && NextAlarm(second) is long alarm and < long.MaxValue)
            {
                next = Math.Min(next, StartOf(alarm));
            }
        }

        if (next == long.MaxValue)
        {
            _clock.Cancel(_event);
        }
        else
        {
            _clock.Schedule(_event, next);
        }
    }

    private void Fire()
    {
        Synchronize();
        UpdateIrq();
        Reschedule();
    }
}
