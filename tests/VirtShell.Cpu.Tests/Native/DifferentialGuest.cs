using System;
using System.Runtime.CompilerServices;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>A guest processor in 64-bit mode at CPL 3 that maps the window and the instruction where the host has them, and nothing else.</summary>
internal sealed unsafe class DifferentialGuest : IDisposable
{
    private const ulong Pml4 = 0x1000;
    private const ulong Pdpt = 0x2000;
    private const ulong Directory = 0x3000;
    private const ulong WindowTable = 0x4000;
    private const ulong CodeTable = 0x5000;
    private const ulong WindowPhysical = 0x10_0000;
    private const ulong CodePhysical = 0x20_0000;

    private readonly PhysicalMemory _memory = new(4 << 20);
    private readonly Vcpu _vcpu;

    public DifferentialGuest()
    {
        _memory.WriteUInt64(Pml4, Pdpt | 7);
        _memory.WriteUInt64(Pdpt + 8, Directory | 7);
        Map(DifferentialMemory.Address, WindowTable, WindowPhysical, DifferentialMemory.Size);
        Map(DifferentialMemory.CodeAddress, CodeTable, CodePhysical, DifferentialMemory.CodeSize);
        _vcpu = new Vcpu(_memory, new IdleBus(), CpuModel.X86_64_V3, engine: TestEngine.Kind) { TranslationThreshold = 1, FaultRaised = (vector, _) => Fault = Fault < 0 ? vector : Fault };
        Enter();
    }

    public CpuState* State => _vcpu.State;

    /// <summary>The vector that the last run ended with, or -1.</summary>
    public int Fault { get; private set; }

    /// <summary>Puts an instruction at <see cref="DifferentialMemory.Rip"/>.</summary>
    public void Place(byte[] instruction) => _memory.Write(CodePhysical + (DifferentialMemory.Rip & 0xFFF), instruction);

    /// <summary>Runs it once; gives RIP afterwards.</summary>
    public ulong Run(RegisterImage* before, byte* window, RegisterImage* after, byte* windowAfter, bool narrow)
    {
        CpuState* s = State;
        s->Rip = DifferentialMemory.Rip;
        s->Cs.Selector = narrow ? DifferentialHost.Selector32 : DifferentialHost.Selector64;
        s->Cs.Attributes = (s->Cs.Attributes & ~(SegmentRegister.Big | SegmentRegister.Long)) | (narrow ? SegmentRegister.Big : SegmentRegister.Long);
        s->Ds.Selector = s->Es.Selector = (ushort)(narrow ? s->Ss.Selector : 0);
        for (int i = 0; i < 16; i++)
        {
            s->Gpr[i] = before->Gpr[i];
            Unsafe.CopyBlock(CpuState.Vector(s, i), before->Ymm + (i * 32), 32);
        }

        for (int i = 0; i < 8; i++)
        {
            *Mmx(s, i) = before->Mm[i];
        }

        s->Fsw = 0;
        s->FpuValid = 0xFF;
        s->Mxcsr = before->Mxcsr;
        Flags.Set(s, (uint)before->Flags, Flags.Status | Flags.Direction | Flags.Interrupt | Flags.NestedTask | Flags.AlignmentCheck | Flags.Identification);
        _vcpu.UpdateMode();
        _memory.Write(WindowPhysical + DifferentialMemory.WindowOffset, new ReadOnlySpan<byte>(window, DifferentialMemory.WindowSize));
        Fault = -1;
        ExitReason reason = _vcpu.Run(1);
        for (int i = 0; i < 16; i++)
        {
            after->Gpr[i] = s->Gpr[i];
            Unsafe.CopyBlock(after->Ymm + (i * 32), CpuState.Vector(s, i), 32);
        }

        for (int i = 0; i < 8; i++)
        {
            after->Mm[i] = *Mmx(s, i);
        }

        after->Mxcsr = s->Mxcsr;
        after->Flags = Flags.Get(s);
        _memory.Read(WindowPhysical + DifferentialMemory.WindowOffset, new Span<byte>(windowAfter, DifferentialMemory.WindowSize));
        ulong rip = s->Rip;
        if (reason != ExitReason.BudgetSpent)
        {
            Enter();
        }

        return rip;
    }

    public void Dispose()
    {
        _vcpu.Dispose();
        _memory.Dispose();
    }

    private static ulong* Mmx(CpuState* s, int number) => (ulong*)((byte*)s->Fpr + (number * 16));

    private void Map(ulong address, ulong table, ulong physical, int size)
    {
        _memory.WriteUInt64(Directory + (((address - 0x4000_0000) >> 21) * 8), table | 7);
        for (int i = 0; i < size / 4096; i++)
        {
            _memory.WriteUInt64(table + (ulong)(i * 8), (physical + (ulong)(i * 4096)) | 7);
        }
    }

    private void Enter()
    {
        _vcpu.EnterLong64(DifferentialMemory.Rip, Pml4, 0x33, 0x2B, 0, 0);
        CpuState* s = State;
        s->Cr0 |= ControlBits.Cr0NumericError;
        s->Cr4 |= ControlBits.Cr4Osfxsr | ControlBits.Cr4Osxsave | ControlBits.Cr4Osxmmexcpt;
        s->Xcr0 = 7;

        // As a 64-bit process of the host has them.
        s->Cpl = 3;
        s->Fs.Selector = s->Gs.Selector = 0;
        _vcpu.UpdateMode();
    }
}
