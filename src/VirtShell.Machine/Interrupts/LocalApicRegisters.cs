namespace VirtShell.Machine.Interrupts;

/// <summary>Register access of the local APIC, by MMIO and by MSR (Intel SDM 3A, tables 11-1 and 11-6).</summary>
internal sealed partial class LocalApic
{
    /// <summary>IA32_TSC_DEADLINE.</summary>
    public const uint MsrTscDeadline = 0x6E0;

    private const uint MsrApicBase = 0x1B;
    private const uint MsrX2First = 0x800;
    private const uint MsrX2Last = 0x8FF;

    // Register numbers: MMIO offset / 16, or MSR - 800h.
    private const int RegId = 0x02;
    private const int RegVersion = 0x03;
    private const int RegTpr = 0x08;
    private const int RegApr = 0x09;
    private const int RegPpr = 0x0A;
    private const int RegEoi = 0x0B;
    private const int RegRrd = 0x0C;
    private const int RegLdr = 0x0D;
    private const int RegDfr = 0x0E;
    private const int RegSvr = 0x0F;
    private const int RegIsr = 0x10;
    private const int RegTmr = 0x18;
    private const int RegIrr = 0x20;
    private const int RegEsr = 0x28;
    private const int RegIcrLow = 0x30;
    private const int RegIcrHigh = 0x31;
    private const int RegLvt = 0x32;
    private const int RegInitialCount = 0x38;
    private const int RegCurrentCount = 0x39;
    private const int RegDivide = 0x3E;
    private const int RegSelfIpi = 0x3F;

    // Interrupt command register (11.6.1).
    private const uint IcrWritable = 0xCCFFF;
    private const uint IcrLogical = 1 << 11;
    private const uint IcrAssert = 1 << 14;
    private const uint IcrLevel = 1 << 15;
    private const int IcrShorthandShift = 18;

    // Cluster and agent follow from the ID (11.12.10.2).
    private uint X2LogicalId => ((uint)(Id >> 4) << 16) | (1u << (Id & 0xF));

    private enum Shorthand : uint
    {
        None,
        Self,
        AllIncludingSelf,
        AllExcludingSelf,
    }

    /// <summary>Reads IA32_APIC_BASE, IA32_TSC_DEADLINE and, in x2APIC mode, 800h to 8FFh. False for others, and where reading raises #GP.</summary>
    public bool TryReadMsr(uint index, out ulong value)
    {
        value = 0;
        switch (index)
        {
            case MsrApicBase:
                value = _base;
                return true;
            case MsrTscDeadline:
                value = TscDeadline;
                return true;
            case >= MsrX2First and <= MsrX2Last when IsX2:
                int register = (int)(index - MsrX2First);
                switch (register)
                {
                    case RegId:
                        value = Id;
                        return true;
                    case RegLdr:
                        value = X2LogicalId;
                        return true;
                    case RegIcrLow:
                        value = _icr;
                        return true;
                    case RegDfr or RegIcrHigh or RegApr or RegRrd or RegEoi or RegSelfIpi:
                        return false;
                    default:
                        bool known = TryReadRegister(register, out uint read);
                        value = read;
                        return known;
                }

            default:
                return false;
        }
    }

    /// <summary>Writes what <see cref="TryReadMsr"/> reads. False raises #GP: unknown, read-only, or reserved bits.</summary>
    public bool TryWriteMsr(uint index, ulong value)
    {
        switch (index)
        {
            case MsrApicBase:
                return WriteBase(value);
            case MsrTscDeadline:
                WriteTscDeadline(value);
                return true;
            case >= MsrX2First and <= MsrX2Last when IsX2:
                int register = (int)(index - MsrX2First);
                switch (register)
                {
                    case RegIcrLow:
                        if ((value & 0xFFFF_FFFF & ~(ulong)IcrWritable) != 0)
                        {
                            return false;
                        }

                        _icr = value;
                        SendInterprocessor((uint)(value >> 32), wide: true);
                        return true;
                    case RegSelfIpi when value <= 0xFF:
                        Take(ApicDeliveryMode.Fixed, (byte)value, level: false);
                        return true;
                    case RegEoi or RegEsr when value != 0:
                        return false;
                    case RegId or RegLdr or RegDfr or RegIcrHigh or RegSelfIpi:
                        return false;
                    default:
                        return value <= uint.MaxValue && TryWriteRegister(register, (uint)value);
                }

            default:
                return false;
        }
    }

    internal ulong ReadMmio(ulong offset)
    {
        // Only the first four bytes of each sixteen hold a register.
        if ((offset & 0xC) != 0)
        {
            return 0;
        }

        if (!TryReadRegister((int)(offset >> 4), out uint value))
        {
            RaiseError(EsrIllegalRegister);
        }

        return (ulong)value >> (int)((offset & 3) * 8);
    }

    internal void WriteMmio(ulong offset, ulong value)
    {
        if ((offset & 0xF) == 0 && !TryWriteRegister((int)(offset >> 4), (uint)value))
        {
            RaiseError(EsrIllegalRegister);
        }
    }

    private bool TryReadRegister(int register, out uint value)
    {
        switch (register)
        {
            case RegId:
                value = _id;
                return true;
            case RegVersion:
                value = Version;
                return true;
            case RegTpr:
                value = _tpr;
                return true;
            case RegApr or RegPpr:
                value = ProcessorPriority;
                return true;
            case RegEoi or RegRrd:
                value = 0;
                return true;
            case RegLdr:
                value = _ldr;
                return true;
            case RegDfr:
                value = _dfr;
                return true;
            case RegSvr:
                value = _svr;
                return true;
            case >= RegIsr and < RegTmr:
                value = _isr[register - RegIsr];
                return true;
            case >= RegTmr and < RegIrr:
                value = _tmr[register - RegTmr];
                return true;
            case >= RegIrr and < RegEsr:
                value = _irr[register - RegIrr];
                return true;
            case RegEsr:
                value = _esr;
                return true;
            case RegIcrLow:
                value = (uint)_icr;
                return true;
            case RegIcrHigh:
                value = (uint)(_icr >> 32);
                return true;
            case >= RegLvt and < RegLvt + LvtCount:
                value = _lvt[register - RegLvt];
                return true;
            case RegInitialCount:
                value = _initialCount;
                return true;
            case RegCurrentCount:
                value = CurrentCount;
                return true;
            case RegDivide:
                value = _divide;
                return true;
            default:
                value = 0;
                return false;
        }
    }

    private bool TryWriteRegister(int register, uint value)
    {
        switch (register)
        {
            case RegId:
                _id = value & 0xFF00_0000;
                return true;
            case RegTpr:
                _tpr = value & 0xFF;
                _changed();
                return true;
            case RegEoi:
                EndOfInterrupt();
                return true;
            case RegLdr:
                _ldr = value & 0xFF00_0000;
                return true;
            case RegDfr:
                _dfr = value | 0x0FFF_FFFF;
                return true;
            case RegSvr:
                WriteSvr(value);
                return true;
            case RegEsr:
                _esr = _esrPending;
                _esrPending = 0;
                ResumeTimer();
                return true;
            case RegIcrLow:
                _icr = (_icr & 0xFFFF_FFFF_0000_0000) | (value & IcrWritable);
                SendInterprocessor((uint)(_icr >> 56), wide: false);
                return true;
            case RegIcrHigh:
                _icr = (_icr & 0xFFFF_FFFF) | ((ulong)(value & 0xFF00_0000) << 32);
                return true;
            case >= RegLvt and < RegLvt + LvtCount:
                WriteLvt(register - RegLvt, value);
                return true;
            case RegInitialCount:
                WriteInitialCount(value);
                return true;
            case RegDivide:
                WriteDivide(value);
                return true;
            case RegVersion or RegApr or RegPpr or RegRrd or RegCurrentCount or (>= RegIsr and < RegEsr):
                // Read-only: MMIO writes are ignored, MSR writes raise #GP.
                return !IsX2;
            default:
                return false;
        }
    }

    private void WriteSvr(uint value)
    {
        _svr = value & SvrWritable;
        if (!IsSoftwareEnabled)
        {
            // 11.4.7.2: all LVT entries are masked, and stay so while disabled.
            for (int i = 0; i < LvtCount; i++)
            {
                _lvt[i] |= LvtMasked;
            }

            UpdateTimer();
        }

        _changed();
    }

    private void WriteLvt(int index, uint value)
    {
        uint before = _lvt[index];
        uint written = (value & s_lvtWritable[index]) | (before & LvtRemoteIrr);
        if (!IsSoftwareEnabled)
        {
            written |= LvtMasked;
        }

        _lvt[index] = written;
        if (index == LvtTimer)
        {
            TimerModeChanged(before, written);
        }
        else if (index == LvtLint0 && _lint0)
        {
            // A level that stands already is seen when the entry is opened.
            _lint0 = false;
            SetLint0(true);
        }

        _changed();
    }

    private bool WriteBase(ulong value)
    {
        if ((value & ~(BaseAddressBits | BaseIsBsp | BaseExtd | BaseEnable)) != 0)
        {
            return false;
        }

        bool enable = (value & BaseEnable) != 0;
        bool extended = (value & BaseExtd) != 0;
        if (extended && (!enable || !IsEnabled))
        {
            return false;
        }

        if (IsX2 && enable && !extended)
        {
            // 11.12.5: from x2APIC mode the only way out is to disable.
            return false;
        }

        bool wasEnabled = IsEnabled;
        _base = (value & ~BaseIsBsp) | BspBit;
        if (enable != wasEnabled)
        {
            ResetRegisters();
        }

        MapWindow();
        _changed();
        return true;
    }

    private void SendInterprocessor(uint destination, bool wide)
    {
        uint command = (uint)_icr;
        ApicDeliveryMode mode = ModeOf(command);
        if (mode is ApicDeliveryMode.Fixed or ApicDeliveryMode.LowestPriority && (byte)command < FirstLegalVector)
        {
            RaiseError(EsrSendIllegalVector);
            return;
        }

        // INIT with the level de-asserted only synchronises arbitration IDs of old parts.
        if (mode == ApicDeliveryMode.Init && (command & (IcrLevel | IcrAssert)) == IcrLevel)
        {
            return;
        }

        switch ((Shorthand)((command >> IcrShorthandShift) & 3))
        {
            case Shorthand.Self:
                Take(mode, (byte)command, level: false);
                break;
            case Shorthand.AllIncludingSelf:
                _group.SendToAll(mode, (byte)command, except: null);
                break;
            case Shorthand.AllExcludingSelf:
                _group.SendToAll(mode, (byte)command, except: this);
                break;
            default:
                _group.Deliver(new ApicMessage(destination, (command & IcrLogical) != 0, mode, (byte)command, IsLevel: false), wide);
                break;
        }
    }
}
