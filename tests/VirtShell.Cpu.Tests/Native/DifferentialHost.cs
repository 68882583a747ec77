using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>Wraps one instruction in native code that loads every register from the shared memory and stores them behind it.</summary>
internal static class DifferentialHost
{
    private const int SavedStack = DifferentialMemory.SavedOffset;
    private const int SavedMxcsr = DifferentialMemory.SavedOffset + 8;

    private static readonly AssemblerRegister64[] s_general =
        [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15];

    private static readonly AssemblerRegister64[] s_kept = [rbx, rbp, r12, r13, r14, r15];

    private static readonly AssemblerRegisterYMM[] s_vectors =
        [ymm0, ymm1, ymm2, ymm3, ymm4, ymm5, ymm6, ymm7, ymm8, ymm9, ymm10, ymm11, ymm12, ymm13, ymm14, ymm15];

    public static NativeCode Wrap(byte[] instruction) => NativeCode.Assemble(c =>
    {
        foreach (AssemblerRegister64 register in s_kept)
        {
            c.push(register);
        }

        c.mov(rax, NativeCode.Argument);
        c.mov(__[rax + SavedStack], rsp);
        c.stmxcsr(__[rax + SavedMxcsr]);
        for (int i = 0; i < 16; i++)
        {
            c.vmovups(s_vectors[i], __[rax + RegisterImage.YmmOffset + (32 * i)]);
        }

        c.ldmxcsr(__[rax + RegisterImage.MxcsrOffset]);
        c.push(__qword_ptr[rax + RegisterImage.FlagsOffset]);
        c.popfq();
        for (int i = 1; i < 16; i++)
        {
            c.mov(s_general[i], __[rax + (8 * i)]);
        }

        c.mov(rax, __[rax]);
        c.db(instruction);

        // MOV keeps the flags; the absolute address of RAX's place fits no other form.
        ulong after = DifferentialMemory.Address + DifferentialMemory.AfterOffset;
        byte[] storeRax = [0x48, 0xA3, .. System.BitConverter.GetBytes(after)];
        c.db(storeRax);
        c.mov(rax, DifferentialMemory.Address);
        for (int i = 1; i < 16; i++)
        {
            c.mov(__[rax + DifferentialMemory.AfterOffset + (8 * i)], s_general[i]);
        }

        c.mov(rsp, __[rax + SavedStack]);
        c.pushfq();
        c.pop(__qword_ptr[rax + DifferentialMemory.AfterOffset + RegisterImage.FlagsOffset]);
        c.cld();
        c.stmxcsr(__[rax + DifferentialMemory.AfterOffset + RegisterImage.MxcsrOffset]);
        for (int i = 0; i < 16; i++)
        {
            c.vmovups(__[rax + DifferentialMemory.AfterOffset + RegisterImage.YmmOffset + (32 * i)], s_vectors[i]);
        }

        c.vzeroupper();
        c.ldmxcsr(__[rax + SavedMxcsr]);
        for (int i = s_kept.Length - 1; i >= 0; i--)
        {
            c.pop(s_kept[i]);
        }
    });
}
