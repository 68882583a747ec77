using System.Runtime.Intrinsics.X86;
using Iced.Intel;

namespace VirtShell.Cpu.Translation;

/// <summary>Which emitter serves which of Iced's codes, whatever its operands are (that is <see cref="BlockReader"/>'s to look at). What nobody lists here goes to the interpreter.</summary>
internal static class Families
{
    private const uint Rax = 1;
    private const uint Rcx = 2;
    private const uint Rdx = 4;
    private const uint Rsp = 16;
    private const uint Rbp = 32;
    private const uint Rsi = 64;
    private const uint Rdi = 128;
    private const uint R11 = 1 << 11;

    public static Family Of(in Instruction instruction, bool supported, OpCodeInfo info)
    {
        if (EndsBlock(in instruction))
        {
            return Family.Exit;
        }

        if (!supported || !HostHas(in instruction))
        {
            return Family.CallOut;
        }

        Family family = info.Encoding is EncodingKind.VEX || UsesVectors(info) ? Vector(in instruction, info) : Integer(in instruction, info);

        // What touches flags must be in a family that says how.
        bool silent = instruction.RflagsModified == RflagsBits.None && instruction.RflagsRead == RflagsBits.None;
        return family == Family.Plain && !silent ? Family.CallOut : family;
    }

    public static bool IsSimd(OpCodeInfo info, in Instruction instruction) => UsesVectors(info)
        || (info.Encoding == EncodingKind.VEX && !IsGeneralVex(instruction.Mnemonic));

    public static bool MustAlign(OpCodeInfo info, in Instruction instruction)
    {
        int size = info.MemorySize.GetSize();
        if (info.Encoding == EncodingKind.VEX)
        {
            return instruction.Mnemonic is Mnemonic.Vmovaps or Mnemonic.Vmovapd or Mnemonic.Vmovdqa or Mnemonic.Vmovntps or Mnemonic.Vmovntpd
                or Mnemonic.Vmovntdq or Mnemonic.Vmovntdqa;
        }

        return size == 16 && instruction.Mnemonic is not (Mnemonic.Movups or Mnemonic.Movupd or Mnemonic.Movdqu or Mnemonic.Lddqu
            or Mnemonic.Pcmpestri or Mnemonic.Pcmpestrm or Mnemonic.Pcmpestri64 or Mnemonic.Pcmpestrm64 or Mnemonic.Pcmpistri or Mnemonic.Pcmpistrm);
    }

    public static uint ImplicitWrites(in Instruction instruction) => instruction.Mnemonic switch
    {
        Mnemonic.Mul or Mnemonic.Div or Mnemonic.Idiv => Rax | Rdx,
        Mnemonic.Imul when instruction.OpCount == 1 => Rax | Rdx,
        Mnemonic.Cbw or Mnemonic.Cwde or Mnemonic.Cdqe or Mnemonic.Cmpxchg => Rax,
        Mnemonic.Cwd or Mnemonic.Cdq or Mnemonic.Cqo => Rdx,
        Mnemonic.Cmpxchg8b or Mnemonic.Cmpxchg16b => Rax | Rdx,
        Mnemonic.Pcmpestri or Mnemonic.Pcmpistri or Mnemonic.Vpcmpestri or Mnemonic.Vpcmpistri or Mnemonic.Pcmpestri64 or Mnemonic.Vpcmpestri64 => Rcx,
        Mnemonic.Rdtsc => Rax | Rdx,
        Mnemonic.Rdtscp => Rax | Rcx | Rdx,
        Mnemonic.Stosb or Mnemonic.Stosw or Mnemonic.Stosd or Mnemonic.Stosq or Mnemonic.Movsb or Mnemonic.Movsw or Mnemonic.Movsq => Rcx | Rsi | Rdi,
        Mnemonic.Movsd when instruction.IsStringInstruction => Rcx | Rsi | Rdi,
        Mnemonic.Syscall => Rcx | R11,
        Mnemonic.Push or Mnemonic.Pushfq or Mnemonic.Pushfd or Mnemonic.Pop or Mnemonic.Call or Mnemonic.Ret => Rsp,
        Mnemonic.Leave => Rsp | Rbp,
        _ => 0,
    };

    private static bool EndsBlock(in Instruction instruction)
    {
        switch (instruction.FlowControl)
        {
            case FlowControl.Next or FlowControl.UnconditionalBranch or FlowControl.ConditionalBranch or FlowControl.Call or FlowControl.Return
                or FlowControl.IndirectBranch or FlowControl.IndirectCall:
                break;
            default:
                return true;
        }

        return instruction.Mnemonic switch
        {
            Mnemonic.Hlt or Mnemonic.Lmsw or Mnemonic.Clts or Mnemonic.Invlpg or Mnemonic.Invpcid or Mnemonic.Wrmsr or Mnemonic.Xsetbv
                or Mnemonic.Ldmxcsr or Mnemonic.Vldmxcsr or Mnemonic.Fxrstor or Mnemonic.Fxrstor64 or Mnemonic.Xrstor or Mnemonic.Xrstor64
                or Mnemonic.Popf or Mnemonic.Popfd or Mnemonic.Popfq or Mnemonic.Lds or Mnemonic.Les or Mnemonic.Lfs or Mnemonic.Lgs or Mnemonic.Lss
                or Mnemonic.Iret or Mnemonic.Iretd or Mnemonic.Iretq or Mnemonic.Retf or Mnemonic.Sysret
                or Mnemonic.Sysenter or Mnemonic.Sysexit or Mnemonic.Sysexitq or Mnemonic.INVALID
                or Mnemonic.Loop or Mnemonic.Loope or Mnemonic.Loopne or Mnemonic.Jcxz or Mnemonic.Jecxz or Mnemonic.Jrcxz => true,
            Mnemonic.Mov or Mnemonic.Pop => instruction.Op0Kind == OpKind.Register && (instruction.Op0Register.IsSegmentRegister() || instruction.Op0Register.IsCR() || instruction.Op0Register.IsDR()),
            Mnemonic.Jmp or Mnemonic.Call => instruction.Op0Kind is OpKind.FarBranch16 or OpKind.FarBranch32 || instruction.IsJmpFarIndirect || instruction.IsCallFarIndirect,
            _ => false,
        };
    }

    private static bool UsesVectors(OpCodeInfo info)
    {
        for (int i = 0; i < info.OpCount; i++)
        {
            string kind = info.GetOpKind(i).ToString();
            if (kind.StartsWith("xmm", System.StringComparison.Ordinal) || kind.StartsWith("ymm", System.StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsGeneralVex(Mnemonic mnemonic) => mnemonic is Mnemonic.Andn or Mnemonic.Bextr or Mnemonic.Blsi or Mnemonic.Blsr or Mnemonic.Blsmsk
        or Mnemonic.Bzhi or Mnemonic.Pdep or Mnemonic.Pext or Mnemonic.Rorx or Mnemonic.Sarx or Mnemonic.Shlx or Mnemonic.Shrx or Mnemonic.Mulx;

    private static Family Vector(in Instruction instruction, OpCodeInfo info)
    {
        switch (instruction.Mnemonic)
        {
            case Mnemonic.Andn or Mnemonic.Bextr:
                return Family.ResultFlags;
            case Mnemonic.Blsi or Mnemonic.Blsr or Mnemonic.Blsmsk:
                return Family.SourceFlags;
            case Mnemonic.Bzhi:
                return Family.CallOut;

            // Their low bits differ from processor to processor; the interpreter's are the same everywhere.
            case Mnemonic.Rcpps or Mnemonic.Rcpss or Mnemonic.Rsqrtps or Mnemonic.Rsqrtss or Mnemonic.Vrcpps or Mnemonic.Vrcpss or Mnemonic.Vrsqrtps or Mnemonic.Vrsqrtss:
            // Masked elements raise no fault.
            case Mnemonic.Maskmovdqu or Mnemonic.Vmaskmovdqu or Mnemonic.Vmaskmovps or Mnemonic.Vmaskmovpd or Mnemonic.Vpmaskmovd or Mnemonic.Vpmaskmovq:
            case Mnemonic.Vstmxcsr or Mnemonic.Vzeroall:
                return Family.CallOut;
            case Mnemonic.Comisd or Mnemonic.Comiss or Mnemonic.Ucomisd or Mnemonic.Ucomiss or Mnemonic.Vcomisd or Mnemonic.Vcomiss or Mnemonic.Vucomisd or Mnemonic.Vucomiss:
            case Mnemonic.Ptest or Mnemonic.Vptest or Mnemonic.Vtestps or Mnemonic.Vtestpd:
            case Mnemonic.Pcmpestri64 or Mnemonic.Pcmpestrm64 or Mnemonic.Vpcmpestri64 or Mnemonic.Vpcmpestrm64:
            case Mnemonic.Pcmpestri or Mnemonic.Pcmpestrm or Mnemonic.Pcmpistri or Mnemonic.Pcmpistrm:
            case Mnemonic.Vpcmpestri or Mnemonic.Vpcmpestrm or Mnemonic.Vpcmpistri or Mnemonic.Vpcmpistrm:
                return Family.ExactFlags;
            default:
                return info.Encoding is EncodingKind.Legacy or EncodingKind.VEX ? Family.Plain : Family.CallOut;
        }
    }

    private static Family Integer(in Instruction instruction, OpCodeInfo info)
    {
        switch (instruction.Mnemonic)
        {
            case Mnemonic.Mov:
                return instruction.Code is Code.Mov_rm16_Sreg or Code.Mov_r32m16_Sreg or Code.Mov_r64m16_Sreg ? Family.Selector
                    : instruction.Code == Code.Mov_r64_cr ? Family.FaultAddress
                    : instruction.Op1Kind == OpKind.Register && (instruction.Op1Register.IsSegmentRegister() || instruction.Op1Register.IsCR() || instruction.Op1Register.IsDR())
                    ? Family.CallOut : Family.Plain;
            case Mnemonic.Movzx or Mnemonic.Movsx or Mnemonic.Movsxd or Mnemonic.Bswap or Mnemonic.Movbe or Mnemonic.Xchg or Mnemonic.Crc32 or Mnemonic.Not or Mnemonic.Movnti:
            case Mnemonic.Cbw or Mnemonic.Cwde or Mnemonic.Cdqe or Mnemonic.Cwd or Mnemonic.Cdq or Mnemonic.Cqo:
                return instruction.Code == Code.Bswap_r16 ? Family.CallOut : Family.Plain;
            case Mnemonic.Nop or Mnemonic.Reservednop or Mnemonic.Pause or Mnemonic.Lfence or Mnemonic.Mfence or Mnemonic.Sfence or Mnemonic.Serialize or Mnemonic.Endbr64 or Mnemonic.Endbr32:
            case Mnemonic.Prefetcht0 or Mnemonic.Prefetcht1 or Mnemonic.Prefetcht2 or Mnemonic.Prefetchnta or Mnemonic.Prefetchw:
                return Family.Nothing;
            case Mnemonic.Cli or Mnemonic.Sti or Mnemonic.Cld or Mnemonic.Std or Mnemonic.Clac or Mnemonic.Stac:
                return Family.SystemFlag;
            case Mnemonic.Swapgs:
                return Family.SwapGs;
            case Mnemonic.Rdfsbase or Mnemonic.Rdgsbase or Mnemonic.Wrfsbase or Mnemonic.Wrgsbase:
                return Family.SegmentBase;
            case Mnemonic.Rdtsc or Mnemonic.Rdtscp:
                return Family.Timestamp;
            case Mnemonic.Stosb or Mnemonic.Stosw or Mnemonic.Stosd or Mnemonic.Stosq or Mnemonic.Movsb or Mnemonic.Movsw or Mnemonic.Movsd or Mnemonic.Movsq:
                return Family.Repeat;
            case Mnemonic.Lea:
                return Family.Lea;
            case Mnemonic.Add or Mnemonic.Sub or Mnemonic.Cmp or Mnemonic.And or Mnemonic.Or or Mnemonic.Xor or Mnemonic.Test:
                return Family.Alu;
            case Mnemonic.Adc or Mnemonic.Sbb:
                return Family.AluCarry;
            case Mnemonic.Neg:
                return Family.Negate;
            case Mnemonic.Inc or Mnemonic.Dec:
                return Family.Increment;
            case Mnemonic.Shl or Mnemonic.Shr or Mnemonic.Sar or Mnemonic.Sal:
                return Family.Shift;
            case Mnemonic.Rol or Mnemonic.Ror:
                return Family.Rotate;
            case Mnemonic.Shld or Mnemonic.Shrd:
                return Family.DoubleShift;
            case Mnemonic.Imul:
                return info.OpCount == 1 ? Family.MultiplyWide : Family.Imul;
            case Mnemonic.Mul:
                return Family.MultiplyWide;
            case Mnemonic.Div or Mnemonic.Idiv:
                return Family.Divide;
            case Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc:
                return Family.BitTest;
            case Mnemonic.Bsf or Mnemonic.Bsr or Mnemonic.Lzcnt or Mnemonic.Tzcnt or Mnemonic.Popcnt:
                return Family.SourceFlags;
            case Mnemonic.Cmpxchg or Mnemonic.Xadd:
                return Family.ExactFlags;
            case Mnemonic.Cmc or Mnemonic.Clc or Mnemonic.Stc or Mnemonic.Adcx or Mnemonic.Adox or Mnemonic.Cmpxchg8b or Mnemonic.Cmpxchg16b:
                return Family.PartialFlags;
            case Mnemonic.Push:
                return instruction.Op0Kind == OpKind.Register && instruction.Op0Register.IsSegmentRegister() ? Family.CallOut : Family.Push;
            case Mnemonic.Pushfq or Mnemonic.Pushfd:
                return Family.Push;
            case Mnemonic.Syscall:
                return Family.SystemCall;
            case Mnemonic.Sysretq:
                return Family.SystemReturn;
            case Mnemonic.Pop:
                return Family.Pop;
            case Mnemonic.Leave:
                return Family.Leave;
            case Mnemonic.Call:
                return Family.Call;
            case Mnemonic.Ret:
                return Family.Return;
            case Mnemonic.Jmp:
                return Family.Jump;
            default:
                return instruction.FlowControl == FlowControl.ConditionalBranch && instruction.IsJccShortOrNear ? Family.Branch
                    : instruction.ConditionCode != ConditionCode.None && instruction.FlowControl == FlowControl.Next ? Family.Reader
                    : Family.CallOut;
        }
    }

    // What a processor with AVX2, BMI2 and LZCNT may still lack.
    private static bool HostHas(in Instruction instruction)
    {
        foreach (CpuidFeature feature in instruction.Code.CpuidFeatures())
        {
            bool has = feature switch
            {
                CpuidFeature.AES => Aes.IsSupported,
                CpuidFeature.PCLMULQDQ => Pclmulqdq.IsSupported,
                CpuidFeature.FMA => Fma.IsSupported,
                CpuidFeature.SHA => (X86Base.CpuId(7, 0).Ebx & (1 << 29)) != 0,
                CpuidFeature.ADX => (X86Base.CpuId(7, 0).Ebx & (1 << 19)) != 0,
                CpuidFeature.MOVBE => (X86Base.CpuId(1, 0).Ecx & (1 << 22)) != 0,
                CpuidFeature.F16C => (X86Base.CpuId(1, 0).Ecx & (1 << 29)) != 0,
                CpuidFeature.CMPXCHG16B => (X86Base.CpuId(1, 0).Ecx & (1 << 13)) != 0,
                _ => true,
            };
            if (!has)
            {
                return false;
            }
        }

        return true;
    }
}
