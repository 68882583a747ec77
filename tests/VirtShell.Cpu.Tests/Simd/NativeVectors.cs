using VirtShell.Cpu.Tests.Native;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Simd;

/// <summary>Runs one instruction on the host between loading and storing a <see cref="VectorBlock"/>. The host needs AVX.</summary>
internal static class NativeVectors
{
    public static NativeCode Wrap(byte[] instruction) => NativeCode.Assemble(c =>
    {
        c.push(rbx);
        c.push(rdi);
        c.mov(rbx, NativeCode.Argument);
        c.lea(rdi, __[rbx + VectorBlock.MemoryOffset]);
        c.vmovdqu(ymm0, __[rbx]);
        c.vmovdqu(ymm1, __[rbx + 32]);
        c.vmovdqu(ymm2, __[rbx + 64]);
        c.push(__qword_ptr[rbx + VectorBlock.FlagsBeforeOffset]);
        c.popfq();
        c.mov(rax, __[rbx + VectorBlock.RegistersBeforeOffset]);
        c.mov(rcx, __[rbx + VectorBlock.RegistersBeforeOffset + 8]);
        c.mov(rdx, __[rbx + VectorBlock.RegistersBeforeOffset + 16]);
        c.db(instruction);
        c.mov(__[rbx + VectorBlock.RegistersAfterOffset], rax);
        c.mov(__[rbx + VectorBlock.RegistersAfterOffset + 8], rcx);
        c.mov(__[rbx + VectorBlock.RegistersAfterOffset + 16], rdx);
        c.pushfq();
        c.pop(__qword_ptr[rbx + VectorBlock.FlagsAfterOffset]);
        c.vmovdqu(__[rbx + VectorBlock.VectorsAfterOffset], ymm0);
        c.vmovdqu(__[rbx + VectorBlock.VectorsAfterOffset + 32], ymm1);
        c.vmovdqu(__[rbx + VectorBlock.VectorsAfterOffset + 64], ymm2);
        c.vzeroupper();
        c.pop(rdi);
        c.pop(rbx);
    });
}
