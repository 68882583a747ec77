using Iced.Intel;

namespace VirtShell.Cpu;

/// <summary>RDMSR and WRMSR (SDM Vol. 4). What is not listed here is asked of the bus; what that refuses is #GP(0).</summary>
public sealed unsafe partial class Vcpu
{
    /// <summary>
    /// IA32_SPEC_CTRL: IBRS, STIBP, SSBD and BHI_DIS_S. The last is there for kernels that do not take BHI_NO for an answer and
    /// would clear the history of branches by a loop in each system call; with it they set it once.
    /// </summary>
    internal const ulong SpecCtrlBits = 7 | (1 << 10);

    /// <summary>IA32_PRED_CMD: IBPB, done at once since nothing is predicted.</summary>
    internal const ulong PredCmdBits = 1;

    /// <summary>Eight variable ranges, fixed ranges, write combining.</summary>
    private const ulong MtrrCapValue = 0x508;

    /// <summary>Fast strings; branch trace storage and PEBS unavailable.</summary>
    private const ulong MiscEnableReset = 1 | (1 << 11) | (1 << 12);
    private const ulong MicrocodeRevision = 1UL << 32;
    private const int FixedMtrrs = 11;

    private readonly ulong[] _mtrrVariable = new ulong[16];
    private readonly ulong[] _mtrrFixed = new ulong[FixedMtrrs];
    private ulong _mtrrDefType;
    private ulong _miscEnable = MiscEnableReset;
    private ulong _mcgStatus;
    private ulong _specCtrl;

    /// <summary>The TSC as RDTSC reads it.</summary>
    internal ulong TimestampCounter => Bus.ReadTimestampCounter() + _s->TscOffset;

    /// <summary>
    /// Says that the bus' time-stamp counter is <see cref="ProcessorClock.TscAt"/> of <see cref="InstructionsRetired"/> plus
    /// <paramref name="ahead"/> until further notice, so that the processor need not ask for it.
    /// </summary>
    public void LetTimestampFollow(long ahead)
    {
        _s->TimestampBase = ahead;
        _s->TimestampFollows = 1;
    }

    internal bool TryReadMsr(uint index, out ulong value)
    {
        CpuState* s = _s;
        if (HasMsr(index))
        {
            switch (index)
            {
                case Msr.Tsc:
                    value = TimestampCounter;
                    return true;
                case Msr.TscAdjust:
                    value = s->TscAdjust;
                    return true;
                case Msr.PlatformId or Msr.EblCrPowerOn or Msr.McgCap or Msr.DebugControl:
                    value = 0;
                    return true;
                case Msr.FeatureControl:
                    value = 1;
                    return true;
                case Msr.BiosSignatureId:
                    value = MicrocodeRevision;
                    return true;
                case Msr.PlatformInfo:
                    value = (ulong)(ProcessorClock.BaseMegahertz / ProcessorClock.BusMegahertz) << 8;
                    return true;
                case Msr.ArchCapabilities:
                    value = ArchCapabilities.Value;
                    return true;
                case Msr.SpecCtrl:
                    value = _specCtrl;
                    return true;
                case Msr.PredCmd:
                    // A command: it can only be written.
                    value = 0;
                    return false;
                case Msr.SysenterCs:
                    value = s->MsrSysenterCs;
                    return true;
                case Msr.SysenterEsp:
                    value = s->MsrSysenterEsp;
                    return true;
                case Msr.SysenterEip:
                    value = s->MsrSysenterEip;
                    return true;
                case Msr.McgStatus:
                    value = _mcgStatus;
                    return true;
                case Msr.MiscEnable:
                    value = _miscEnable;
                    return true;
                case Msr.Pat:
                    value = s->MsrPat;
                    return true;
                case Msr.MtrrCap:
                    value = MtrrCapValue;
                    return true;
                case Msr.MtrrDefType:
                    value = _mtrrDefType;
                    return true;
                case >= Msr.MtrrPhysBase0 and <= Msr.MtrrPhysLast:
                    value = _mtrrVariable[index - Msr.MtrrPhysBase0];
                    return true;
                case Msr.Efer:
                    value = s->Efer;
                    return true;
                case Msr.Star:
                    value = s->MsrStar;
                    return true;
                case Msr.Lstar:
                    value = s->MsrLstar;
                    return true;
                case Msr.Cstar:
                    value = s->MsrCstar;
                    return true;
                case Msr.Fmask:
                    value = s->MsrFmask;
                    return true;
                case Msr.FsBase:
                    value = s->Fs.Base;
                    return true;
                case Msr.GsBase:
                    value = s->Gs.Base;
                    return true;
                case Msr.KernelGsBase:
                    value = s->MsrKernelGsBase;
                    return true;
                case Msr.TscAux:
                    value = s->MsrTscAux;
                    return true;
                default:
                    int place = FixedMtrr(index);
                    if (place >= 0)
                    {
                        value = _mtrrFixed[place];
                        return true;
                    }

                    break;
            }
        }

        return Bus.TryReadMsr(index, out value);
    }

    internal bool TryWriteMsr(uint index, ulong value)
    {
        CpuState* s = _s;
        if (!HasMsr(index))
        {
            return Bus.TryWriteMsr(index, value);
        }

        switch (index)
        {
            case Msr.Tsc:
                MoveTimestamp(value - TimestampCounter);
                return true;
            case Msr.TscAdjust:
                MoveTimestamp(value - s->TscAdjust);
                return true;
            case Msr.BiosSignatureId or Msr.BiosUpdateTrigger or Msr.EblCrPowerOn or Msr.PlatformId:
                return true;
            case Msr.DebugControl:
                // Branch records and single-stepping on branches are not there.
                return value == 0;
            case Msr.SpecCtrl:
                bool known = (value & ~SpecCtrlBits) == 0;
                _specCtrl = known ? value : _specCtrl;
                return known;
            case Msr.PredCmd:
                return (value & ~PredCmdBits) == 0;
            case Msr.SysenterCs:
                s->MsrSysenterCs = value;
                return true;
            case Msr.SysenterEsp:
                return Set(&s->MsrSysenterEsp, value, IsCanonical(value));
            case Msr.SysenterEip:
                return Set(&s->MsrSysenterEip, value, IsCanonical(value));
            case Msr.McgStatus:
                _mcgStatus = 0;
                return value == 0;
            case Msr.MiscEnable:
                _miscEnable = (value & ~MiscEnableReset) | (MiscEnableReset & ~1UL) | (value & 1);
                return true;
            case Msr.Pat:
                return Set(&s->MsrPat, value, IsPatValid(value));
            case Msr.MtrrDefType:
                return SetMtrr(ref _mtrrDefType, value, (value & ~0xCFFUL) == 0 && IsMtrrType(value));
            case >= Msr.MtrrPhysBase0 and <= Msr.MtrrPhysLast:
                return SetMtrr(ref _mtrrVariable[index - Msr.MtrrPhysBase0], value, IsMtrrRange(index, value));
            case Msr.Efer:
                WriteEfer(value);
                return true;
            case Msr.Star:
                s->MsrStar = value;
                return true;
            case Msr.Lstar:
                return Set(&s->MsrLstar, value, IsCanonical(value));
            case Msr.Cstar:
                return Set(&s->MsrCstar, value, IsCanonical(value));
            case Msr.Fmask:
                return Set(&s->MsrFmask, value, value <= uint.MaxValue);
            case Msr.FsBase:
                return SetBase(&s->Fs.Base, value);
            case Msr.GsBase:
                return SetBase(&s->Gs.Base, value);
            case Msr.KernelGsBase:
                return Set(&s->MsrKernelGsBase, value, IsCanonical(value));
            case Msr.TscAux:
                return Set(&s->MsrTscAux, value, value <= uint.MaxValue);
            default:
                int place = FixedMtrr(index);
                if (place < 0)
                {
                    return Bus.TryWriteMsr(index, value);
                }

                return SetMtrr(ref _mtrrFixed[place], value, AreMtrrTypes(value));
        }
    }

    /// <summary>Memory types as firmware leaves them for an operating system: everything write-back, MTRRs and fixed ranges on.</summary>
    private void SetFirmwareMtrrs()
    {
        const ulong WriteBack = 0x0606_0606_0606_0606;
        _mtrrDefType = 0xC06;
        System.Array.Fill(_mtrrFixed, WriteBack);
    }

    private static bool Set(ulong* field, ulong value, bool valid)
    {
        if (valid)
        {
            *field = value;
        }

        return valid;
    }

    /// <summary>Index of a fixed-range MTRR; -1 for other numbers.</summary>
    private static int FixedMtrr(uint index) => index switch
    {
        Msr.MtrrFix64K => 0,
        Msr.MtrrFix16K80000 => 1,
        Msr.MtrrFix16KA0000 => 2,
        >= Msr.MtrrFix4KC0000 and <= Msr.MtrrFix4KF8000 => (int)(3 + index - Msr.MtrrFix4KC0000),
        _ => -1,
    };

    private static bool SetMtrr(ref ulong field, ulong value, bool valid)
    {
        field = valid ? value : field;
        return valid;
    }

    /// <summary>A memory type that ranges can have (SDM Vol. 3A table 11-8): 0, 1, 4, 5 or 6.</summary>
    private static bool IsMtrrType(ulong value) => (value & 0xFF) is 0 or 1 or 4 or 5 or 6;

    private static bool AreMtrrTypes(ulong value)
    {
        bool all = true;
        for (int i = 0; i < 64; i += 8)
        {
            all &= IsMtrrType(value >> i);
        }

        return all;
    }

    /// <summary>Base and mask of a variable range: reserved bits are below the page, and from the physical width up (SDM Vol. 3A §11.11.2.3).</summary>
    private static bool IsMtrrRange(uint index, ulong value)
    {
        bool mask = ((index - Msr.MtrrPhysBase0) & 1) != 0;
        return (value >> ControlBits.PhysicalBits) == 0 && (mask ? (value & 0x7FF) == 0 : (value & 0xF00) == 0 && IsMtrrType(value));
    }

    /// <summary>Each of eight bytes: a memory type other than 2, 3 and those above 7 (SDM Vol. 3A §11.12.2).</summary>
    private static bool IsPatValid(ulong value)
    {
        for (int i = 0; i < 8; i++)
        {
            if ((value >> (i * 8) & 0xFF) is 2 or 3 or > 7)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether the model has a register that this class implements.</summary>
    private bool HasMsr(uint index) => index switch
    {
        Msr.Efer => CpuFeatures.Has(Model, ModelTraits.NoExecute) || CpuFeatures.Has(Model, CpuidFeature.X64),
        >= Msr.Star and <= Msr.KernelGsBase => CpuFeatures.Has(Model, CpuidFeature.X64),
        Msr.TscAux => CpuFeatures.Has(Model, CpuidFeature.RDTSCP) || CpuFeatures.Has(Model, CpuidFeature.RDPID),
        Msr.ArchCapabilities => CpuFeatures.Has(Model, ModelTraits.ArchCapabilities),
        Msr.SpecCtrl or Msr.PredCmd => CpuFeatures.Has(Model, ModelTraits.SpeculationControl),
        Msr.Pat => CpuFeatures.Has(Model, ModelTraits.Pat),
        Msr.MtrrCap or (>= Msr.MtrrPhysBase0 and <= Msr.MtrrFix4KF8000) or Msr.MtrrDefType => CpuFeatures.Has(Model, ModelTraits.Mtrr),
        Msr.TscAdjust => CpuFeatures.Has(Model, CpuidFeature.FSGSBASE),
        Msr.PlatformInfo or Msr.FeatureControl => CpuFeatures.Has(Model, CpuidFeature.X64),
        _ => true,
    };

    private void MoveTimestamp(ulong delta)
    {
        _s->TscOffset += delta;
        _s->TscAdjust += delta;
        Bus.TimestampMoved(delta);
    }

    private bool SetBase(ulong* field, ulong value)
    {
        bool valid = Set(field, value, IsCanonical(value));
        UpdateSegmentBases();
        return valid;
    }
}
