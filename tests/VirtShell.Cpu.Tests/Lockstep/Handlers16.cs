using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Exception handlers of real mode: they count, and go on behind the instruction that faulted.</summary>
internal static class Handlers16
{
    private const int Vector = 16;
    private const int Ip = 18;
    private const int Cs = 20;
    private const int FlagImage = 22;

    /// <summary>The part that all stubs jump to.</summary>
    public static void Common(Assembler c)
    {
        Label done = c.CreateLabel();
        Label debug = c.CreateLabel();
        Label skip = c.CreateLabel();
        Label restart = c.CreateLabel();
        Label unavailable = c.CreateLabel();
        c.push(eax);
        c.push(ecx);
        c.push(edx);
        c.push(ds);
        c.push(bp);
        c.mov(bp, sp);
        c.xor(ax, ax);
        c.mov(ds, ax);
        c.movzx(eax, __word_ptr[bp + Vector]);
        c.inc(__dword_ptr[(eax * 4) + (int)Layout.Counters]);
        c.cmp(ax, 32);
        c.jae(done);
        c.cmp(ax, 1);
        c.je(debug);
        c.test(ax, ax);
        c.je(skip);
        c.cmp(ax, 5);
        c.jb(done);
        c.cmp(ax, 7);
        c.je(unavailable);
        c.cmp(ax, 16);
        c.jne(skip);
        c.fnclex();
        c.Label(ref skip);
        c.movzx(ecx, __word_ptr[bp + Ip]);
        c.movzx(edx, __word_ptr[bp + Cs]);
        c.shl(edx, 4);
        c.add(ecx, edx);
        c.sub(ecx, (int)Layout.Code);
        c.cmp(ecx, Layout.LengthBytes);
        c.jae(restart);
        c.mov(eax, ecx);
        c.shr(eax, 4);
        c.add(ax, unchecked((short)(Layout.Lengths >> 4)));
        c.mov(ds, ax);
        c.and(ecx, 15);
        c.movzx(edx, __byte_ptr[ecx]);
        c.test(dx, dx);
        c.je(restart);
        c.add(__word_ptr[bp + Ip], dx);
        c.Label(ref done);
        c.pop(bp);
        c.pop(ds);
        c.pop(edx);
        c.pop(ecx);
        c.pop(eax);
        c.add(sp, 2);
        c.iret();
        c.Label(ref debug);
        c.xor(ecx, ecx);
        c.mov(dr6, ecx);
        c.inc(__dword_ptr[(int)Layout.StepCounter]);
        c.test(__byte_ptr[(int)Layout.StepCounter], 3);
        c.jne(done);
        c.and(__word_ptr[bp + FlagImage], ~0x100);
        c.mov(dr7, ecx);
        c.jmp(done);
        c.Label(ref unavailable);
        c.clts();
        c.jmp(done);
        c.Label(ref restart);
        c.xor(ax, ax);
        c.mov(ds, ax);
        c.inc(__dword_ptr[(int)Layout.RestartCounter]);
        c.cld();
        c.mov(ax, (short)((int)Layout.Stack >> 4));
        c.mov(ss, ax);
        c.mov(esp, Layout.StackTop);
        c.push(0x202);
        c.popf();
        c.db(0xEA, 0, 0, (byte)(Layout.Code >> 4 & 0xFF), (byte)(Layout.Code >> 12));
    }

    public static void Enter(Assembler c)
    {
        c.pushad();
        c.push(ds);
        c.push(es);
    }

    public static void Leave(Assembler c)
    {
        c.pop(es);
        c.pop(ds);
        c.popad();
        c.iret();
    }
}
