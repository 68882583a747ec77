using System;
using System.Runtime.CompilerServices;
using VirtShell.Cpu.Memory;
using VirtShell.Cpu.Numerics;
using VirtShell.Cpu.Tests.Native;
using VirtShell.Cpu.Tests.Numerics;

namespace VirtShell.Cpu.Tests.X87;

/// <summary>Runs one instruction at a time in the interpreter, 64-bit mode, between loading and storing an <see cref="FpuBlock"/>.</summary>
internal sealed unsafe class InterpretedFpu : IDisposable
{
    public const ulong CodeAddress = 0x10000;
    public const ulong BlockAddress = 0x20000;
    private const ulong Pml4 = 0x1000;
    private const ulong Pdpt = 0x2000;
    private const ulong Directory = 0x3000;
    private const ushort FullTagEmpty = 3;

    private readonly PhysicalMemory _memory = new(4 << 20);

    public InterpretedFpu(byte[] instruction)
    {
        _memory.WriteUInt64(Pml4, Pdpt | 3);
        _memory.WriteUInt64(Pdpt, Directory | 3);
        _memory.WriteUInt64(Directory, 0x83);
        _memory.WriteUInt64(Directory + 8, 0x20_0083);
        Bus = new IdleBus();
        Processor = new Vcpu(_memory, Bus, CpuModel.X86_64_V3, engine: TestEngine.Kind) { TranslationThreshold = 1 };
        Processor.EnterLong64(CodeAddress, Pml4, 0x33, 0x2B, 0, 0);
        Processor.State->Cr0 |= ControlBits.Cr0NumericError;
        Processor.State->Cr4 |= ControlBits.Cr4Osfxsr | ControlBits.Cr4Osxsave;
        Processor.State->Xcr0 = 7;
        _memory.Write(CodeAddress, instruction);
    }

    public Vcpu Processor { get; }

    public IdleBus Bus { get; }

    public PhysicalMemory Memory => _memory;

    /// <summary>Loads the block's "before", runs the instruction and stores "after".</summary>
    public ExitReason Run(FpuBlock* block)
    {
        CpuState* s = Processor.State;
        Load(s, block);
        ExitReason reason = Processor.Run(1);
        Store(s, block);
        return reason;
    }

    public void Dispose()
    {
        Processor.Dispose();
        _memory.Dispose();
    }

    private void Load(CpuState* s, FpuBlock* block)
    {
        X87Image* image = &block->Before;
        s->Rip = CodeAddress;
        s->Fcw = image->Control;
        s->Fsw = image->Status;
        int valid = 0;
        for (int i = 0; i < 8; i++)
        {
            valid |= ((image->Tags >> (i * 2)) & FullTagEmpty) != FullTagEmpty ? 1 << i : 0;
            *Register(s, image->Top + i) = image->Stack[i];
        }

        s->FpuValid = (ushort)valid;
        s->Fip = image->InstructionPointer;
        s->Fcs = image->CodeSelector;
        s->Fop = image->Opcode;
        s->Fdp = image->DataPointer;
        s->Fds = image->DataSelector;
        s->Gpr[0] = block->RegistersBefore[0];
        s->Gpr[1] = block->RegistersBefore[1];
        s->Gpr[7] = BlockAddress + FpuBlock.MemoryOffset;
        Flags.SetStatus(s, (uint)block->FlagsBefore);
        Unsafe.CopyBlock(CpuState.Vector(s, 1), block->VectorBefore, 16);
        _memory.Write(BlockAddress + FpuBlock.MemoryOffset, new ReadOnlySpan<byte>(block->Memory, FpuBlock.MemorySize));
    }

    private void Store(CpuState* s, FpuBlock* block)
    {
        X87Image* image = &block->After;
        image->Control = s->Fcw;
        image->Status = s->Fsw;
        int tags = 0;
        for (int i = 0; i < 8; i++)
        {
            Float80* register = Register(s, i);
            int tag = ((s->FpuValid >> i) & 1) == 0 ? FullTagEmpty : register->Class switch
            {
                FloatClass.Normal => 0,
                FloatClass.Zero => 1,
                _ => 2,
            };
            tags |= tag << (i * 2);
            image->Stack[i] = *Register(s, image->Top + i);
        }

        image->Tags = (ushort)tags;
        image->InstructionPointer = (uint)s->Fip;
        image->CodeSelector = s->Fcs;
        image->Opcode = s->Fop;
        image->DataPointer = (uint)s->Fdp;
        image->DataSelector = s->Fds;
        block->RegistersAfter[0] = s->Gpr[0];
        block->RegistersAfter[1] = s->Gpr[1];
        block->FlagsAfter = Flags.Get(s);
        Unsafe.CopyBlock(block->VectorAfter, CpuState.Vector(s, 1), 16);
        _memory.Read(BlockAddress + FpuBlock.MemoryOffset, new Span<byte>(block->Memory, FpuBlock.MemorySize));
    }

    private static Float80* Register(CpuState* s, int number) => (Float80*)((byte*)s->Fpr + ((number & 7) * 16));
}
