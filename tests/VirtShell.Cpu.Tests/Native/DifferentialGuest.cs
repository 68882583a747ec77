using System;
using System.Runtime.CompilerServices;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>A guest processor in 64-bit mode that maps the window where the host has it, and nothing else but its code.</summary>
internal sealed unsafe class DifferentialGuest : IDisposable
{
    private const ulong CodeAddress = 0x6000_0000;
    private const ulong Pml4 = 0x1000;
    private const ulong Pdpt = 0x2000;
    private const ulong Directory = 0x3000;
    private const ulong WindowTable = 0x4000;
    private const ulong WindowPhysical = 0x10_0000;
    private const ulong CodePhysical = 0x20_0000;
    private const int CodeSize = 0x20_0000;
    private const byte Halt = 0xF4;

    private readonly PhysicalMemory _memory = new(4 << 20);
    private readonly Vcpu _vcpu;
    private ulong _next;

    public DifferentialGuest()
    {
        _memory.WriteUInt64(Pml4, Pdpt | 7);
        _memory.WriteUInt64(Pdpt + 8, Directory | 7);
        int window = (int)((DifferentialMemory.Address - 0x4000_0000) >> 21);
        _memory.WriteUInt64(Directory + (ulong)(window * 8), WindowTable | 7);
        _memory.WriteUInt64(Directory + (((CodeAddress - 0x4000_0000) >> 21) * 8), CodePhysical | 0x87);
        for (int i = 0; i < DifferentialMemory.Size / 4096; i++)
        {
            _memory.WriteUInt64(WindowTable + (ulong)(i * 8), (WindowPhysical + (ulong)(i * 4096)) | 7);
        }

        _vcpu = new Vcpu(_memory, new IdleBus(), CpuModel.X86_64_V3, engine: TestEngine.Kind) { TranslationThreshold = 1 };
        Enter();
    }

    public CpuState* State => _vcpu.State;

    /// <summary>Puts an instruction where none was before; gives its address.</summary>
    public ulong Place(byte[] instruction)
    {
        ulong at = _next;
        _next += 32;
        if (_next > CodeSize)
        {
            throw new InvalidOperationException("The code area is full.");
        }

        _memory.Write(CodePhysical + at, instruction);
        _memory.Write(CodePhysical + at + (ulong)instruction.Length, [Halt]);
        return CodeAddress + at;
    }

    /// <summary>Runs one instruction; false where it faults.</summary>
    public bool Run(ulong rip, RegisterImage* before, byte* window, RegisterImage* after, byte* windowAfter)
    {
        CpuState* s = State;
        s->Rip = rip;
        for (int i = 0; i < 16; i++)
        {
            s->Gpr[i] = before->Gpr[i];
            Unsafe.CopyBlock(CpuState.Vector(s, i), before->Ymm + (i * 32), 32);
        }

        s->Mxcsr = before->Mxcsr;
        Flags.Set(s, (uint)before->Flags, Flags.Status | Flags.Direction);
        _memory.Write(WindowPhysical + DifferentialMemory.WindowOffset, new ReadOnlySpan<byte>(window, DifferentialMemory.WindowSize));
        ExitReason reason = _vcpu.Run(1);
        for (int i = 0; i < 16; i++)
        {
            after->Gpr[i] = s->Gpr[i];
            Unsafe.CopyBlock(after->Ymm + (i * 32), CpuState.Vector(s, i), 32);
        }

        after->Mxcsr = s->Mxcsr;
        after->Flags = Flags.Get(s);
        _memory.Read(WindowPhysical + DifferentialMemory.WindowOffset, new Span<byte>(windowAfter, DifferentialMemory.WindowSize));
        if (reason == ExitReason.BudgetSpent)
        {
            return true;
        }

        Enter();
        return false;
    }

    public void Dispose()
    {
        _vcpu.Dispose();
        _memory.Dispose();
    }

    private void Enter()
    {
        _vcpu.EnterLong64(CodeAddress, Pml4, 0x33, 0x2B, 0, 0);
        CpuState* s = State;
        s->Cr0 |= ControlBits.Cr0NumericError;
        s->Cr4 |= ControlBits.Cr4Osfxsr | ControlBits.Cr4Osxsave | ControlBits.Cr4Osxmmexcpt;
        s->Xcr0 = 7;
    }
}
