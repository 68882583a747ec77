using System;
using System.Diagnostics.CodeAnalysis;
using System.Buffers.Binary;
using System.Numerics;
using Iced.Intel;
using VirtShell.Cpu.Decoding;

namespace VirtShell.Cpu.Instructions.Integer;

/// <summary>BT, BTS, BTR, BTC, BSF, BSR, LZCNT, TZCNT, POPCNT, BSWAP, MOVBE, CRC32, BMI1, BMI2, ADX (SDM Vol. 2).</summary>
internal static unsafe class BitHandlers
{
    /// <summary>What a bit test does to its bit.</summary>
    internal interface IBitOp
    {
        static abstract bool Writes { get; }

        static abstract ulong Apply(ulong value, ulong mask);
    }

    /// <summary>One source, one destination.</summary>
    internal interface ISourceOp
    {
        /// <summary>A source of zero leaves all 64 bits of the destination.</summary>
        static virtual bool KeepsDestination => false;

        static abstract ulong Apply<TW>(CpuState* s, ulong destination, ulong source)
            where TW : struct, IWidth;
    }

    /// <summary>Three-operand VEX form: destination from two sources.</summary>
    internal interface IThreeOp
    {
        static abstract ulong Apply<TW>(CpuState* s, ulong a, ulong b)
            where TW : struct, IWidth;
    }

    public static void Register()
    {
        Tests<Bt>("Bt");
        Tests<Bts>("Bts");
        Tests<Btr>("Btr");
        Tests<Btc>("Btc");
        Sources<Bsf>("Bsf_r16_rm16", "Bsf_r32_rm32", "Bsf_r64_rm64");
        Sources<Bsr>("Bsr_r16_rm16", "Bsr_r32_rm32", "Bsr_r64_rm64");
        Sources<Lzcnt>("Lzcnt_r16_rm16", "Lzcnt_r32_rm32", "Lzcnt_r64_rm64");
        Sources<Tzcnt>("Tzcnt_r16_rm16", "Tzcnt_r32_rm32", "Tzcnt_r64_rm64");
        Sources<Popcnt>("Popcnt_r16_rm16", "Popcnt_r32_rm32", "Popcnt_r64_rm64");
        Source<Adcx, W32>(Code.Adcx_r32_rm32);
        Source<Adcx, W64>(Code.Adcx_r64_rm64);
        Source<Adox, W32>(Code.Adox_r32_rm32);
        Source<Adox, W64>(Code.Adox_r64_rm64);
        Crc<W8>(Code.Crc32_r32_rm8);
        Crc<W16>(Code.Crc32_r32_rm16);
        Crc<W32>(Code.Crc32_r32_rm32);
        Crc<W8>(Code.Crc32_r64_rm8);
        Crc<W64>(Code.Crc32_r64_rm64);
        HandlerTable.Add(Code.Bswap_r16, &Bswap16);
        HandlerTable.Add(Code.Bswap_r32, &Bswap<W32>);
        HandlerTable.Add(Code.Bswap_r64, &Bswap<W64>);
        Movbe<W16>(Code.Movbe_r16_m16, Code.Movbe_m16_r16);
        Movbe<W32>(Code.Movbe_r32_m32, Code.Movbe_m32_r32);
        Movbe<W64>(Code.Movbe_r64_m64, Code.Movbe_m64_r64);

        Three<Andn>(Code.VEX_Andn_r32_r32_rm32, Code.VEX_Andn_r64_r64_rm64);
        Three<Pdep>(Code.VEX_Pdep_r32_r32_rm32, Code.VEX_Pdep_r64_r64_rm64);
        Three<Pext>(Code.VEX_Pext_r32_r32_rm32, Code.VEX_Pext_r64_r64_rm64);
        Swapped<Bextr>(Code.VEX_Bextr_r32_rm32_r32, Code.VEX_Bextr_r64_rm64_r64);
        Swapped<Bzhi>(Code.VEX_Bzhi_r32_rm32_r32, Code.VEX_Bzhi_r64_rm64_r64);
        Swapped<Shlx>(Code.VEX_Shlx_r32_rm32_r32, Code.VEX_Shlx_r64_rm64_r64);
        Swapped<Shrx>(Code.VEX_Shrx_r32_rm32_r32, Code.VEX_Shrx_r64_rm64_r64);
        Swapped<Sarx>(Code.VEX_Sarx_r32_rm32_r32, Code.VEX_Sarx_r64_rm64_r64);
        Source<Blsi, W32>(Code.VEX_Blsi_r32_rm32);
        Source<Blsi, W64>(Code.VEX_Blsi_r64_rm64);
        Source<Blsr, W32>(Code.VEX_Blsr_r32_rm32);
        Source<Blsr, W64>(Code.VEX_Blsr_r64_rm64);
        Source<Blsmsk, W32>(Code.VEX_Blsmsk_r32_rm32);
        Source<Blsmsk, W64>(Code.VEX_Blsmsk_r64_rm64);
        HandlerTable.Add(Code.VEX_Rorx_r32_rm32_imm8, &RorxReg<W32>, &RorxMem<W32, Flat>, &RorxMem<W32, General>);
        HandlerTable.Add(Code.VEX_Rorx_r64_rm64_imm8, &RorxReg<W64>, &RorxMem<W64, Flat>, &RorxMem<W64, General>);
    }

    private static void Tests<TB>(string name)
        where TB : struct, IBitOp
    {
        Test<TB, W16>(Enum.Parse<Code>(name + "_rm16_r16"), Enum.Parse<Code>(name + "_rm16_imm8"));
        Test<TB, W32>(Enum.Parse<Code>(name + "_rm32_r32"), Enum.Parse<Code>(name + "_rm32_imm8"));
        Test<TB, W64>(Enum.Parse<Code>(name + "_rm64_r64"), Enum.Parse<Code>(name + "_rm64_imm8"));
    }

    private static void Test<TB, TW>(Code register, Code immediate)
        where TB : struct, IBitOp
        where TW : struct, IWidth
    {
        HandlerTable.Add(register, &BitRegReg<TB, TW>, &BitMemReg<TB, TW>, &BitMemReg<TB, TW>);
        HandlerTable.Add(immediate, &BitRegImm<TB, TW>, &BitMemImm<TB, TW, Flat>, &BitMemImm<TB, TW, General>);
    }

    private static void Sources<TS>(string code16, string code32, string code64)
        where TS : struct, ISourceOp
    {
        Source<TS, W16>(Enum.Parse<Code>(code16));
        Source<TS, W32>(Enum.Parse<Code>(code32));
        Source<TS, W64>(Enum.Parse<Code>(code64));
    }

    private static void Source<TS, TW>(Code code)
        where TS : struct, ISourceOp
        where TW : struct, IWidth =>
        HandlerTable.Add(code, &SourceReg<TS, TW>, &SourceMem<TS, TW, Flat>, &SourceMem<TS, TW, General>);

    private static void Crc<TW>(Code code)
        where TW : struct, IWidth =>
        HandlerTable.Add(code, &CrcReg<TW>, &CrcMem<TW, Flat>, &CrcMem<TW, General>);

    private static void Movbe<TW>(Code load, Code store)
        where TW : struct, IWidth
    {
        HandlerTable.Add(load, null, &MovbeLoad<TW, Flat>, &MovbeLoad<TW, General>);
        HandlerTable.Add(store, null, &MovbeStore<TW, Flat>, &MovbeStore<TW, General>);
    }

    private static void Three<TO>(Code code32, Code code64)
        where TO : struct, IThreeOp
    {
        HandlerTable.Add(code32, &ThreeReg<TO, W32>, &ThreeMem<TO, W32, Flat>, &ThreeMem<TO, W32, General>);
        HandlerTable.Add(code64, &ThreeReg<TO, W64>, &ThreeMem<TO, W64, Flat>, &ThreeMem<TO, W64, General>);
    }

    private static void Swapped<TO>(Code code32, Code code64)
        where TO : struct, IThreeOp
    {
        HandlerTable.Add(code32, &ThreeReg<TO, W32>, &SwappedMem<TO, W32, Flat>, &SwappedMem<TO, W32, General>);
        HandlerTable.Add(code64, &ThreeReg<TO, W64>, &SwappedMem<TO, W64, Flat>, &SwappedMem<TO, W64, General>);
    }

    private static Op* BitRegReg<TB, TW>(CpuState* s, Op* o)
        where TB : struct, IBitOp
        where TW : struct, IWidth => BitReg<TB, TW>(s, o, TW.Get((byte*)s + o->Src));

    private static Op* BitRegImm<TB, TW>(CpuState* s, Op* o)
        where TB : struct, IBitOp
        where TW : struct, IWidth => BitReg<TB, TW>(s, o, o->Imm);

    private static Op* BitReg<TB, TW>(CpuState* s, Op* o, ulong bit)
        where TB : struct, IBitOp
        where TW : struct, IWidth
    {
        ulong mask = 1UL << ((int)bit & (TW.Bits - 1));
        byte* destination = (byte*)s + o->Dst;
        ulong value = TW.Get(destination);
        if (TB.Writes)
        {
            TW.Set(destination, TB.Apply(value, mask));
        }

        Flags.SetCf(s, (value & mask) != 0);
        return o + 1;
    }

    private static Op* BitMemImm<TB, TW, TA>(CpuState* s, Op* o)
        where TB : struct, IBitOp
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        ulong mask = 1UL << ((int)o->Imm & (TW.Bits - 1));
        BitMem<TB, TW>(s, TB.Writes ? TA.Write(s, o, TW.Bytes) : TA.Read(s, o, TW.Bytes), mask);
        return o + 1;
    }

    // With a register operand the bit offset is signed and reaches outside of the addressed word (SDM Vol. 2A §3.1.1.9).
    private static Op* BitMemReg<TB, TW>(CpuState* s, Op* o)
        where TB : struct, IBitOp
        where TW : struct, IWidth
    {
        long bit = (long)TW.SignExtend(TW.Get((byte*)s + o->Src));
        ulong offset = Addresses.Effective(s, o) + (ulong)((bit >> BitOperations.Log2((uint)TW.Bits)) * TW.Bytes);
        offset = offset << o->AddressShift >> o->AddressShift;
        ulong linear = Addresses.Linear(s, o->Segment, offset, TW.Bytes, TB.Writes);
        BitMem<TB, TW>(s, linear, 1UL << ((int)bit & (TW.Bits - 1)));
        return o + 1;
    }

    private static void BitMem<TB, TW>(CpuState* s, ulong linear, ulong mask)
        where TB : struct, IBitOp
        where TW : struct, IWidth
    {
        ulong value;
        if (TB.Writes)
        {
            value = TW.ReadForWrite(s, linear);
            TW.Write(s, linear, TB.Apply(value, mask));
        }
        else
        {
            value = TW.Read(s, linear);
        }

        Flags.SetCf(s, (value & mask) != 0);
    }

    private static Op* SourceReg<TS, TW>(CpuState* s, Op* o)
        where TS : struct, ISourceOp
        where TW : struct, IWidth
    {
        SetSource<TS, TW>(s, o, TW.Get((byte*)s + o->Src));
        return o + 1;
    }

    private static Op* SourceMem<TS, TW, TA>(CpuState* s, Op* o)
        where TS : struct, ISourceOp
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        SetSource<TS, TW>(s, o, TW.Read(s, TA.Read(s, o, TW.Bytes)));
        return o + 1;
    }

    private static void SetSource<TS, TW>(CpuState* s, Op* o, ulong value)
        where TS : struct, ISourceOp
        where TW : struct, IWidth
    {
        byte* destination = (byte*)s + o->Dst;
        ulong result = TS.Apply<TW>(s, TW.Get(destination), value);
        if (!TS.KeepsDestination || value != 0)
        {
            TW.Set(destination, result);
        }
    }

    private static Op* ThreeReg<TO, TW>(CpuState* s, Op* o)
        where TO : struct, IThreeOp
        where TW : struct, IWidth
    {
        TW.Set((byte*)s + o->Dst, TO.Apply<TW>(s, TW.Get((byte*)s + o->Src), TW.Get((byte*)s + o->Src2)));
        return o + 1;
    }

    private static Op* ThreeMem<TO, TW, TA>(CpuState* s, Op* o)
        where TO : struct, IThreeOp
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        ulong value = TW.Read(s, TA.Read(s, o, TW.Bytes));
        TW.Set((byte*)s + o->Dst, TO.Apply<TW>(s, TW.Get((byte*)s + o->Src), value));
        return o + 1;
    }

    private static Op* SwappedMem<TO, TW, TA>(CpuState* s, Op* o)
        where TO : struct, IThreeOp
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        ulong value = TW.Read(s, TA.Read(s, o, TW.Bytes));
        TW.Set((byte*)s + o->Dst, TO.Apply<TW>(s, value, TW.Get((byte*)s + o->Src2)));
        return o + 1;
    }

    private static Op* RorxReg<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        TW.Set((byte*)s + o->Dst, Rotate<TW>(TW.Get((byte*)s + o->Src), (int)o->Imm));
        return o + 1;
    }

    private static Op* RorxMem<TW, TA>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        TW.Set((byte*)s + o->Dst, Rotate<TW>(TW.Read(s, TA.Read(s, o, TW.Bytes)), (int)o->Imm));
        return o + 1;
    }

    private static ulong Rotate<TW>(ulong value, int count)
        where TW : struct, IWidth => TW.Bits == 64 ? BitOperations.RotateRight(value, count) : BitOperations.RotateRight((uint)value, count);

    // BSWAP of a 16-bit register is undefined; processors clear it.
    private static Op* Bswap16(CpuState* s, Op* o)
    {
        *(ushort*)((byte*)s + o->Dst) = 0;
        return o + 1;
    }

    private static Op* Bswap<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        byte* destination = (byte*)s + o->Dst;
        TW.Set(destination, Reverse<TW>(TW.Get(destination)));
        return o + 1;
    }

    private static Op* MovbeLoad<TW, TA>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        TW.Set((byte*)s + o->Dst, Reverse<TW>(TW.Read(s, TA.Read(s, o, TW.Bytes))));
        return o + 1;
    }

    private static Op* MovbeStore<TW, TA>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        TW.Write(s, TA.Write(s, o, TW.Bytes), Reverse<TW>(TW.Get((byte*)s + o->Src)));
        return o + 1;
    }

    private static ulong Reverse<TW>(ulong value)
        where TW : struct, IWidth => BinaryPrimitives.ReverseEndianness(value) >> (64 - TW.Bits);

    private static Op* CrcReg<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        Crc<TW>(s, o, TW.Get((byte*)s + o->Src));
        return o + 1;
    }

    private static Op* CrcMem<TW, TA>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        Crc<TW>(s, o, TW.Read(s, TA.Read(s, o, TW.Bytes)));
        return o + 1;
    }

    private static void Crc<TW>(CpuState* s, Op* o, ulong value)
        where TW : struct, IWidth
    {
        ulong* destination = (ulong*)((byte*)s + o->Dst);
        uint crc = (uint)*destination;
        *destination = TW.Bytes switch
        {
            1 => BitOperations.Crc32C(crc, (byte)value),
            2 => BitOperations.Crc32C(crc, (ushort)value),
            4 => BitOperations.Crc32C(crc, (uint)value),
            _ => BitOperations.Crc32C(crc, value),
        };
    }

    private static int LeadingZeros<TW>(ulong value)
        where TW : struct, IWidth => BitOperations.LeadingZeroCount(value) - (64 - TW.Bits);

    private struct Bt : IBitOp
    {
        public static bool Writes => false;

        [ExcludeFromCodeCoverage(Justification = "Writes nothing.")]
        public static ulong Apply(ulong value, ulong mask) => value;
    }

    private struct Bts : IBitOp
    {
        public static bool Writes => true;

        public static ulong Apply(ulong value, ulong mask) => value | mask;
    }

    private struct Btr : IBitOp
    {
        public static bool Writes => true;

        public static ulong Apply(ulong value, ulong mask) => value & ~mask;
    }

    private struct Btc : IBitOp
    {
        public static bool Writes => true;

        public static ulong Apply(ulong value, ulong mask) => value ^ mask;
    }

    // BSF and BSR of zero leave the destination (the upper half included: AMD says so, Intel does so) and set ZF.
    private struct Bsf : ISourceOp
    {
        public static bool KeepsDestination => true;

        public static ulong Apply<TW>(CpuState* s, ulong destination, ulong source)
            where TW : struct, IWidth
        {
            SetZf(s, source == 0);
            return source == 0 ? destination : (ulong)BitOperations.TrailingZeroCount(source);
        }
    }

    private struct Bsr : ISourceOp
    {
        public static bool KeepsDestination => true;

        public static ulong Apply<TW>(CpuState* s, ulong destination, ulong source)
            where TW : struct, IWidth
        {
            SetZf(s, source == 0);
            return source == 0 ? destination : (ulong)BitOperations.Log2(source);
        }
    }

    /// <summary>ZF; the other flags, which are undefined, are cleared: they then depend on nothing that came before.</summary>
    private static void SetZf(CpuState* s, bool zero) => Flags.SetStatus(s, zero ? Flags.Zero : 0);

    /// <summary>CF and ZF of a count; the other flags, which are undefined, are cleared.</summary>
    private static void SetCountFlags(CpuState* s, bool carry, bool zero) =>
        Flags.SetStatus(s, (zero ? Flags.Zero : 0) | (carry ? Flags.Carry : 0));

    private struct Lzcnt : ISourceOp
    {
        public static ulong Apply<TW>(CpuState* s, ulong destination, ulong source)
            where TW : struct, IWidth
        {
            ulong count = (ulong)LeadingZeros<TW>(source);
            SetCountFlags(s, source == 0, count == 0);
            return count;
        }
    }

    private struct Tzcnt : ISourceOp
    {
        public static ulong Apply<TW>(CpuState* s, ulong destination, ulong source)
            where TW : struct, IWidth
        {
            ulong count = source == 0 ? (ulong)TW.Bits : (ulong)BitOperations.TrailingZeroCount(source);
            SetCountFlags(s, source == 0, count == 0);
            return count;
        }
    }

    private struct Popcnt : ISourceOp
    {
        public static ulong Apply<TW>(CpuState* s, ulong destination, ulong source)
            where TW : struct, IWidth
        {
            Flags.SetStatus(s, source == 0 ? Flags.Zero : 0);
            return (ulong)BitOperations.PopCount(source);
        }
    }

    private struct Adcx : ISourceOp
    {
        public static ulong Apply<TW>(CpuState* s, ulong destination, ulong source)
            where TW : struct, IWidth
        {
            UInt128 sum = (UInt128)destination + source + (Flags.Cf(s) ? 1u : 0u);
            uint flags = Flags.GetStatus(s) & ~Flags.Carry;
            Flags.SetStatus(s, flags | ((sum >> TW.Bits) != UInt128.Zero ? Flags.Carry : 0));
            return (ulong)sum;
        }
    }

    private struct Adox : ISourceOp
    {
        public static ulong Apply<TW>(CpuState* s, ulong destination, ulong source)
            where TW : struct, IWidth
        {
            UInt128 sum = (UInt128)destination + source + (Flags.Of(s) ? 1u : 0u);
            uint flags = Flags.GetStatus(s) & ~Flags.Overflow;
            Flags.SetStatus(s, flags | ((sum >> TW.Bits) != UInt128.Zero ? Flags.Overflow : 0));
            return (ulong)sum;
        }
    }

    private struct Andn : IThreeOp
    {
        public static ulong Apply<TW>(CpuState* s, ulong a, ulong b)
            where TW : struct, IWidth
        {
            ulong r = ~a & b;
            Flags.SetLogic(s, TW.SignExtend(r));
            return r;
        }
    }

    private struct Pdep : IThreeOp
    {
        public static ulong Apply<TW>(CpuState* s, ulong a, ulong b)
            where TW : struct, IWidth
        {
            ulong result = 0;
            for (ulong mask = b; mask != 0; mask &= mask - 1)
            {
                result |= (a & 1) != 0 ? mask & (0 - mask) : 0;
                a >>= 1;
            }

            return result;
        }
    }

    private struct Pext : IThreeOp
    {
        public static ulong Apply<TW>(CpuState* s, ulong a, ulong b)
            where TW : struct, IWidth
        {
            ulong result = 0;
            int at = 0;
            for (ulong mask = b; mask != 0; mask &= mask - 1)
            {
                result |= (a & mask & (0 - mask)) != 0 ? 1UL << at : 0;
                at++;
            }

            return result;
        }
    }

    private struct Bextr : IThreeOp
    {
        public static ulong Apply<TW>(CpuState* s, ulong a, ulong b)
            where TW : struct, IWidth
        {
            int start = (int)b & 0xFF;
            int length = (int)(b >> 8) & 0xFF;
            ulong r = start >= TW.Bits ? 0 : a >> start;
            r = length >= 64 ? r : r & ((1UL << length) - 1);
            Flags.SetLogic(s, TW.SignExtend(r));
            return r;
        }
    }

    private struct Bzhi : IThreeOp
    {
        public static ulong Apply<TW>(CpuState* s, ulong a, ulong b)
            where TW : struct, IWidth
        {
            int index = (int)b & 0xFF;
            bool beyond = index >= TW.Bits;
            ulong r = beyond ? a : a & ((1UL << index) - 1);
            Flags.SetResult(s, TW.SignExtend(r), beyond, false, false);
            return r;
        }
    }

    private struct Shlx : IThreeOp
    {
        public static ulong Apply<TW>(CpuState* s, ulong a, ulong b)
            where TW : struct, IWidth => a << ((int)b & (TW.Bits - 1));
    }

    private struct Shrx : IThreeOp
    {
        public static ulong Apply<TW>(CpuState* s, ulong a, ulong b)
            where TW : struct, IWidth => a >> ((int)b & (TW.Bits - 1));
    }

    private struct Sarx : IThreeOp
    {
        public static ulong Apply<TW>(CpuState* s, ulong a, ulong b)
            where TW : struct, IWidth => (ulong)((long)TW.SignExtend(a) >> ((int)b & (TW.Bits - 1)));
    }

    private struct Blsi : ISourceOp
    {
        public static ulong Apply<TW>(CpuState* s, ulong destination, ulong source)
            where TW : struct, IWidth
        {
            ulong r = source & (0 - source);
            Flags.SetResult(s, TW.SignExtend(r), source != 0, false, false);
            return r;
        }
    }

    private struct Blsr : ISourceOp
    {
        public static ulong Apply<TW>(CpuState* s, ulong destination, ulong source)
            where TW : struct, IWidth
        {
            ulong r = source & (source - 1);
            Flags.SetResult(s, TW.SignExtend(r), source == 0, false, false);
            return r;
        }
    }

    private struct Blsmsk : ISourceOp
    {
        public static ulong Apply<TW>(CpuState* s, ulong destination, ulong source)
            where TW : struct, IWidth
        {
            ulong r = source ^ (source - 1);
            Flags.SetResult(s, TW.SignExtend(r), source == 0, false, false);
            return r;
        }
    }
}
