using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>Processor state loaded from random bytes, and arithmetic that is slow.</summary>
internal static class StateAttacks
{
    private const uint Area = AttackLayout.Work;
    private const int Masked = 0x1F80;

    public static readonly Attack[] All =
    [
        new("state-xrstor", "XRSTOR of random areas with random headers and masks", AttackEnd.Never, Xrstor),
        new("state-xsetbv", "Random values in XCR0, and state saved under each of them", AttackEnd.Never, Xsetbv),
        new("state-fxrstor", "FXRSTOR and FRSTOR of random bytes, then arithmetic on them", AttackEnd.Never, Fxrstor),
        new("state-mxcsr", "Every bit of MXCSR, with exceptions unmasked", AttackEnd.Never, Mxcsr),
        new("state-x87", "Exceptions of the x87 unmasked, and left pending", AttackEnd.Never, X87Exceptions),
        new("slow-transcendental", "Sines, tangents and logarithms of denormals and of numbers without end", AttackEnd.Never, Transcendental),
        new("slow-decimal", "Packed decimals, remainders and square roots", AttackEnd.Never, Decimal),
        new("slow-denormal", "Vector divisions and square roots of denormals", AttackEnd.Never, Denormals) { IsHeavy = true },
        new("slow-division", "The longest divisions, and ones that fault", AttackEnd.Never, Divisions),
    ];

    private static void Xrstor(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            a.FillRandom(Area, 256);
            foreach (var (bits, compact) in (ReadOnlySpan<(uint, uint)>)[(7, 0), (3, 0), (0, 0), (7, 0x8000_0000), (0xFFFF_FFFF, 0)])
            {
                c.mov(__dword_ptr[Area + 512], bits);
                c.mov(__dword_ptr[Area + 516], 0);
                c.mov(__dword_ptr[Area + 520], 0);
                c.mov(__dword_ptr[Area + 524], compact);
                for (var half = 0u; half < 2; half++)
                {
                    Restore(a);
                    if (half == 0)
                    {
                        for (var reserved = 528u; reserved < 576; reserved += 4)
                        {
                            c.mov(__dword_ptr[Area + reserved], 0);
                        }

                        c.mov(__dword_ptr[Area + 24], Masked);
                    }
                }

                a.Guarded(() => c.xsave(__[Area + 0x1000]));
                a.Guarded(() => c.xsaveopt(__[Area + 0x1000]));
                a.Guarded(() => c.xsavec(__[Area + 0x1000]));
            }
        });
    }

    private static void Restore(AttackCode a)
    {
        a.Guarded(() =>
        {
            a.Random();
            a.C.mov(edx, -1);
            a.C.xrstor(__[Area]);
        });
        a.Guarded(() =>
        {
            a.C.mov(eax, 7);
            a.C.xor(edx, edx);
            a.C.xrstor(__[Area]);
        });
        a.Guarded(() => a.C.xrstor(__[Area + 8]));
    }

    private static void Xsetbv(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            foreach (var value in (ReadOnlySpan<uint>)[1, 3, 7, 5, 2, 0, 0xFFFF_FFFF, 0x207])
            {
                foreach (var index in (ReadOnlySpan<int>)[0, 1])
                {
                    a.Guarded(() =>
                    {
                        c.mov(eax, value);
                        c.xor(edx, edx);
                        c.mov(ecx, index);
                        c.xsetbv();
                    });
                }

                a.Guarded(() =>
                {
                    c.mov(eax, -1);
                    c.mov(edx, -1);
                    c.xsave(__[Area]);
                });
                a.Guarded(() => c.vaddps(ymm0, ymm1, ymm2));
                a.Guarded(() =>
                {
                    c.mov(ecx, 1);
                    c.xgetbv();
                    a.Fold();
                });
                a.Guarded(() =>
                {
                    c.mov(eax, -1);
                    c.mov(edx, -1);
                    c.xrstor(__[Area]);
                });
            }

            a.Guarded(() =>
            {
                a.Random();
                c.xor(ecx, ecx);
                c.xsetbv();
            });
        });
    }

    private static void Fxrstor(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            a.FillRandom(Area, 128);
            a.Guarded(() => c.fxrstor(__[Area]));
            c.and(__dword_ptr[Area + 24], 0xFFFF);
            a.Guarded(() => c.fxrstor(__[Area]));
            a.Guarded(c.wait);
            foreach (var load in (ReadOnlySpan<Action>)[() => c.frstor(__[Area]), () => c.fldenv(__[Area])])
            {
                a.Guarded(load);
                a.Guarded(() => c.fld(st2));
                a.Guarded(() => c.faddp(st1, st0));
                a.Guarded(c.fsqrt);
                a.Guarded(() => c.fbstp(__[Area + 0x400]));
                a.Guarded(c.emms);
            }

            c.fninit();
            a.Guarded(() => c.ldmxcsr(__dword_ptr[Area]));
            a.Guarded(() => c.mulps(xmm0, xmm1));
            Reset(a);
        });
    }

    private static void Mxcsr(AttackCode a)
    {
        var c = a.C;
        a.FillRandom(Area, 64);
        a.Forever(() =>
        {
            for (var bit = 0; bit < 17; bit++)
            {
                var value = Masked ^ (1 << bit);
                a.Guarded(() =>
                {
                    c.mov(__dword_ptr[Area + 0x100], value);
                    c.ldmxcsr(__dword_ptr[Area + 0x100]);
                });
                a.Guarded(() =>
                {
                    c.movups(xmm0, __xmmword_ptr[Area]);
                    c.movups(xmm1, __xmmword_ptr[Area + 20]);
                    c.divps(xmm0, xmm1);
                });
                a.Guarded(() => c.sqrtpd(xmm2, xmm1));
                a.Guarded(() => c.cvttps2dq(xmm3, xmm0));
                a.Guarded(() => c.xorps(xmm4, xmm4));
                a.Guarded(() => c.divsd(xmm1, xmm4));
            }
        });
    }

    private static void X87Exceptions(AttackCode a)
    {
        var c = a.C;
        a.Guarded(() =>
        {
            c.mov(eax, cr0);
            c.or(eax, 0x20);
            c.mov(cr0, eax);
        });
        a.Forever(() =>
        {
            foreach (var control in (ReadOnlySpan<int>)[0x0340, 0x037E, 0x037B, 0x0F40, 0x0000])
            {
                c.fninit();
                c.mov(__word_ptr[Area], (short)control);
                c.fldcw(__word_ptr[Area]);
                a.Guarded(() =>
                {
                    c.fldz();
                    c.fld1();
                    c.fdiv(st0, st1);
                });
                a.Guarded(c.wait);
                a.Guarded(() => c.fistp(__dword_ptr[Area + 8]));
                for (var i = 0; i < 9; i++)
                {
                    a.Guarded(c.fldpi);
                }

                a.Guarded(c.fsqrt);
                a.Guarded(() => c.fnsave(__[Area + 0x20]));
            }
        });
    }

    private static void Transcendental(AttackCode a)
    {
        var c = a.C;

        // A denormal, a large number, pi's multiple, a NaN's neighbour: significand and exponent.
        ReadOnlySpan<(uint Low, uint High, int Exponent)> operands =
            [(1, 0, 0), (0xFFFF_FFFF, 0xFFFF_FFFF, 0x403D), (0x2168_C235, 0xC90F_DAA2, 0x403C), (0x1234_5678, 0x9ABC_DEF0, 0x3FFE), (0, 0x8000_0000, 0x7FFE), (3, 0x8000_0000, 0x3FFF)];
        var at = Area;
        foreach (var (low, high, exponent) in operands)
        {
            c.mov(__dword_ptr[at], low);
            c.mov(__dword_ptr[at + 4], high);
            c.mov(__word_ptr[at + 8], (short)exponent);
            at += 16;
        }

        var count = (uint)operands.Length;
        c.fninit();
        a.Forever(() =>
        {
            for (var i = 0u; i < count; i++)
            {
                var operand = Area + (i * 16);
                foreach (var operation in (ReadOnlySpan<Action>)[c.fsin, c.fcos, c.fptan, c.fsincos, c.f2xm1, c.fsqrt, c.frndint])
                {
                    c.fninit();
                    c.fld(__tbyte_ptr[operand]);
                    operation();
                }

                foreach (var operation in (ReadOnlySpan<Action>)[c.fpatan, c.fyl2x, c.fyl2xp1, c.fscale, c.fprem, c.fprem1])
                {
                    c.fninit();
                    c.fldpi();
                    c.fld(__tbyte_ptr[operand]);
                    operation();
                    c.fstp(__tbyte_ptr[Area + 0x100]);
                    c.mov(eax, __dword_ptr[Area + 0x100]);
                    a.Fold();
                }
            }
        });
    }

    private static void Decimal(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            a.FillRandom(Area, 8);
            c.fninit();
            c.fbld(__[Area]);
            c.fsqrt();
            c.fbstp(__[Area + 0x20]);
            c.fld(__tbyte_ptr[Area + 8]);
            c.fld(__tbyte_ptr[Area + 2]);
            for (var i = 0; i < 8; i++)
            {
                c.fprem();
                c.fprem1();
            }

            c.fxtract();
            c.fbstp(__[Area + 0x20]);
            c.mov(eax, __dword_ptr[Area + 0x20]);
            a.Fold();
        });
    }

    private static void Denormals(AttackCode a)
    {
        var c = a.C;
        Reset(a);
        c.mov(eax, 3);
        c.movd(xmm0, eax);
        c.pshufd(xmm0, xmm0, 0);
        c.movaps(xmm1, xmm0);
        c.paddd(xmm1, xmm0);
        a.Forever(() =>
        {
            for (var i = 0; i < 8; i++)
            {
                c.movaps(xmm2, xmm0);
                c.divps(xmm2, xmm1);
                c.sqrtps(xmm3, xmm0);
                c.mulps(xmm3, xmm1);
                c.movaps(xmm4, xmm0);
                c.divpd(xmm4, xmm1);
                c.sqrtpd(xmm5, xmm4);
                c.addpd(xmm5, xmm1);
                c.paddd(xmm1, xmm0);
            }
        });
    }

    private static void Divisions(AttackCode a)
    {
        a.LongForever(
            l => l.mov(rbx, 0x8000_0000_0000_0001UL),
            l =>
            {
                for (var i = 0; i < 8; i++)
                {
                    l.mov(rdx, 0x7FFF_FFFF_FFFF_FFFFUL);
                    l.mov(rax, 0xFFFF_FFFF_FFFF_FFFFUL);
                    l.div(rbx);
                    l.imul(rax, rbx);
                    l.cqo();
                    l.idiv(rbx);
                    l.or(rbx, 1);
                    l.ror(rbx, 1);
                    l.bts(rbx, 63);
                }

                l.xor(ecx, ecx);
                l.div(rcx);
            });
    }

    private static void Reset(AttackCode a)
    {
        a.C.mov(__dword_ptr[Area + 0x300], Masked);
        a.C.ldmxcsr(__dword_ptr[Area + 0x300]);
        a.C.fninit();
    }
}
