using System;
using System.Collections.Generic;
using Iced.Intel;
using VirtShell.Cpu.Numerics;
using VirtShell.Cpu.Tests.Native;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Numerics;

/// <summary>The software operations beside the instructions that they implement.</summary>
internal static class X87Operations
{
    /// <summary>Where in the argument block the memory operand lies.</summary>
    public const int MemoryOffset = 256;

    private const ushort C0 = 0x0100;
    private const ushort C1 = 0x0200;
    private const ushort C2 = 0x0400;
    private const ushort C3 = 0x4000;

    public static IReadOnlyList<X87Operation> All { get; } = Build();

    private delegate Float80 Unary(Float80 a, ref FloatContext context);

    private delegate Float80 Binary(Float80 a, Float80 b, ref FloatContext context);

    private delegate Float80 Reduced(Float80 a, out bool outOfRange, ref FloatContext context);

    private static List<X87Operation> Build()
    {
        var rows = new List<X87Operation>
        {
            OnTwo("fadd st0,st1", c => c.fadd(st0, st1), Float80Math.Add),
            OnTwo("fsub st0,st1", c => c.fsub(st0, st1), Float80Math.Subtract),
            OnTwo("fsubr st0,st1", c => c.fsubr(st0, st1), (Float80 a, Float80 b, ref FloatContext x) => Float80Math.Subtract(b, a, ref x)),
            OnTwo("fmul st0,st1", c => c.fmul(st0, st1), Float80Math.Multiply),
            OnTwo("fdiv st0,st1", c => c.fdiv(st0, st1), Float80Math.Divide),
            OnTwo("fdivr st0,st1", c => c.fdivr(st0, st1), (Float80 a, Float80 b, ref FloatContext x) => Float80Math.Divide(b, a, ref x)),
            OnTwo("fscale", c => c.fscale(), Float80Math.Scale),
            OnOne("fsqrt", c => c.fsqrt(), Float80Math.SquareRoot),
            OnOne("frndint", c => c.frndint(), Float80Math.RoundToInteger),
            Remainder("fprem", c => c.fprem(), false),
            Remainder("fprem1", c => c.fprem1(), true),
            Compare("fcom st1", c => c.fcom(st0, st1), false),
            Compare("fucom st1", c => c.fucom(st0, st1), true),
            new("fxtract", c => c.fxtract(), Extract),
            Store("fistp word", c => c.fistp(Memory(__word_ptr)), (ref X87Outcome o) => StoreInteger(ref o, 16, false)),
            Store("fistp dword", c => c.fistp(Memory(__dword_ptr)), (ref X87Outcome o) => StoreInteger(ref o, 32, false)),
            Store("fistp qword", c => c.fistp(Memory(__qword_ptr)), (ref X87Outcome o) => StoreInteger(ref o, 64, false)),
            Store("fisttp word", c => c.fisttp(Memory(__word_ptr)), (ref X87Outcome o) => StoreInteger(ref o, 16, true)),
            Store("fisttp dword", c => c.fisttp(Memory(__dword_ptr)), (ref X87Outcome o) => StoreInteger(ref o, 32, true)),
            Store("fisttp qword", c => c.fisttp(Memory(__qword_ptr)), (ref X87Outcome o) => StoreInteger(ref o, 64, true)),
            Store("fbstp", c => c.fbstp(Memory(__tbyte_ptr)), StoreBcd),
            Store("fstp dword", c => c.fstp(Memory(__dword_ptr)), StoreSingle),
            Store("fstp qword", c => c.fstp(Memory(__qword_ptr)), StoreDouble),
            Load("fild word", c => c.fild(Memory(__word_ptr)), (ref X87Outcome o) => Float80Convert.FromInt64((short)o.Memory)),
            Load("fild dword", c => c.fild(Memory(__dword_ptr)), (ref X87Outcome o) => Float80Convert.FromInt64((int)o.Memory)),
            Load("fild qword", c => c.fild(Memory(__qword_ptr)), (ref X87Outcome o) => Float80Convert.FromInt64((long)o.Memory)),
            Load("fbld", c => c.fbld(Memory(__tbyte_ptr)), (ref X87Outcome o) => Float80Convert.FromBcd(o.Memory, o.MemoryHigh)),
            Load("fld dword", c => c.fld(Memory(__dword_ptr)), (ref X87Outcome o) => Float80Convert.FromSingle((uint)o.Memory, ref o.Context)),
            Load("fld qword", c => c.fld(Memory(__qword_ptr)), (ref X87Outcome o) => Float80Convert.FromDouble(o.Memory, ref o.Context)),
            Load("fldl2t", c => c.fldl2t(), (ref X87Outcome o) => Float80Constants.Log2Of10(o.Context.Rounding)),
            Load("fldl2e", c => c.fldl2e(), (ref X87Outcome o) => Float80Constants.Log2OfE(o.Context.Rounding)),
            Load("fldpi", c => c.fldpi(), (ref X87Outcome o) => Float80Constants.Pi(o.Context.Rounding)),
            Load("fldlg2", c => c.fldlg2(), (ref X87Outcome o) => Float80Constants.Log10Of2(o.Context.Rounding)),
            Load("fldln2", c => c.fldln2(), (ref X87Outcome o) => Float80Constants.LnOf2(o.Context.Rounding)),
            OnMemory("fadd dword", c => c.fadd(Memory(__dword_ptr)), false, Float80Math.Add),
            OnMemory("fsubr dword", c => c.fsubr(Memory(__dword_ptr)), false, (Float80 a, Float80 b, ref FloatContext x) => Float80Math.Subtract(b, a, ref x)),
            OnMemory("fmul qword", c => c.fmul(Memory(__qword_ptr)), true, Float80Math.Multiply),
            OnMemory("fdiv qword", c => c.fdiv(Memory(__qword_ptr)), true, Float80Math.Divide),
            OnMemory("fdivr dword", c => c.fdivr(Memory(__dword_ptr)), false, (Float80 a, Float80 b, ref FloatContext x) => Float80Math.Divide(b, a, ref x)),
        };
        AddTranscendentals(rows);
        return rows;
    }

    private static void AddTranscendentals(List<X87Operation> rows)
    {
        rows.Add(OnOne("f2xm1", c => c.f2xm1(), Float80Math.PowerMinusOne) with { Tolerance = 1 });
        rows.Add(Popping("fyl2x", c => c.fyl2x(), Float80Math.Logarithm));
        rows.Add(Popping("fyl2xp1", c => c.fyl2xp1(), Float80Math.LogarithmPlusOne));
        rows.Add(Popping("fpatan", c => c.fpatan(), (Float80 x, Float80 y, ref FloatContext context) => Float80Math.ArcTangent(y, x, ref context)));
        rows.Add(Trigonometric("fsin", c => c.fsin(), Float80Math.Sine));
        rows.Add(Trigonometric("fcos", c => c.fcos(), Float80Math.Cosine));
        rows.Add(new X87Operation("fsincos", c => c.fsincos(), SineCosine, 1));
        rows.Add(new X87Operation("fptan", c => c.fptan(), Tangent, 1));
    }

    private static AssemblerMemoryOperand Memory(AssemblerMemoryOperandFactory size) => size[NativeCode.Argument + MemoryOffset];

    private static X87Operation OnOne(string name, Action<Assembler> emit, Unary function) =>
        new(name, emit, (ref X87Outcome o) => Keep(ref o, function(o.A, ref o.Context)));

    private static X87Operation OnTwo(string name, Action<Assembler> emit, Binary function) =>
        new(name, emit, (ref X87Outcome o) => Keep(ref o, function(o.A, o.B, ref o.Context)));

    private static X87Operation OnMemory(string name, Action<Assembler> emit, bool wide, Binary function) =>
        new(name, emit, (ref X87Outcome o) =>
        {
            Float80 operand = wide ? Float80Convert.WidenDouble(o.Memory, ref o.Context) : Float80Convert.WidenSingle((uint)o.Memory, ref o.Context);
            Keep(ref o, function(o.A, operand, ref o.Context));
        });

    private static X87Operation Popping(string name, Action<Assembler> emit, Binary function) =>
        new(name, emit, (ref X87Outcome o) =>
        {
            Float80 result = function(o.A, o.B, ref o.Context);
            if (!o.Context.Aborts)
            {
                o.Second = result;
                o.Pushed = -1;
            }
        }, 1);

    private static X87Operation Trigonometric(string name, Action<Assembler> emit, Reduced function) =>
        new(name, emit, (ref X87Outcome o) =>
        {
            Keep(ref o, function(o.A, out bool outOfRange, ref o.Context));
            o.Conditions = outOfRange ? C2 : (ushort)0;
        }, 1);

    private static X87Operation Remainder(string name, Action<Assembler> emit, bool nearest) =>
        new(name, emit, (ref X87Outcome o) =>
        {
            Keep(ref o, Float80Math.Remainder(o.A, o.B, nearest, out ulong quotient, out bool partial, ref o.Context));
            if (partial)
            {
                o.Conditions = C2;
            }
            else if (!o.Context.Aborts)
            {
                o.Conditions = (ushort)(((quotient & 1) != 0 ? C1 : 0) | ((quotient & 2) != 0 ? C3 : 0) | ((quotient & 4) != 0 ? C0 : 0));
            }
        });

    private static X87Operation Compare(string name, Action<Assembler> emit, bool quiet) =>
        new(name, emit, (ref X87Outcome o) =>
        {
            o.Conditions = Float80Math.Compare(o.A, o.B, quiet, ref o.Context) switch
            {
                FloatOrder.Greater => 0,
                FloatOrder.Less => C0,
                FloatOrder.Equal => C3,
                _ => C0 | C2 | C3,
            };
        });

    private static X87Operation Store(string name, Action<Assembler> emit, X87Model model) =>
        new(name, emit, (ref X87Outcome o) =>
        {
            ulong low = o.Memory;
            ushort high = o.MemoryHigh;
            model(ref o);
            if (o.Context.BlocksStore)
            {
                o.Memory = low;
                o.MemoryHigh = high;
            }
            else
            {
                o.Pushed = -1;
            }
        });

    private static X87Operation Load(string name, Action<Assembler> emit, LoadModel model) =>
        new(name, emit, (ref X87Outcome o) =>
        {
            Float80 value = model(ref o);
            if ((o.Context.Unmasked & FloatExceptions.Invalid) == 0)
            {
                Push(ref o, o.A, value);
            }
        });

    private static void Keep(ref X87Outcome o, Float80 result)
    {
        if (!o.Context.Aborts)
        {
            o.First = result;
        }
    }

    /// <summary>After a push, First and Second are the two new topmost registers.</summary>
    private static void Push(ref X87Outcome o, Float80 second, Float80 first)
    {
        o.Pushed = 1;
        o.First = first;
        o.Second = second;
    }

    private static void Extract(ref X87Outcome o)
    {
        Float80 exponent = Float80Math.Extract(o.A, out Float80 significand, ref o.Context);
        if (!o.Context.Aborts)
        {
            Push(ref o, exponent, significand);
        }
    }

    private static void SineCosine(ref X87Outcome o)
    {
        Float80 sine = Float80Math.SineCosine(o.A, out Float80 cosine, out bool outOfRange, ref o.Context);
        Finish(ref o, sine, cosine, outOfRange);
    }

    private static void Tangent(ref X87Outcome o)
    {
        Float80 tangent = Float80Math.Tangent(o.A, out bool outOfRange, ref o.Context);
        Finish(ref o, tangent, tangent.IsNaN ? tangent : Float80.One, outOfRange);
    }

    private static void Finish(ref X87Outcome o, Float80 second, Float80 first, bool outOfRange)
    {
        if (outOfRange)
        {
            o.Conditions = C2;
        }
        else if (!o.Context.Aborts)
        {
            Push(ref o, second, first);
        }
    }

    private static void StoreInteger(ref X87Outcome o, int bits, bool truncate)
    {
        ulong mask = ulong.MaxValue >> (64 - bits);
        ulong value = (ulong)Float80Convert.ToInteger(o.A, bits, truncate, ref o.Context);
        o.Memory = (o.Memory & ~mask) | (value & mask);
    }

    private static void StoreBcd(ref X87Outcome o) => Float80Convert.ToBcd(o.A, out o.Memory, out o.MemoryHigh, ref o.Context);

    private static void StoreSingle(ref X87Outcome o) =>
        o.Memory = (o.Memory & 0xFFFF_FFFF_0000_0000) | Float80Convert.ToSingle(o.A, ref o.Context);

    private static void StoreDouble(ref X87Outcome o) => o.Memory = Float80Convert.ToDouble(o.A, ref o.Context);

    private delegate Float80 LoadModel(ref X87Outcome outcome);
}
