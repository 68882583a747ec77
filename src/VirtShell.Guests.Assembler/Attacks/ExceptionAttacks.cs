using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>Exceptions without end, and exceptions within exceptions.</summary>
internal static class ExceptionAttacks
{
    private const int TrapFlag = 0x100;
    private const int ResumeFlag = 0x1_0000;

    public static readonly Attack[] All =
    [
        new("fault-division", "Division errors", AttackEnd.Never, a => Storm(a, () =>
        {
            a.C.xor(ecx, ecx);
            a.C.div(ecx);
        })),
        new("fault-opcode", "Invalid opcodes", AttackEnd.Never, a => Storm(a, a.C.ud2)),
        new("fault-protection", "General protection faults of a dozen kinds", AttackEnd.Never, Protection),
        new("fault-page", "Page faults at addresses without end", AttackEnd.Never, Pages),
        new("fault-software", "INT3, INTO, BOUND, INT1 and software interrupts", AttackEnd.Never, Software),
        new("fault-double", "Double faults: a gate that is not there within another one", AttackEnd.Never, Double),
        new("fault-handler", "A handler that faults as it is entered, with a good one behind it", AttackEnd.Never, Handler),
        new("trap-step", "Single steps for ever", AttackEnd.Never, SingleStep),
        new("trap-step-strings", "Single steps through repeated instructions, halts and shadows", AttackEnd.Never, StepStrings),
        new("trap-breakpoints", "Debug registers on the code and data of the loop that sets them", AttackEnd.Never, Breakpoints),
        new("trap-registers", "Random values in every debug register", AttackEnd.Never, DebugRegisters),
    ];

    private static void Storm(AttackCode a, Action fault) => a.Forever(() => a.Guarded(fault));

    private static void Protection(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            foreach (var fault in (ReadOnlySpan<Action>)
            [
                () => { c.mov(eax, 0x1234); c.mov(ds, ax); },
                () => { c.xor(eax, eax); c.mov(ss, ax); },
                () => { c.mov(eax, 0x1234); c.ltr(ax); },
                () => { c.mov(eax, 0x08); c.lldt(ax); },
                () => { c.mov(eax, unchecked((int)0x8000_0000)); c.mov(cr0, eax); },
                () => { c.mov(ecx, 0x1234_5678); c.rdmsr(); },
                () => { c.xor(eax, eax); c.mov(ds, ax); c.mov(eax, __dword_ptr[eax]); },
                () => { c.mov(ecx, 7); c.xor(eax, eax); c.cdq(); c.xsetbv(); },
                () => c.movaps(xmm0, __xmmword_ptr[AttackLayout.Work + 1]),
                () => { c.push(0x1233); c.push(0); c.retf(); },
                () => { c.pushfd(); c.push(0x1233); c.push(0); c.iretd(); },
                () => { c.push(-1); c.push(0x23); c.push(0); c.iretd(); },
            ])
            {
                a.Guarded(fault);
            }
        });
    }

    private static void Pages(AttackCode a)
    {
        a.Paging();
        for (var entry = 2u; entry < 1024; entry += 93)
        {
            a.C.mov(__dword_ptr[AttackLayout.Directory + (entry * 4)], 0);
        }

        a.C.mov(eax, cr3);
        a.C.mov(cr3, eax);
        a.C.xor(ebx, ebx);
        a.Forever(() =>
        {
            a.C.add(ebx, 0x0123_4567);
            a.Guarded(() => a.C.mov(eax, __dword_ptr[ebx]));
            a.Guarded(() => a.C.mov(eax, __dword_ptr[(2u << 22) + 0x1FFF]));
            a.Guarded(() => a.C.add(__dword_ptr[(95u << 22) - 1], eax));
            a.Guarded(() => a.CallTo(2u << 22));
            a.C.mov(eax, cr2);
            a.Fold();
        });
    }

    private static void Software(AttackCode a)
    {
        var c = a.C;
        c.mov(__dword_ptr[AttackLayout.Work], 5);
        c.mov(__dword_ptr[AttackLayout.Work + 4], 6);
        a.Forever(() =>
        {
            a.Guarded(c.int3);
            a.Guarded(c.int1);
            a.Guarded(() =>
            {
                c.mov(al, 0x7F);
                c.add(al, 1);
                c.into();
            });
            a.Guarded(() =>
            {
                c.mov(eax, 9);
                c.bound(eax, __qword_ptr[AttackLayout.Work]);
            });
            for (var vector = 0; vector < 256; vector += 15)
            {
                var number = (byte)vector;
                a.Guarded(() => c.@int(number));
            }
        });
    }

    private static void Double(AttackCode a)
    {
        const uint Missing = 0x13;
        var c = a.C;

        // Vectors 11 and 13 have no gate left: what should go there comes as a double fault.
        foreach (var vector in (ReadOnlySpan<uint>)[0x0B, 0x0D, Missing])
        {
            c.mov(__dword_ptr[Layout.Idt + (vector * 8) + 4], 0);
        }

        a.Forever(() =>
        {
            a.Guarded(() => c.@int((byte)Missing));
            a.Guarded(() =>
            {
                c.mov(eax, 0x1234);
                c.mov(fs, ax);
            });
        });
    }

    private static void Handler(AttackCode a)
    {
        // #DE's gate has a selector that does not exist: #GP while delivering it, which has a handler.
        a.C.mov(__dword_ptr[Layout.Idt], 0x0BA8_0000);
        Storm(a, () =>
        {
            a.C.xor(ecx, ecx);
            a.C.div(ecx);
        });
    }

    private static void SingleStep(AttackCode a)
    {
        var c = a.C;
        var routine = a.Code.NewSpot();
        SetCountingHandler(a);
        c.pushfd();
        c.or(__dword_ptr[esp], TrapFlag);
        c.popfd();
        a.Forever(() =>
        {
            c.inc(ebx);
            c.mov(__dword_ptr[AttackLayout.Work], ebx);
            c.call(routine.Label);
        });
        a.Code.Place(routine);
        c.ret();
    }

    private static void StepStrings(AttackCode a)
    {
        var c = a.C;
        SetCountingHandler(a);
        c.cld();
        c.pushfd();
        c.or(__dword_ptr[esp], TrapFlag);
        c.popfd();
        a.Forever(() =>
        {
            c.mov(edi, AttackLayout.Work);
            c.mov(ecx, 64);
            c.rep.stosd();
            c.mov(esi, AttackLayout.Work);
            c.mov(ecx, 64);
            c.repe.cmpsb();
            c.mov(eax, (int)Layout.DataSelector);
            c.mov(ss, ax);
            c.nop();
            c.pushfd();
            c.popfd();
            c.@int(0x80);
            c.cpuid();
        });
    }

    private static void Breakpoints(AttackCode a)
    {
        const int AllOn = 0x3FF;
        var c = a.C;
        var loop = a.Code.NewSpot();
        SetCountingHandler(a);
        c.mov(eax, a.Code.AddressOf(loop));
        c.mov(dr0, eax);
        c.mov(eax, AttackLayout.Work);
        c.mov(dr1, eax);
        c.add(eax, 4);
        c.mov(dr2, eax);
        c.mov(eax, Layout.StackTop - 8);
        c.mov(dr3, eax);

        // Execution; writes; reads and writes; writes of the stack. All of four bytes but the first.
        c.mov(eax, unchecked((int)(0xDFD0_0000 | AllOn)));
        c.mov(dr7, eax);
        a.Code.Place(loop);
        c.inc(__dword_ptr[AttackLayout.Work]);
        c.mov(eax, __dword_ptr[AttackLayout.Work + 4]);
        c.push(eax);
        c.push(eax);
        c.pop(eax);
        c.pop(eax);
        c.mov(ecx, 4);
        c.mov(esi, AttackLayout.Work);
        c.mov(edi, AttackLayout.Work + 0x10);
        c.cld();
        c.rep.movsd();
        c.mov(eax, dr6);
        a.Fold();
        c.jmp(loop.Label);
    }

    private static void DebugRegisters(AttackCode a)
    {
        var c = a.C;
        SetCountingHandler(a);
        a.Forever(() =>
        {
            foreach (var register in (ReadOnlySpan<Iced.Intel.AssemblerRegisterDR>)[dr0, dr1, dr2, dr3, dr6, dr7, dr4, dr5])
            {
                var debug = register;
                a.Guarded(() =>
                {
                    a.Random();

                    // General detect stays off, or every access faults from then on.
                    c.and(eax, ~0x2000);
                    c.mov(debug, eax);
                });
                a.Guarded(() =>
                {
                    c.mov(eax, debug);
                    a.Fold();
                });
            }

            a.Guarded(() =>
            {
                c.mov(eax, Layout.Load);
                c.mov(dr0, eax);
                c.inc(__dword_ptr[AttackLayout.Work]);
            });
        });
    }

    /// <summary>A handler of #DB that counts and goes on behind a breakpoint.</summary>
    private static void SetCountingHandler(AttackCode a)
    {
        var c = a.C;
        var handler = a.Code.NewSpot();
        var over = a.Code.NewSpot();
        c.jmp(over.Label);
        a.Code.Place(handler);
        c.inc(__dword_ptr[AttackLayout.Faults]);
        c.or(__dword_ptr[esp + 8], ResumeFlag);
        c.iretd();
        a.Code.Place(over);
        a.SetGate(1, handler);
    }
}
