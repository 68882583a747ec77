using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Memory;
using VirtShell.Cpu.Numerics;

namespace VirtShell.Cpu.Instructions.X87;

/// <summary>FST, FSTP, FIST, FISTP, FISTTP and FBSTP.</summary>
internal static unsafe class StoreHandlers
{
    /// <summary>A destination format: the ten bytes of which <see cref="Bytes"/> are stored.</summary>
    private interface IDestination
    {
        static abstract int Bytes { get; }

        static abstract Float80 Convert(Float80 value, ref FloatContext context);

        /// <summary>What an empty register stores where that is masked.</summary>
        static abstract Float80 Indefinite { get; }
    }

    public static void Register()
    {
        Enter<Store32, Keeps>(Code.Fst_m32fp);
        Enter<Store32, Pops>(Code.Fstp_m32fp);
        Enter<Store64, Keeps>(Code.Fst_m64fp);
        Enter<Store64, Pops>(Code.Fstp_m64fp);
        Enter<Store80, Pops>(Code.Fstp_m80fp);
        Enter<StoreInteger16, Keeps>(Code.Fist_m16int);
        Enter<StoreInteger16, Pops>(Code.Fistp_m16int);
        Enter<StoreInteger32, Keeps>(Code.Fist_m32int);
        Enter<StoreInteger32, Pops>(Code.Fistp_m32int);
        Enter<StoreInteger64, Pops>(Code.Fistp_m64int);
        Enter<Truncated16, Pops>(Code.Fisttp_m16int);
        Enter<Truncated32, Pops>(Code.Fisttp_m32int);
        Enter<Truncated64, Pops>(Code.Fisttp_m64int);
        Enter<Bcd, Pops>(Code.Fbstp_m80bcd);
        HandlerTable.Add(Code.Fst_sti, &ToRegister<Keeps>);
        HandlerTable.Add(Code.Fstp_sti, &ToRegister<Pops>);

        // The encodings that only some manuals list behave alike on processors since the 387.
        HandlerTable.Add(Code.Fstp_sti_DFD0, &ToRegister<Pops>);
        HandlerTable.Add(Code.Fstp_sti_DFD8, &ToRegister<Pops>);
        HandlerTable.Add(Code.Fstpnce_sti, &ToRegisterUnchecked);
    }

    private static void Enter<TDestination, TPops>(Code code)
        where TDestination : struct, IDestination
        where TPops : struct, IPops =>
        HandlerTable.Add(code, null, &ToMemory<TDestination, TPops, Flat>, &ToMemory<TDestination, TPops, General>);

    private static Op* ToMemory<TDestination, TPops, TA>(CpuState* s, Op* o)
        where TDestination : struct, IDestination
        where TPops : struct, IPops
        where TA : struct, IAddressing
    {
        Fpu.Enter(s);
        ulong linear = TA.Write(s, o, TDestination.Bytes);
        Mem.CheckWrite(s, linear, TDestination.Bytes);
        Fpu.NoteMemory(s, o);
        Float80 stored;
        if (Fpu.IsEmpty(s, 0))
        {
            if (!Fpu.Underflow(s))
            {
                return o + 1;
            }

            stored = TDestination.Indefinite;
        }
        else
        {
            FloatContext context = Fpu.Context(s);
            stored = TDestination.Convert(Fpu.Get(s, 0), ref context);
            Fpu.Commit(s, in context);
            if (context.BlocksStore)
            {
                return o + 1;
            }
        }

        switch (TDestination.Bytes)
        {
            case 2:
                Mem.Write(s, linear, (ushort)stored.Significand);
                break;
            case 4:
                Mem.Write(s, linear, (uint)stored.Significand);
                break;
            case 8:
                Mem.Write(s, linear, stored.Significand);
                break;
            default:
                Mem.Write(s, linear, stored);
                break;
        }

        if (TPops.Value)
        {
            Fpu.Pop(s);
        }

        return o + 1;
    }

    private static Op* ToRegister<TPops>(CpuState* s, Op* o)
        where TPops : struct, IPops
    {
        Fpu.Enter(s);
        Fpu.Note(s, o);
        Float80 value;
        if (Fpu.IsEmpty(s, 0))
        {
            if (!Fpu.Underflow(s))
            {
                return o + 1;
            }

            value = Float80.Indefinite;
        }
        else
        {
            Fpu.ClearC1(s);
            value = Fpu.Get(s, 0);
        }

        Fpu.Set(s, o->Dst | o->Src, value);
        if (TPops.Value)
        {
            Fpu.Pop(s);
        }

        return o + 1;
    }

    /// <summary>D9 D8+i: a store and pop that reports no stack fault; of an empty ST(0) there is nothing to store.</summary>
    private static Op* ToRegisterUnchecked(CpuState* s, Op* o)
    {
        Fpu.Enter(s);
        Fpu.Note(s, o);
        Fpu.ClearC1(s);
        if (!Fpu.IsEmpty(s, 0))
        {
            Fpu.Set(s, o->Dst, Fpu.Get(s, 0));
        }

        Fpu.Pop(s);
        return o + 1;
    }

    private static Float80 Integer(Float80 value, int bits, bool truncate, ref FloatContext context) =>
        new(0, (ulong)Float80Convert.ToInteger(value, bits, truncate, ref context));

    private struct Store32 : IDestination
    {
        public static int Bytes => 4;

        public static Float80 Indefinite => new(0, 0xFFC0_0000);

        public static Float80 Convert(Float80 value, ref FloatContext context) => new(0, Float80Convert.ToSingle(value, ref context));
    }

    private struct Store64 : IDestination
    {
        public static int Bytes => 8;

        public static Float80 Indefinite => new(0, 0xFFF8_0000_0000_0000);

        public static Float80 Convert(Float80 value, ref FloatContext context) => new(0, Float80Convert.ToDouble(value, ref context));
    }

    private struct Store80 : IDestination
    {
        public static int Bytes => 10;

        public static Float80 Indefinite => Float80.Indefinite;

        public static Float80 Convert(Float80 value, ref FloatContext context) => value;
    }

    private struct StoreInteger16 : IDestination
    {
        public static int Bytes => 2;

        public static Float80 Indefinite => new(0, 0x8000);

        public static Float80 Convert(Float80 value, ref FloatContext context) => Integer(value, 16, false, ref context);
    }

    private struct StoreInteger32 : IDestination
    {
        public static int Bytes => 4;

        public static Float80 Indefinite => new(0, 0x8000_0000);

        public static Float80 Convert(Float80 value, ref FloatContext context) => Integer(value, 32, false, ref context);
    }

    private struct StoreInteger64 : IDestination
    {
        public static int Bytes => 8;

        public static Float80 Indefinite => new(0, 0x8000_0000_0000_0000);

        public static Float80 Convert(Float80 value, ref FloatContext context) => Integer(value, 64, false, ref context);
    }

    private struct Truncated16 : IDestination
    {
        public static int Bytes => 2;

        public static Float80 Indefinite => new(0, 0x8000);

        public static Float80 Convert(Float80 value, ref FloatContext context) => Integer(value, 16, true, ref context);
    }

    private struct Truncated32 : IDestination
    {
        public static int Bytes => 4;

        public static Float80 Indefinite => new(0, 0x8000_0000);

        public static Float80 Convert(Float80 value, ref FloatContext context) => Integer(value, 32, true, ref context);
    }

    private struct Truncated64 : IDestination
    {
        public static int Bytes => 8;

        public static Float80 Indefinite => new(0, 0x8000_0000_0000_0000);

        public static Float80 Convert(Float80 value, ref FloatContext context) => Integer(value, 64, true, ref context);
    }

    private struct Bcd : IDestination
    {
        public static int Bytes => 10;

        public static Float80 Indefinite => Float80Convert.BcdIndefinite;

        public static Float80 Convert(Float80 value, ref FloatContext context)
        {
            Float80Convert.ToBcd(value, out ulong low, out ushort high, ref context);
            return new Float80(high, low);
        }
    }
}
