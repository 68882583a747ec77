using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>Tasks, gates and privilege levels, changed without end.</summary>
internal static class TaskAttacks
{
    private const uint Descriptors = AttackLayout.Work;
    private const uint OtherTss = AttackLayout.Work + 0x1000;
    private const uint UserStack = AttackLayout.Work + 0x4000;
    private const int OtherTask = 0x38;
    private const int Gate = 0x40;
    private const int UserVector = 0x80;
    private const int VirtualMode = 0x2_0002;

    public static readonly Attack[] All =
    [
        new("task-switch", "Two tasks that jump to each other", AttackEnd.Never, Switch),
        new("task-call", "Tasks called, and returned from by IRET", AttackEnd.Never, CallTask),
        new("task-random", "Task segments of random bytes", AttackEnd.Any, RandomTasks),
        new("task-gates", "Call gates with parameters, from ring 3 to ring 0 and back", AttackEnd.Never, CallGates),
        new("ring-interrupt", "Ring 3 entered by IRET and left by an interrupt", AttackEnd.Never, RingByInterrupt),
        new("ring-syscall", "SYSENTER, SYSEXIT and SYSCALL to addresses of every kind", AttackEnd.Never, SystemCalls),
        new("ring-virtual", "Virtual-8086 mode entered, with ports and interrupts in it", AttackEnd.Never, Virtual8086) { IsHeavy = true },
    ];

    private static void Switch(AttackCode a)
    {
        var c = a.C;
        var other = a.Code.NewSpot();
        var loop = a.Code.NewSpot();
        Prepare(a, other);
        a.Code.Place(loop);
        JumpTo(a, OtherTask);
        c.inc(__dword_ptr[AttackLayout.Faults]);
        c.jmp(loop.Label);
        a.Code.Place(other);
        JumpTo(a, Layout.TssSelector);
        c.inc(__dword_ptr[AttackLayout.Interrupts]);
        c.jmp(other.Label);
    }

    private static void CallTask(AttackCode a)
    {
        var c = a.C;
        var other = a.Code.NewSpot();
        var loop = a.Code.NewSpot();
        Prepare(a, other);
        c.mov(__word_ptr[AttackLayout.Pointer + 4], OtherTask);
        a.Code.Place(loop);
        c.call(__fword_ptr[AttackLayout.Pointer]);
        c.jmp(loop.Label);
        a.Code.Place(other);
        c.iretd();
        c.jmp(other.Label);
    }

    private static void RandomTasks(AttackCode a)
    {
        var c = a.C;
        var other = a.Code.NewSpot();
        Prepare(a, other);
        a.Forever(() =>
        {
            a.FillRandom(OtherTss + 0x20, 18);

            // Good code, so that it is the rest that fails; never paging's tables at random.
            c.mov(__dword_ptr[OtherTss + 0x1C], 0);
            c.mov(eax, a.Code.AddressOf(other));
            c.mov(__dword_ptr[OtherTss + 0x20], eax);
            c.and(__dword_ptr[OtherTss + 0x24], ~0x2_0100);
            c.mov(__dword_ptr[OtherTss + 0x4C], (int)Layout.CodeSelector);
            c.mov(__dword_ptr[Descriptors + OtherTask + 4], (OtherTss & 0xFF00_0000) | 0x8900 | ((OtherTss >> 16) & 0xFF));
            c.mov(__dword_ptr[Descriptors + Layout.TssSelector + 4], 0x8900 | (Layout.Tss >> 16));
            c.mov(eax, (int)Layout.TssSelector);
            c.ltr(ax);
            a.Guarded(() => JumpTo(a, OtherTask));
            a.Guarded(() =>
            {
                a.Code.Place(other);
                c.ud2();
            });

            // The busy bit of the task that a fault was taken in may be anywhere.
            c.mov(__dword_ptr[Descriptors + Layout.TssSelector + 4], 0x8900 | (Layout.Tss >> 16));
            c.mov(eax, (int)Layout.TssSelector);
            c.ltr(ax);
        });
    }

    private static void CallGates(AttackCode a)
    {
        var c = a.C;
        var target = a.Code.NewSpot();
        var user = a.Code.NewSpot();
        CopyDescriptors(a);

        // 32-bit gates of DPL 3 with 0 and with 31 parameters.
        foreach (var (selector, parameters) in (ReadOnlySpan<(uint, uint)>)[(Gate, 0), (Gate + 8, 31)])
        {
            c.mov(eax, a.Code.AddressOf(target));
            c.mov(ebx, eax);
            c.and(eax, 0xFFFF);
            c.or(eax, Layout.CodeSelector << 16);
            c.mov(__dword_ptr[Descriptors + selector], eax);
            c.and(ebx, unchecked((int)0xFFFF_0000));
            c.or(ebx, 0xEC00 | (int)parameters);
            c.mov(__dword_ptr[Descriptors + selector + 4], ebx);
        }

        a.Guarded(() => { });
        EnterUser(a, user);
        a.Code.Place(user);
        foreach (var selector in (ReadOnlySpan<int>)[Gate, Gate + 8])
        {
            c.push(selector);
            c.push(0);
            c.call(__fword_ptr[esp]);
            c.mov(esp, unchecked((int)UserStack));
        }

        c.jmp(user.Label);
        a.Code.Place(target);
        c.retf();
    }

    private static void RingByInterrupt(AttackCode a)
    {
        var c = a.C;
        var user = a.Code.NewSpot();
        AllowUserVector(a);
        a.Forever(() =>
        {
            a.Guarded(() =>
            {
                EnterUser(a, user);
                a.Code.Place(user);
                c.@int(UserVector);
                c.@int(UserVector);
                c.inc(ebx);
                c.cli();
            });
        });
    }

    private static void SystemCalls(AttackCode a)
    {
        var c = a.C;
        var user = a.Code.NewSpot();
        var kernel = a.Code.NewSpot();
        foreach (var (number, value) in (ReadOnlySpan<(uint, uint)>)[(0x174, Layout.CodeSelector), (0x175, Layout.StackTop)])
        {
            a.WriteMsr(number, value);
        }

        c.mov(ecx, 0x176);
        c.mov(eax, a.Code.AddressOf(kernel));
        c.xor(edx, edx);
        c.wrmsr();
        a.Forever(() =>
        {
            a.Guarded(() =>
            {
                EnterUser(a, user);
                a.Code.Place(user);
                c.sysenter();
            });
            a.Guarded(() =>
            {
                a.Code.Place(kernel);
                c.mov(edx, 0xFFFF_FFFF);
                c.mov(ecx, UserStack);
                c.sysexit();
            });
            a.Guarded(c.syscall);
            foreach (var value in (ReadOnlySpan<uint>)[0xC000_0081, 0xC000_0082, 0xC000_0083, 0xC000_0084, 0xC000_0102])
            {
                a.Guarded(() =>
                {
                    a.Random();
                    c.mov(ecx, value);
                    c.wrmsr();
                });
            }

            a.Guarded(() => a.WriteMsr(0xC000_0082, 0, 0x8000_0000));
        });
    }

    private static void Virtual8086(AttackCode a)
    {
        const uint Stub = 0x8000;
        var c = a.C;

        // in al, 71h; out 80h, al; sti; cli; pushf; popf; int 21h; hlt, each of which faults where IOPL or the bitmap say so.
        a.Plant(Stub, 0xE4, 0x71, 0xE6, 0x80, 0xFB, 0xFA, 0x9C, 0x9D, 0xCD, 0x21, 0xF4);
        a.Forever(() =>
        {
            foreach (var level in (ReadOnlySpan<int>)[0, 3])
            {
                foreach (var start in (ReadOnlySpan<int>)[0, 4, 6, 8, 10, 0x1000])
                {
                    a.Guarded(() =>
                    {
                        for (var segment = 0; segment < 4; segment++)
                        {
                            c.push(0x800);
                        }

                        c.push(0x800);
                        c.push(0xFFFE);
                        c.push(VirtualMode | (level << 12));
                        c.push(0x800);
                        c.push(start);
                        c.iretd();
                    });
                }
            }

            a.Guarded(() =>
            {
                c.mov(eax, cr4);
                c.xor(eax, 1);
                c.mov(cr4, eax);
            });
        });
    }

    private static void AllowUserVector(AttackCode a) => a.C.or(__dword_ptr[Layout.Idt + (UserVector * 8) + 4], 0x6000);

    /// <summary>IRET to ring 3 with a stack of its own.</summary>
    private static void EnterUser(AttackCode a, Spot user)
    {
        var c = a.C;
        c.push((int)Layout.UserDataSelector);
        c.push(unchecked((int)UserStack));
        c.push(2);
        c.push((int)Layout.UserCodeSelector);
        c.mov(eax, a.Code.AddressOf(user));
        c.push(eax);
        c.mov(eax, (int)Layout.UserDataSelector);
        c.mov(ds, ax);
        c.mov(es, ax);
        c.iretd();
    }

    /// <summary>A second task: flat, with a stack of its own, starting at a spot.</summary>
    private static void Prepare(AttackCode a, Spot start)
    {
        var c = a.C;
        CopyDescriptors(a);
        c.mov(__dword_ptr[Descriptors + OtherTask], (OtherTss << 16) | (Layout.TssSize - 1));
        c.mov(__dword_ptr[Descriptors + OtherTask + 4], (OtherTss & 0xFF00_0000) | 0x8900 | ((OtherTss >> 16) & 0xFF));
        c.mov(eax, a.Code.AddressOf(start));
        c.mov(__dword_ptr[OtherTss + 0x20], eax);
        c.mov(__dword_ptr[OtherTss + 0x24], 2);
        c.mov(__dword_ptr[OtherTss + 0x38], UserStack);
        for (var segment = 0x48u; segment < 0x60; segment += 4)
        {
            c.mov(__dword_ptr[OtherTss + segment], segment == 0x4C ? (int)Layout.CodeSelector : (int)Layout.DataSelector);
        }

        c.mov(__dword_ptr[OtherTss + 0x64], Layout.TssSize << 16);
    }

    private static void JumpTo(AttackCode a, int selector)
    {
        a.C.mov(__word_ptr[AttackLayout.Pointer + 4], (short)selector);
        a.C.jmp(__fword_ptr[AttackLayout.Pointer]);
    }

    private static void CopyDescriptors(AttackCode a)
    {
        var c = a.C;
        c.sgdt(__[AttackLayout.Pointer]);
        c.mov(esi, __dword_ptr[AttackLayout.Pointer + 2]);
        c.mov(edi, Descriptors);
        c.mov(ecx, 14);
        c.cld();
        c.rep.movsd();
        a.Code.LoadTable(Descriptors, 0x4F, isIdt: false);
        c.mov(__dword_ptr[AttackLayout.Pointer], 0);
    }
}
