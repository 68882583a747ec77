using System;
using System.Numerics;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Interrupts;

/// <summary>
/// A processor's local APIC (Intel SDM 3A, chapter 11): xAPIC registers by MMIO, x2APIC registers by MSR, priorities,
/// interprocessor interrupts, and the timer. What goes between processors goes through their <see cref="LocalApicGroup"/>.
/// </summary>
internal sealed partial class LocalApic : IStateful
{
    public const ulong DefaultBase = 0xFEE0_0000;
    public const ulong Length = 0x1000;

    /// <summary>ID of the first processor's, which starts the system; the others follow.</summary>
    public const byte FirstId = 0;

    // IA32_APIC_BASE (11.4.4).
    private const ulong BaseIsBsp = 1 << 8;
    private const ulong BaseExtd = 1 << 10;
    private const ulong BaseEnable = 1 << 11;
    private const ulong BaseAddressBits = 0x000000FF_FFFF_F000;

    // Spurious-interrupt vector register (11.9).
    private const uint SvrEnable = 1 << 8;
    private const uint SvrWritable = 0x1FF;

    // Local vector table (11.5.1). Version 14h with six entries.
    private const uint Version = 0x14 | ((LvtCount - 1) << 16);
    private const int LvtCount = 6;
    private const int LvtTimer = 0;
    private const int LvtLint0 = 3;
    private const int LvtLint1 = 4;
    private const int LvtError = 5;
    private const uint LvtRemoteIrr = 1 << 14;
    private const uint LvtLevel = 1 << 15;
    private const uint LvtMasked = 1 << 16;

    // Error status register (11.5.3).
    private const uint EsrSendIllegalVector = 1 << 5;
    private const uint EsrReceiveIllegalVector = 1 << 6;
    private const uint EsrIllegalRegister = 1 << 7;
    private const int FirstLegalVector = 16;

    // Timer, thermal, performance, LINT0, LINT1, error.
    private static readonly uint[] s_lvtWritable = [0x700FF, 0x107FF, 0x107FF, 0x1A7FF, 0x1A7FF, 0x100FF];

    // Runtime glue.
    private readonly LocalApicGroup _group;
    private readonly MachineClock _clock;
    private readonly IProcessorPins _pins;
    private readonly Action _changed;
    private readonly TimerEvent _timer;

    // Saved state.
    private readonly uint[] _isr = new uint[8];
    private readonly uint[] _tmr = new uint[8];
    private readonly uint[] _irr = new uint[8];
    private readonly uint[] _lvt = new uint[LvtCount];
    private ulong _base;
    private ulong _icr;
    private uint _id;
    private uint _tpr;
    private uint _ldr;
    private uint _dfr;
    private uint _svr;
    private uint _esr;
    private uint _esrPending;
    private bool _lint0;

    /// <param name="id">The processor's number, which is the APIC ID after a reset.</param>
    /// <param name="group">Those of all processors, this one among them.</param>
    /// <param name="clock">What the timer counts by.</param>
    /// <param name="pins">The processor's.</param>
    /// <param name="changed">Called when <see cref="IsRequesting"/> or <see cref="PassesPicInterrupts"/> may have changed.</param>
    internal LocalApic(byte id, LocalApicGroup group, MachineClock clock, IProcessorPins pins, Action changed)
    {
        Id = id;
        _group = group;
        _clock = clock;
        _pins = pins;
        _changed = changed;
        _timer = new TimerEvent(TimerExpired);
        Reset();
    }

    /// <summary>The processor's number.</summary>
    public byte Id { get; }

    /// <summary>Takes the EOI of level-triggered vectors.</summary>
    public Action<byte>? EoiBroadcast { get; set; }

    /// <summary>Whether an accepted interrupt has more than the processor's priority.</summary>
    public bool IsRequesting => IsEnabled && HighestOf(_irr) is int vector and >= 0 && (vector >> 4) > (ProcessorPriority >> 4);

    /// <summary>Whether the 8259s' output reaches the processor: through LINT0 as ExtINT, or past a disabled APIC.</summary>
    public bool PassesPicInterrupts => !IsEnabled || ((_lvt[LvtLint0] & LvtMasked) == 0 && ModeOf(_lvt[LvtLint0]) == ApicDeliveryMode.ExtInt);

    /// <summary>CR8: bits 7:4 of the task priority register.</summary>
    public byte TaskPriority
    {
        get => (byte)(_tpr >> 4);
        set
        {
            _tpr = (uint)(value & 0xF) << 4;
            _changed();
        }
    }

    /// <summary>Where the xAPIC page is in its processor's address space; null where there is none.</summary>
    [NotState("Follows from the base register.")]
    internal ulong? Window { get; private set; }

    /// <summary>11.8.3.1: the higher of the task's priority and the class of the interrupt in service.</summary>
    internal uint ProcessorPriority
    {
        get
        {
            int service = HighestOf(_isr);
            uint serviceClass = service < 0 ? 0 : (uint)service & 0xF0;
            return (_tpr & 0xF0) >= serviceClass ? _tpr : serviceClass;
        }
    }

    internal bool IsEnabled => (_base & BaseEnable) != 0;

    // Only the first processor starts the system.
    private ulong BspBit => Id == FirstId ? BaseIsBsp : 0;

    private bool IsX2 => (_base & BaseExtd) != 0;

    private bool IsSoftwareEnabled => (_svr & SvrEnable) != 0;

    public void Reset()
    {
        _base = DefaultBase | BaseEnable | BspBit;
        _lint0 = false;
        ResetRegisters();
        MapWindow();
    }

    /// <summary>What an INIT leaves: registers as after a reset, but for the base register (11.4.7.3).</summary>
    internal void ResetByInit() => ResetRegisters();

    /// <summary>Enables the APIC with LINT0 as ExtINT and LINT1 as NMI ("virtual wire"), as PC firmware hands it over.</summary>
    public void InitializeAsFirmware()
    {
        _svr = SvrEnable | 0xFF;
        _lvt[LvtLint0] = (uint)ApicDeliveryMode.ExtInt << 8;
        _lvt[LvtLint1] = (uint)ApicDeliveryMode.Nmi << 8;
        _changed();
    }

    /// <summary>The 8259s' output, on LINT0. ExtINT is seen by <see cref="PassesPicInterrupts"/>; other modes deliver here.</summary>
    public void SetLint0(bool asserted)
    {
        bool rising = asserted && !_lint0;
        _lint0 = asserted;
        uint entry = _lvt[LvtLint0];
        if (!rising || !IsEnabled || (entry & LvtMasked) != 0)
        {
            return;
        }

        switch (ModeOf(entry))
        {
            case ApicDeliveryMode.Fixed:
                Accept((byte)entry, (entry & LvtLevel) != 0);
                break;
            case ApicDeliveryMode.Nmi:
                _pins.RaiseNmi();
                break;
            default:
                break;
        }
    }

    /// <summary>Whether a message is addressed to this APIC.</summary>
    /// <param name="message">The message.</param>
    /// <param name="wide">Whether its destination has 32 bits, as from an APIC in x2APIC mode.</param>
    internal bool IsAddressed(ApicMessage message, bool wide) => IsEnabled && IsDestination(message.Destination, message.IsLogical, wide);

    /// <summary>The INTA cycle: gives the vector and puts it in service, or -1.</summary>
    public int Acknowledge()
    {
        if (!IsRequesting)
        {
            return -1;
        }

        int vector = HighestOf(_irr);
        SetBit(_irr, vector, false);
        SetBit(_isr, vector, true);
        ResumeTimer();
        return vector;
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Value("base", ref _base);
        visitor.Value("icr", ref _icr);
        visitor.Value("id", ref _id);
        visitor.Value("tpr", ref _tpr);
        visitor.Value("ldr", ref _ldr);
        visitor.Value("dfr", ref _dfr);
        visitor.Value("svr", ref _svr);
        visitor.Value("esr", ref _esr);
        visitor.Value("esr-pending", ref _esrPending);
        visitor.Value("lint0", ref _lint0);
        for (int i = 0; i < 8; i++)
        {
            visitor.Value($"isr-{i}", ref _isr[i]);
            visitor.Value($"tmr-{i}", ref _tmr[i]);
            visitor.Value($"irr-{i}", ref _irr[i]);
        }

        for (int i = 0; i < LvtCount; i++)
        {
            visitor.Value($"lvt-{i}", ref _lvt[i]);
        }

        DescribeTimer(visitor);
        if (visitor.IsLoading)
        {
            MapWindow();
        }
    }

    private static ApicDeliveryMode ModeOf(uint entry) => (ApicDeliveryMode)((entry >> 8) & 7);

    private static int HighestOf(uint[] bits)
    {
        for (int i = 7; i >= 0; i--)
        {
            if (bits[i] != 0)
            {
                return (32 * i) + BitOperations.Log2(bits[i]);
            }
        }

        return -1;
    }

    private static void SetBit(uint[] bits, int vector, bool value)
    {
        uint bit = 1u << (vector & 31);
        ref uint word = ref bits[(vector >> 5) & 7];
        word = value ? word | bit : word & ~bit;
    }

    private void ResetRegisters()
    {
        Array.Clear(_isr);
        Array.Clear(_tmr);
        Array.Clear(_irr);
        Array.Fill(_lvt, LvtMasked);
        _icr = 0;
        _id = (uint)Id << 24;
        _tpr = _ldr = _esr = _esrPending = 0;
        _dfr = uint.MaxValue;
        _svr = 0xFF;
        ResetTimer();
        _changed();
    }

    private void MapWindow()
    {
        ulong? wanted = IsEnabled && !IsX2 && (_base & BaseAddressBits) is not 0 and ulong at ? at : null;
        if (wanted != Window)
        {
            ulong? before = Window;
            Window = wanted;
            _group.WindowMoved(before, wanted);
        }
    }

    // 11.6.2. In x2APIC mode, messages from the I/O APIC and MSI still carry eight bits.
    private bool IsDestination(uint destination, bool logical, bool wide)
    {
        uint broadcast = wide ? uint.MaxValue : 0xFF;
        if (destination == broadcast)
        {
            return true;
        }

        if (!logical)
        {
            return destination == (IsX2 ? Id : (byte)(_id >> 24));
        }

        if (IsX2)
        {
            return (destination >> 16) == (X2LogicalId >> 16) && (destination & X2LogicalId & 0xFFFF) != 0;
        }

        uint own = _ldr >> 24;
        if ((_dfr >> 28) == 0xF)
        {
            return (destination & own) != 0;
        }

        return ((destination >> 4) == 0xF || (destination >> 4) == (own >> 4)) && (destination & own & 0xF) != 0;
    }

    /// <summary>Takes what a message asks for; false where this APIC is off for it.</summary>
    internal bool Take(ApicDeliveryMode mode, byte vector, bool level)
    {
        switch (mode)
        {
            case ApicDeliveryMode.Fixed:
            case ApicDeliveryMode.LowestPriority:
                return Accept(vector, level);
            case ApicDeliveryMode.Nmi:
                _pins.RaiseNmi();
                return true;
            case ApicDeliveryMode.Init:
                _pins.RaiseInit();
                return true;
            case ApicDeliveryMode.StartUp:
                _pins.RaiseStartUp(vector);
                return true;
            default:
                // SMI and ExtINT have no receiver here.
                return true;
        }
    }

    private bool Accept(byte vector, bool level)
    {
        if (!IsSoftwareEnabled)
        {
            return false;
        }

        if (vector < FirstLegalVector)
        {
            RaiseError(EsrReceiveIllegalVector);
            return true;
        }

        SetBit(_irr, vector, true);
        SetBit(_tmr, vector, level);
        _changed();
        return true;
    }

    private void DeliverLvt(int index)
    {
        uint entry = _lvt[index];
        if (IsEnabled && (entry & LvtMasked) == 0)
        {
            Accept((byte)entry, level: false);
        }
    }

    private void RaiseError(uint error)
    {
        bool first = (_esrPending & error) == 0;
        _esrPending |= error;
        uint entry = _lvt[LvtError];
        if (first && (entry & LvtMasked) == 0 && (byte)entry >= FirstLegalVector)
        {
            DeliverLvt(LvtError);
        }
    }

    private void EndOfInterrupt()
    {
        int vector = HighestOf(_isr);
        if (vector < 0)
        {
            return;
        }

        SetBit(_isr, vector, false);
        if ((_tmr[vector >> 5] & (1u << (vector & 31))) != 0)
        {
            if ((byte)_lvt[LvtLint0] == vector)
            {
                _lvt[LvtLint0] &= ~LvtRemoteIrr;
            }

            EoiBroadcast?.Invoke((byte)vector);
        }

        _changed();
    }
}
