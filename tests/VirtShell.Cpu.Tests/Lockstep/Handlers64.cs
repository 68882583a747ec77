using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Exception handlers of a 64-bit kernel: they count, repair what they can, and go on behind the instruction that faulted.</summary>
internal static class Handlers64
{
    private const int Vector = 24;
    private const int Error = 32;
    private const int Rip = 40;
    private const int Cs = 48;
    private const int Rflags = 56;

    /// <summary>The part that all stubs jump to.</summary>
    public static void Common(Assembler c, ModeInfo mode, ulong[] demandEntries, uint flags)
    {
        Label done = c.CreateLabel();
        Label debug = c.CreateLabel();
        Label look = c.CreateLabel();
        Label program = c.CreateLabel();
        Label restart = c.CreateLabel();
        Label skip = c.CreateLabel();
        Label notMath = c.CreateLabel();
        Label unavailable = c.CreateLabel();
        c.push(rax);
        c.push(rcx);
        c.push(rdx);
        c.mov(eax, __dword_ptr[rsp + Vector]);
        c.inc(__dword_ptr[(rax * 4) + (int)Layout.Counters]);
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
        c.test(__dword_ptr[rsp + Error], 1);
        c.jne(skip);
        c.mov(rcx, cr2);
        c.sub(rcx, (int)Layout.DemandWindow);
        c.cmp(rcx, 0x10000);
        c.jae(skip);
        c.shr(ecx, 12);
        foreach (ulong entry in demandEntries)
        {
            c.or(__byte_ptr[(rcx * 8) + (int)entry], 1);
        }

        c.jmp(done);
        c.Label(ref skip);
        c.mov(rcx, __qword_ptr[rsp + Rip]);
        c.mov(edx, __dword_ptr[rsp + Cs]);
        c.and(edx, 0xFFFC);
        c.cmp(edx, Layout.ProgramCode);
        c.je(program);
        c.cmp(edx, Layout.LocalCode);
        c.jne(look);
        c.Label(ref program);
        c.add(rcx, (int)mode.CodeBase);
        c.Label(ref look);
        c.sub(rcx, (int)Layout.Code);
        c.cmp(rcx, Layout.LengthBytes);
        c.jae(restart);
        c.movzx(edx, __byte_ptr[rcx + (int)Layout.Lengths]);
        c.test(edx, edx);
        c.je(restart);
        c.add(__qword_ptr[rsp + Rip], rdx);
        c.Label(ref done);
        c.pop(rdx);
        c.pop(rcx);
        c.pop(rax);
        c.add(rsp, 16);
        c.iretq();
        c.Label(ref debug);
        c.or(__dword_ptr[rsp + Rflags], 0x10000);
        c.xor(ecx, ecx);
        c.mov(dr6, rcx);
        c.inc(__dword_ptr[(int)Layout.StepCounter]);
        c.test(__byte_ptr[(int)Layout.StepCounter], 7);
        c.jne(done);
        c.and(__dword_ptr[rsp + Rflags], ~0x100);
        c.mov(dr7, rcx);
        c.jmp(done);
        c.Label(ref unavailable);
        c.clts();
        c.jmp(done);
        c.Label(ref restart);
        c.inc(__dword_ptr[(int)Layout.RestartCounter]);
        c.cld();
        c.mov(esp, (uint)Layout.KernelStack);
        c.push(mode.Cpl == 0 ? Layout.Data0 : Layout.ProgramStack | 3);
        c.push((int)(Layout.Stack + Layout.StackTop - mode.StackBase));
        c.push((int)flags);
        c.push(mode.Cpl == 0 ? Layout.ProgramCode : Layout.ProgramCode | 3);
        c.push((int)(Layout.Code - mode.CodeBase));
        c.iretq();
    }

    /// <summary>Saves and restores everything around a service; the body stands between the two.</summary>
    public static void Enter(Assembler c)
    {
        foreach (AssemblerRegister64 register in s_saved)
        {
            c.push(register);
        }
    }

    public static void Leave(Assembler c, bool iret)
    {
        for (int i = s_saved.Length - 1; i >= 0; i--)
        {
            c.pop(s_saved[i]);
        }

        if (iret)
        {
            c.iretq();
        }
    }

    private static readonly AssemblerRegister64[] s_saved = [rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15];
}
