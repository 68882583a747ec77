using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using VirtShell.Cpu.Tests.X87;

namespace VirtShell.Cpu.Tests.Simd;

/// <summary>Runs any of a list of instructions in the interpreter between loading and storing a <see cref="VectorBlock"/>.</summary>
internal sealed unsafe class InterpretedVectors : IDisposable
{
    private const int Slot = 16;
    private const byte Halt = 0xF4;
    private readonly InterpretedFpu _machine;

    public InterpretedVectors(IReadOnlyList<byte[]> instructions)
    {
        byte[] code = new byte[(instructions.Count * Slot) + 1];
        Array.Fill(code, Halt);
        for (int i = 0; i < instructions.Count; i++)
        {
            instructions[i].CopyTo(code, i * Slot);
        }

        _machine = new InterpretedFpu(code);
    }

    public CpuState* State => _machine.Processor.State;

    /// <summary>Runs one instruction with RDI at the block's memory, plus <paramref name="offset"/>.</summary>
    public ExitReason Run(int number, VectorBlock* block, ulong offset = 0)
    {
        CpuState* s = State;
        ulong memory = InterpretedFpu.BlockAddress + VectorBlock.MemoryOffset;
        s->Rip = InterpretedFpu.CodeAddress + (ulong)(number * Slot);
        Unsafe.CopyBlock(CpuState.Vector(s, 0), block->VectorsBefore, VectorBlock.VectorWords * 8);
        Unsafe.CopyBlock(s->Gpr, block->RegistersBefore, VectorBlock.RegisterCount * 8);
        s->Gpr[7] = memory + offset;
        Flags.SetStatus(s, (uint)block->FlagsBefore);
        _machine.Memory.Write(memory, new ReadOnlySpan<byte>(block->Memory, VectorBlock.MemorySize));
        ExitReason reason = _machine.Processor.Run(1);
        Unsafe.CopyBlock(block->VectorsAfter, CpuState.Vector(s, 0), VectorBlock.VectorWords * 8);
        Unsafe.CopyBlock(block->RegistersAfter, s->Gpr, VectorBlock.RegisterCount * 8);
        block->FlagsAfter = Flags.Get(s);
        _machine.Memory.Read(memory, new Span<byte>(block->Memory, VectorBlock.MemorySize));
        return reason;
    }

    public void Dispose() => _machine.Dispose();
}
