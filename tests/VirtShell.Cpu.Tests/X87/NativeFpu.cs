using VirtShell.Cpu.Tests.Native;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.X87;

/// <summary>Runs one instruction on the host between loading and storing an <see cref="FpuBlock"/>.</summary>
internal static class NativeFpu
{
    public static NativeCode Wrap(byte[] instruction) => NativeCode.Assemble(c =>
    {
        c.push(rbx);
        c.push(rdi);
        c.mov(rbx, NativeCode.Argument);
        c.lea(rdi, __[rbx + FpuBlock.MemoryOffset]);
        c.movups(xmm1, __[rbx + FpuBlock.VectorBeforeOffset]);
        c.frstor(__[rbx]);
        c.push(__qword_ptr[rbx + FpuBlock.FlagsBeforeOffset]);
        c.popfq();
        c.mov(rax, __[rbx + FpuBlock.RegistersBeforeOffset]);
        c.mov(rcx, __[rbx + FpuBlock.RegistersBeforeOffset + 8]);
        c.db(instruction);
        c.mov(__[rbx + FpuBlock.RegistersAfterOffset], rax);
        c.mov(__[rbx + FpuBlock.RegistersAfterOffset + 8], rcx);
        c.pushfq();
        c.pop(__qword_ptr[rbx + FpuBlock.FlagsAfterOffset]);
        c.fnsave(__[rbx + FpuBlock.AfterOffset]);
        c.movups(__[rbx + FpuBlock.VectorAfterOffset], xmm1);
        c.pop(rdi);
        c.pop(rbx);
    });
}
