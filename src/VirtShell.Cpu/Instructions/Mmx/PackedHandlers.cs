using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Mmx;

/// <summary>MMX instructions of the shape mm, mm/m64 (or m32) and mm, imm8.</summary>
internal static unsafe class PackedHandlers
{
    public static void Register()
    {
        RegisterBytes();
        RegisterWords();
        RegisterDoubles();
        RegisterWhole();
        RegisterShifts();
    }

    private static void RegisterBytes()
    {
        Enter<Bytes<LaneOperations.Add>>(Code.Paddb_mm_mmm64);
        Enter<Bytes<LaneOperations.Subtract>>(Code.Psubb_mm_mmm64);
        Enter<Bytes<LaneOperations.AddSaturated8>>(Code.Paddsb_mm_mmm64);
        Enter<Bytes<LaneOperations.SubtractSaturated8>>(Code.Psubsb_mm_mmm64);
        Enter<Bytes<LaneOperations.AddUnsigned8>>(Code.Paddusb_mm_mmm64);
        Enter<Bytes<LaneOperations.SubtractUnsigned>>(Code.Psubusb_mm_mmm64);
        Enter<Bytes<LaneOperations.Equal>>(Code.Pcmpeqb_mm_mmm64);
        Enter<Bytes<LaneOperations.Greater8>>(Code.Pcmpgtb_mm_mmm64);
        Enter<Bytes<LaneOperations.Average>>(Code.Pavgb_mm_mmm64);
        Enter<Bytes<LaneOperations.MinimumUnsigned>>(Code.Pminub_mm_mmm64);
        Enter<Bytes<LaneOperations.MaximumUnsigned>>(Code.Pmaxub_mm_mmm64);
        Enter<Bytes<LaneOperations.Sign8>>(Code.Psignb_mm_mmm64);
        Enter<Bytes<LaneOperations.Absolute8>>(Code.Pabsb_mm_mmm64);
    }

    private static void RegisterWords()
    {
        Enter<Words<LaneOperations.Add>>(Code.Paddw_mm_mmm64);
        Enter<Words<LaneOperations.Subtract>>(Code.Psubw_mm_mmm64);
        Enter<Words<LaneOperations.AddSaturated16>>(Code.Paddsw_mm_mmm64);
        Enter<Words<LaneOperations.SubtractSaturated16>>(Code.Psubsw_mm_mmm64);
        Enter<Words<LaneOperations.AddUnsigned16>>(Code.Paddusw_mm_mmm64);
        Enter<Words<LaneOperations.SubtractUnsigned>>(Code.Psubusw_mm_mmm64);
        Enter<Words<LaneOperations.Equal>>(Code.Pcmpeqw_mm_mmm64);
        Enter<Words<LaneOperations.Greater16>>(Code.Pcmpgtw_mm_mmm64);
        Enter<Words<LaneOperations.Average>>(Code.Pavgw_mm_mmm64);
        Enter<Words<LaneOperations.Minimum16>>(Code.Pminsw_mm_mmm64);
        Enter<Words<LaneOperations.Maximum16>>(Code.Pmaxsw_mm_mmm64);
        Enter<Words<LaneOperations.MultiplyLow>>(Code.Pmullw_mm_mmm64);
        Enter<Words<LaneOperations.MultiplyHigh>>(Code.Pmulhw_mm_mmm64);
        Enter<Words<LaneOperations.MultiplyHighUnsigned>>(Code.Pmulhuw_mm_mmm64);
        Enter<Words<LaneOperations.MultiplyHighRounded>>(Code.Pmulhrsw_mm_mmm64);
        Enter<Words<LaneOperations.Sign16>>(Code.Psignw_mm_mmm64);
        Enter<Words<LaneOperations.Absolute16>>(Code.Pabsw_mm_mmm64);
    }

    private static void RegisterDoubles()
    {
        Enter<Doubles<LaneOperations.Add>>(Code.Paddd_mm_mmm64);
        Enter<Doubles<LaneOperations.Subtract>>(Code.Psubd_mm_mmm64);
        Enter<Doubles<LaneOperations.Equal>>(Code.Pcmpeqd_mm_mmm64);
        Enter<Doubles<LaneOperations.Greater32>>(Code.Pcmpgtd_mm_mmm64);
        Enter<Doubles<LaneOperations.Sign32>>(Code.Psignd_mm_mmm64);
        Enter<Doubles<LaneOperations.Absolute32>>(Code.Pabsd_mm_mmm64);
    }

    private static void RegisterWhole()
    {
        Enter<WholeOperations.Second>(Code.Movq_mm_mmm64);
        Enter<WholeOperations.And>(Code.Pand_mm_mmm64);
        Enter<WholeOperations.AndNot>(Code.Pandn_mm_mmm64);
        Enter<WholeOperations.Or>(Code.Por_mm_mmm64);
        Enter<WholeOperations.Xor>(Code.Pxor_mm_mmm64);
        Enter<WholeOperations.Add64>(Code.Paddq_mm_mmm64);
        Enter<WholeOperations.Subtract64>(Code.Psubq_mm_mmm64);
        Enter<WholeOperations.MultiplyUnsigned32>(Code.Pmuludq_mm_mmm64);
        Enter<WholeOperations.MultiplyAdd16>(Code.Pmaddwd_mm_mmm64);
        Enter<WholeOperations.MultiplyAdd8>(Code.Pmaddubsw_mm_mmm64);
        Enter<WholeOperations.SumAbsoluteDifferences>(Code.Psadbw_mm_mmm64);
        Enter<WholeOperations.PackSigned16>(Code.Packsswb_mm_mmm64);
        Enter<WholeOperations.PackUnsigned16>(Code.Packuswb_mm_mmm64);
        Enter<WholeOperations.PackSigned32>(Code.Packssdw_mm_mmm64);
        Enter<WholeOperations.UnpackHigh8>(Code.Punpckhbw_mm_mmm64);
        Enter<WholeOperations.UnpackHigh16>(Code.Punpckhwd_mm_mmm64);
        Enter<WholeOperations.UnpackHigh32>(Code.Punpckhdq_mm_mmm64);
        Enter32<WholeOperations.UnpackLow8>(Code.Punpcklbw_mm_mmm32);
        Enter32<WholeOperations.UnpackLow16>(Code.Punpcklwd_mm_mmm32);
        Enter32<WholeOperations.UnpackLow32>(Code.Punpckldq_mm_mmm32);
        Enter<WholeOperations.ShuffleBytes>(Code.Pshufb_mm_mmm64);
        Enter<WholeOperations.HorizontalAdd16>(Code.Phaddw_mm_mmm64);
        Enter<WholeOperations.HorizontalAddSaturated16>(Code.Phaddsw_mm_mmm64);
        Enter<WholeOperations.HorizontalAdd32>(Code.Phaddd_mm_mmm64);
        Enter<WholeOperations.HorizontalSubtract16>(Code.Phsubw_mm_mmm64);
        Enter<WholeOperations.HorizontalSubtractSaturated16>(Code.Phsubsw_mm_mmm64);
        Enter<WholeOperations.HorizontalSubtract32>(Code.Phsubd_mm_mmm64);
    }

    private static void RegisterShifts()
    {
        EnterShift<WholeOperations.ShiftLeft16>(Code.Psllw_mm_mmm64, Code.Psllw_mm_imm8);
        EnterShift<WholeOperations.ShiftLeft32>(Code.Pslld_mm_mmm64, Code.Pslld_mm_imm8);
        EnterShift<WholeOperations.ShiftLeft64>(Code.Psllq_mm_mmm64, Code.Psllq_mm_imm8);
        EnterShift<WholeOperations.ShiftRight16>(Code.Psrlw_mm_mmm64, Code.Psrlw_mm_imm8);
        EnterShift<WholeOperations.ShiftRight32>(Code.Psrld_mm_mmm64, Code.Psrld_mm_imm8);
        EnterShift<WholeOperations.ShiftRight64>(Code.Psrlq_mm_mmm64, Code.Psrlq_mm_imm8);
        EnterShift<WholeOperations.ShiftArithmetic16>(Code.Psraw_mm_mmm64, Code.Psraw_mm_imm8);
        EnterShift<WholeOperations.ShiftArithmetic32>(Code.Psrad_mm_mmm64, Code.Psrad_mm_imm8);
    }

    private static void Enter<TOp>(Code code)
        where TOp : struct, IMmxOperation =>
        HandlerTable.Add(code, &OnRegister<TOp>, &OnMemory<TOp, Flat>, &OnMemory<TOp, General>);

    private static void Enter32<TOp>(Code code)
        where TOp : struct, IMmxOperation =>
        HandlerTable.Add(code, &OnRegister<TOp>, &OnMemory32<TOp, Flat>, &OnMemory32<TOp, General>);

    private static void EnterShift<TOp>(Code variable, Code immediate)
        where TOp : struct, IMmxOperation
    {
        Enter<TOp>(variable);
        HandlerTable.Add(immediate, &OnImmediate<TOp>);
    }

    private static Op* OnRegister<TOp>(CpuState* s, Op* o)
        where TOp : struct, IMmxOperation
    {
        MmxState.Enter(s);
        MmxState.Transition(s);
        MmxState.Set(s, o->Dst, TOp.Do(MmxState.Get(s, o->Dst), MmxState.Get(s, o->Src)));
        return o + 1;
    }

    private static Op* OnMemory<TOp, TA>(CpuState* s, Op* o)
        where TOp : struct, IMmxOperation
        where TA : struct, IAddressing
    {
        MmxState.Enter(s);
        ulong operand = Mem.Read<ulong>(s, TA.Read(s, o, 8));
        MmxState.Transition(s);
        MmxState.Set(s, o->Dst, TOp.Do(MmxState.Get(s, o->Dst), operand));
        return o + 1;
    }

    private static Op* OnMemory32<TOp, TA>(CpuState* s, Op* o)
        where TOp : struct, IMmxOperation
        where TA : struct, IAddressing
    {
        MmxState.Enter(s);
        ulong operand = Mem.Read<uint>(s, TA.Read(s, o, 4));
        MmxState.Transition(s);
        MmxState.Set(s, o->Dst, TOp.Do(MmxState.Get(s, o->Dst), operand));
        return o + 1;
    }

    private static Op* OnImmediate<TOp>(CpuState* s, Op* o)
        where TOp : struct, IMmxOperation
    {
        MmxState.Enter(s);
        MmxState.Transition(s);
        MmxState.Set(s, o->Dst, TOp.Do(MmxState.Get(s, o->Dst), (byte)o->Imm));
        return o + 1;
    }
}
