using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Instructions.Mmx;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Simd;

/// <summary>One 128-bit lane of a packed operation: result from two sources and the immediate (0 where there is none).</summary>
internal interface IPacked
{
    static abstract Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate);

    /// <summary>What the upper lane of a 256-bit form sees of the immediate.</summary>
    static virtual int Upper(int immediate) => immediate;
}

/// <summary>An element-wise MMX operation on both halves of a lane.</summary>
internal readonly struct Halves<TOp> : IPacked
    where TOp : struct, IMmxOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
    {
        Vector128<ulong> x = a.AsUInt64();
        Vector128<ulong> y = b.AsUInt64();
        return Vector128.Create(TOp.Do(x[0], y[0]), TOp.Do(x[1], y[1])).AsByte();
    }
}

/// <summary>An MMX operation that gathers each operand into half of the result (PACK, horizontal add): over a lane the halves of one operand meet.</summary>
internal readonly struct Gathered<TOp> : IPacked
    where TOp : struct, IMmxOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
    {
        Vector128<ulong> x = a.AsUInt64();
        Vector128<ulong> y = b.AsUInt64();
        return Vector128.Create(TOp.Do(x[0], x[1]), TOp.Do(y[0], y[1])).AsByte();
    }
}

/// <summary>An MMX shift whose count comes from the low 64 bits of the second source.</summary>
internal readonly struct ByCount<TOp> : IPacked
    where TOp : struct, IMmxOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
    {
        Vector128<ulong> x = a.AsUInt64();
        ulong count = b.AsUInt64()[0];
        return Vector128.Create(TOp.Do(x[0], count), TOp.Do(x[1], count)).AsByte();
    }
}

/// <summary>
/// Enters packed operations in all their encodings: legacy SSE (destination is the first source, memory aligned), VEX.128
/// (three operands, upper half cleared) and VEX.256 (both lanes alike).
/// </summary>
internal static unsafe class Packed
{
    private static readonly Dictionary<string, Code> s_names = BuildNames();

    /// <summary>xmm, xmm/m128 and VEX forms of a mnemonic.</summary>
    public static void Binary<TP>(string mnemonic)
        where TP : struct, IPacked
    {
        Add($"{mnemonic}_xmm_xmmm128", &SseReg<TP>, &SseMem<TP, Flat>, &SseMem<TP, General>);
        Add($"VEX_V{mnemonic}_xmm_xmm_xmmm128", &VexReg<TP>, &VexMem<TP, Flat>, &VexMem<TP, General>);
        Add($"VEX_V{mnemonic}_ymm_ymm_ymmm256", &VexReg256<TP>, &VexMem256<TP, Flat>, &VexMem256<TP, General>);
    }

    /// <summary>xmm, xmm/m128, imm8 and VEX forms with two sources.</summary>
    public static void BinaryImmediate<TP>(string mnemonic)
        where TP : struct, IPacked
    {
        Add($"{mnemonic}_xmm_xmmm128_imm8", &SseReg<TP>, &SseMem<TP, Flat>, &SseMem<TP, General>);
        Add($"VEX_V{mnemonic}_xmm_xmm_xmmm128_imm8", &VexReg<TP>, &VexMem<TP, Flat>, &VexMem<TP, General>);
        Add($"VEX_V{mnemonic}_ymm_ymm_ymmm256_imm8", &VexReg256<TP>, &VexMem256<TP, Flat>, &VexMem256<TP, General>);
    }

    /// <summary>One source (the operation sees it as <c>b</c>; <c>a</c> is the destination): xmm, xmm/m128 and VEX forms, with <paramref name="suffix"/> "_imm8" or nothing.</summary>
    public static void Unary<TP>(string mnemonic, string suffix = "")
        where TP : struct, IPacked
    {
        Add($"{mnemonic}_xmm_xmmm128{suffix}", &SseReg<TP>, &SseMem<TP, Flat>, &SseMem<TP, General>);
        Add($"VEX_V{mnemonic}_xmm_xmmm128{suffix}", &UnaryReg<TP>, &UnaryMem<TP, Flat>, &UnaryMem<TP, General>);
        Add($"VEX_V{mnemonic}_ymm_ymmm256{suffix}", &UnaryReg256<TP>, &UnaryMem256<TP, Flat>, &UnaryMem256<TP, General>);
    }

    /// <summary>Shift by immediate: xmm, imm8; VEX xmm, xmm, imm8 and ymm, ymm, imm8.</summary>
    public static void ShiftImmediate<TP>(string mnemonic)
        where TP : struct, IPacked
    {
        Add($"{mnemonic}_xmm_imm8", &ShiftReg<TP>, null, null);
        Add($"VEX_V{mnemonic}_xmm_xmm_imm8", &UnaryShift<TP>, null, null);
        Add($"VEX_V{mnemonic}_ymm_ymm_imm8", &UnaryShift256<TP>, null, null);
    }

    /// <summary>Shift by a count in an XMM register or m128; the 256-bit form takes the same count for both lanes.</summary>
    public static void ShiftCount<TP>(string mnemonic)
        where TP : struct, IPacked
    {
        Add($"{mnemonic}_xmm_xmmm128", &SseReg<TP>, &SseMem<TP, Flat>, &SseMem<TP, General>);
        Add($"VEX_V{mnemonic}_xmm_xmm_xmmm128", &VexReg<TP>, &VexMem<TP, Flat>, &VexMem<TP, General>);
        Add($"VEX_V{mnemonic}_ymm_ymm_xmmm128", &Count256Reg<TP>, &Count256Mem<TP, Flat>, &Count256Mem<TP, General>);
    }

    /// <summary>Enters a row by the code's name, where Iced has such a code.</summary>
    public static void Add(string name, delegate*<CpuState*, Op*, Op*> register, delegate*<CpuState*, Op*, Op*> flat, delegate*<CpuState*, Op*, Op*> general)
    {
        // Callers build VEX names from the legacy mnemonic: VEX_V + Pxor is Iced's VEX_Vpxor.
        string iced = name.StartsWith("VEX_V", StringComparison.Ordinal) ? string.Concat("VEX_V", char.ToLowerInvariant(name[5]).ToString(), name.AsSpan(6)) : name;
        if (s_names.TryGetValue(iced, out Code code))
        {
            HandlerTable.Add(code, register, flat, general);
        }
    }

    /// <summary>Writes a 128-bit result of a VEX instruction: the upper half becomes zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set128(CpuState* s, int place, Vector128<byte> value)
    {
        Vector128<byte>* at = (Vector128<byte>*)((byte*)s + place);
        at[0] = value;
        at[1] = default;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte>* Register(CpuState* s, int place) => (Vector128<byte>*)((byte*)s + place);

    private static Op* SseReg<TP>(CpuState* s, Op* o)
        where TP : struct, IPacked
    {
        SimdGuard.Sse(s);
        Vector128<byte>* destination = Register(s, o->Dst);
        *destination = TP.Do(*destination, *Register(s, o->Src), (int)o->Imm);
        return o + 1;
    }

    private static Op* SseMem<TP, TA>(CpuState* s, Op* o)
        where TP : struct, IPacked
        where TA : struct, IAddressing
    {
        SimdGuard.Sse(s);
        ulong linear = TA.Read(s, o, 16);
        SimdGuard.Aligned(s, linear, 16);
        Vector128<byte> source = Mem.Read<Vector128<byte>>(s, linear);
        Vector128<byte>* destination = Register(s, o->Dst);
        *destination = TP.Do(*destination, source, (int)o->Imm);
        return o + 1;
    }

    private static Op* VexReg<TP>(CpuState* s, Op* o)
        where TP : struct, IPacked
    {
        SimdGuard.Avx(s);
        Set128(s, o->Dst, TP.Do(*Register(s, o->Src), *Register(s, o->Src2), (int)o->Imm));
        return o + 1;
    }

    private static Op* VexMem<TP, TA>(CpuState* s, Op* o)
        where TP : struct, IPacked
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        Vector128<byte> source = Mem.Read<Vector128<byte>>(s, TA.Read(s, o, 16));
        Set128(s, o->Dst, TP.Do(*Register(s, o->Src), source, (int)o->Imm));
        return o + 1;
    }

    private static Op* VexReg256<TP>(CpuState* s, Op* o)
        where TP : struct, IPacked
    {
        SimdGuard.Avx(s);
        Vector128<byte>* a = Register(s, o->Src);
        Vector128<byte>* b = Register(s, o->Src2);
        Vector128<byte> low = TP.Do(a[0], b[0], (int)o->Imm);
        Vector128<byte> high = TP.Do(a[1], b[1], TP.Upper((int)o->Imm));
        Vector128<byte>* destination = Register(s, o->Dst);
        destination[0] = low;
        destination[1] = high;
        return o + 1;
    }

    private static Op* VexMem256<TP, TA>(CpuState* s, Op* o)
        where TP : struct, IPacked
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        Vector256<byte> source = Mem.Read<Vector256<byte>>(s, TA.Read(s, o, 32));
        Vector128<byte>* a = Register(s, o->Src);
        Vector128<byte> low = TP.Do(a[0], source.GetLower(), (int)o->Imm);
        Vector128<byte> high = TP.Do(a[1], source.GetUpper(), TP.Upper((int)o->Imm));
        Vector128<byte>* destination = Register(s, o->Dst);
        destination[0] = low;
        destination[1] = high;
        return o + 1;
    }

    private static Op* UnaryReg<TP>(CpuState* s, Op* o)
        where TP : struct, IPacked
    {
        SimdGuard.Avx(s);
        Set128(s, o->Dst, TP.Do(default, *Register(s, o->Src), (int)o->Imm));
        return o + 1;
    }

    private static Op* UnaryMem<TP, TA>(CpuState* s, Op* o)
        where TP : struct, IPacked
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        Set128(s, o->Dst, TP.Do(default, Mem.Read<Vector128<byte>>(s, TA.Read(s, o, 16)), (int)o->Imm));
        return o + 1;
    }

    private static Op* UnaryReg256<TP>(CpuState* s, Op* o)
        where TP : struct, IPacked
    {
        SimdGuard.Avx(s);
        Vector128<byte>* b = Register(s, o->Src);
        Vector128<byte> low = TP.Do(default, b[0], (int)o->Imm);
        Vector128<byte> high = TP.Do(default, b[1], TP.Upper((int)o->Imm));
        Vector128<byte>* destination = Register(s, o->Dst);
        destination[0] = low;
        destination[1] = high;
        return o + 1;
    }

    private static Op* UnaryMem256<TP, TA>(CpuState* s, Op* o)
        where TP : struct, IPacked
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        Vector256<byte> source = Mem.Read<Vector256<byte>>(s, TA.Read(s, o, 32));
        Vector128<byte>* destination = Register(s, o->Dst);
        destination[0] = TP.Do(default, source.GetLower(), (int)o->Imm);
        destination[1] = TP.Do(default, source.GetUpper(), TP.Upper((int)o->Imm));
        return o + 1;
    }

    // The count of an immediate shift stands where the others have their second source.
    private static Vector128<byte> Count(Op* o) => Vector128.CreateScalar((ulong)(byte)o->Imm).AsByte();

    private static Op* ShiftReg<TP>(CpuState* s, Op* o)
        where TP : struct, IPacked
    {
        SimdGuard.Sse(s);
        Vector128<byte>* destination = Register(s, o->Dst);
        *destination = TP.Do(*destination, Count(o), (int)o->Imm);
        return o + 1;
    }

    private static Op* UnaryShift<TP>(CpuState* s, Op* o)
        where TP : struct, IPacked
    {
        SimdGuard.Avx(s);
        Set128(s, o->Dst, TP.Do(*Register(s, o->Src), Count(o), (int)o->Imm));
        return o + 1;
    }

    private static Op* UnaryShift256<TP>(CpuState* s, Op* o)
        where TP : struct, IPacked
    {
        SimdGuard.Avx(s);
        Vector128<byte>* a = Register(s, o->Src);
        Vector128<byte>* destination = Register(s, o->Dst);
        destination[0] = TP.Do(a[0], Count(o), (int)o->Imm);
        destination[1] = TP.Do(a[1], Count(o), (int)o->Imm);
        return o + 1;
    }

    private static Op* Count256Reg<TP>(CpuState* s, Op* o)
        where TP : struct, IPacked
    {
        SimdGuard.Avx(s);
        Counted256<TP>(s, o, *Register(s, o->Src2));
        return o + 1;
    }

    private static Op* Count256Mem<TP, TA>(CpuState* s, Op* o)
        where TP : struct, IPacked
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        Counted256<TP>(s, o, Mem.Read<Vector128<byte>>(s, TA.Read(s, o, 16)));
        return o + 1;
    }

    private static void Counted256<TP>(CpuState* s, Op* o, Vector128<byte> count)
        where TP : struct, IPacked
    {
        Vector128<byte>* a = Register(s, o->Src);
        Vector128<byte>* destination = Register(s, o->Dst);
        destination[0] = TP.Do(a[0], count, 0);
        destination[1] = TP.Do(a[1], count, 0);
    }

    private static Dictionary<string, Code> BuildNames()
    {
        Dictionary<string, Code> names = new(StringComparer.Ordinal);
        foreach (Code code in Enum.GetValues<Code>())
        {
            names[code.ToString()] = code;
        }

        return names;
    }
}
