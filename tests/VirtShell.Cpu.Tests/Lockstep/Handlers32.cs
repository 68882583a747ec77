using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Exception handlers of a 32-bit kernel: they count, repair what they can, and go on behind the instruction that faulted.</summary>
internal static class Handlers32
{
    private const int Vector = 20;
    private const int Error = 24;
    private const int Eip = 28;
    private const int Cs = 32;
    private const int Eflags = 36;

    /// <summary>The part that all stubs jump to.</summary>
    public static void Common(Assembler c, ModeInfo mode, ulong[] demandEntries, int entryBytes, uint flags)
    {
        Label done = c.CreateLabel();
        Label debug = c.CreateLabel();
        Label look = c.CreateLabel();
        Label protectedCode = c.CreateLabel();
        Label program = c.CreateLabel();
        Label task = c.CreateLabel();
        Label restart = c.CreateLabel();
        Label skip = c.CreateLabel();
        Label notMath = c.CreateLabel();
        Label unavailable = c.CreateLabel();
        c.push(eax);
        c.push(ecx);
        c.push(edx);
        c.push(ds);
        c.push(es);
        c.mov(eax, Layout.Data0);
        c.mov(ds, ax);
        c.mov(es, ax);
        c.mov(eax, __dword_ptr[esp + Vector]);
        c.inc(__dword_ptr[(eax * 4) + (int)Layout.Counters]);
        c.cmp(eax, 32);
        c.jae(done);
        c.cmp(eax, 1);
        c.je(debug);
        c.test(eax, eax);
        c.je(skip);
        c.cmp(eax, 5);
        c.jb(done);
        c.cmp(eax, 7);
        c.je(unavailable);
        c.cmp(eax, 16);
        c.jne(notMath);
        c.fnclex();
        c.Label(ref notMath);
        c.cmp(eax, 14);
        c.jne(skip);
        c.test(__dword_ptr[esp + Error], 1);
        c.jne(skip);
        c.mov(ecx, cr2);
        c.sub(ecx, (int)Layout.DemandWindow);
        c.cmp(ecx, 0x10000);
        c.jae(skip);
        c.shr(ecx, 12);
        foreach (ulong entry in demandEntries)
        {
            c.or(entryBytes == 8 ? __byte_ptr[(ecx * 8) + (int)entry] : __byte_ptr[(ecx * 4) + (int)entry], 1);
        }

        c.jmp(done);
        c.Label(ref skip);
        c.mov(ecx, __dword_ptr[esp + Eip]);
        c.mov(edx, __dword_ptr[esp + Cs]);
        c.test(__dword_ptr[esp + Eflags], (int)Flags.Virtual8086);
        c.je(protectedCode);
        c.movzx(edx, dx);
        c.shl(edx, 4);
        c.add(ecx, edx);
        c.jmp(look);
        c.Label(ref protectedCode);
        c.and(edx, 0xFFFC);
        c.cmp(edx, Layout.ProgramCode);
        c.je(program);
        c.cmp(edx, Layout.LocalCode);
        c.je(program);
        c.cmp(edx, Layout.TaskCode);
        c.jne(look);
        c.add(ecx, (int)(Layout.Services - Layout.Code));
        c.jmp(task);
        c.Label(ref program);
        c.add(ecx, (int)mode.CodeBase);
        c.Label(ref look);
        c.sub(ecx, (int)Layout.Code);
        c.Label(ref task);
        c.cmp(ecx, Layout.LengthBytes);
        c.jae(restart);
        c.movzx(edx, __byte_ptr[ecx + (int)Layout.Lengths]);
        c.test(edx, edx);
        c.je(restart);
        c.add(__dword_ptr[esp + Eip], edx);
        c.Label(ref done);
        c.pop(es);
        c.pop(ds);
        c.pop(edx);
        c.pop(ecx);
        c.pop(eax);
        c.add(esp, 8);
        c.iretd();
        c.Label(ref debug);
        c.or(__dword_ptr[esp + Eflags], 0x10000);
        c.xor(ecx, ecx);
        c.mov(dr6, ecx);
        c.inc(__dword_ptr[(int)Layout.StepCounter]);
        c.test(__byte_ptr[(int)Layout.StepCounter], 7);
        c.jne(done);
        c.and(__dword_ptr[esp + Eflags], ~0x100);
        c.mov(dr7, ecx);
        c.jmp(done);
        c.Label(ref unavailable);
        c.clts();
        c.jmp(done);
        c.Label(ref restart);
        c.inc(__dword_ptr[(int)Layout.RestartCounter]);
        Restart(c, mode, flags);
    }

    public static void Enter(Assembler c)
    {
        c.pushad();
        c.push(ds);
        c.push(es);
        c.mov(eax, Layout.Data0);
        c.mov(ds, ax);
        c.mov(es, ax);
    }

    public static void Leave(Assembler c, bool iret)
    {
        c.pop(es);
        c.pop(ds);
        c.popad();
        if (iret)
        {
            c.iretd();
        }
    }

    private static void Restart(Assembler c, ModeInfo mode, uint flags)
    {
        int top = (int)(Layout.Stack + Layout.StackTop - mode.StackBase);
        c.cld();

        // Whatever task it was: none is busy, and the program's runs.
        foreach (ushort tss in new[] { Layout.TssSelector, Layout.Task32Selector, Layout.Task16Selector })
        {
            c.and(__byte_ptr[(int)Layout.Gdt + tss + 5], unchecked((sbyte)0xFD));
        }

        c.mov(eax, Layout.TssSelector);
        c.ltr(ax);
        if (mode.Cpl == 0)
        {
            c.mov(eax, Layout.ProgramStack);
            c.mov(ss, ax);
            c.mov(esp, top);
        }
        else
        {
            c.mov(eax, Layout.Data0);
            c.mov(ss, ax);
            c.mov(esp, (int)Layout.KernelStack);
            if (mode.IsVirtual)
            {
                c.push((int)Layout.Code >> 4);
                c.push((int)Layout.Mmio >> 4);
                c.push((int)Layout.Data >> 4);
                c.push((int)Layout.Data >> 4);
                c.push((int)Layout.Stack >> 4);
            }
            else
            {
                c.push(Layout.ProgramStack | 3);
            }

            c.push(top);
        }

        c.push((int)flags);
        c.push(mode.IsVirtual ? (int)Layout.Code >> 4 : mode.Cpl == 0 ? Layout.ProgramCode : Layout.ProgramCode | 3);
        c.push((int)(Layout.Code - mode.CodeBase));
        c.iretd();
    }
}
