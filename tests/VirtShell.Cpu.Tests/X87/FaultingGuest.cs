using System;
using VirtShell.Cpu.Memory;
using VirtShell.Cpu.Tests.Native;

namespace VirtShell.Cpu.Tests.X87;

/// <summary>A guest in 64-bit mode whose interrupt gates tell, by where execution goes on, which exception an instruction raised.</summary>
internal sealed unsafe class FaultingGuest : IDisposable
{
    public const ulong CodeAddress = 0x10000;
    public const ulong DataAddress = 0x20000;

    /// <summary>A linear address without a page.</summary>
    public const ulong Unmapped = 0x60_0000;

    private const ulong Pml4 = 0x1000;
    private const ulong Pdpt = 0x2000;
    private const ulong Directory = 0x3000;
    private const ulong Gdt = 0x4000;
    private const ulong Idt = 0x5000;
    private const ulong Handlers = 0x8000;
    private const ulong StackTop = 0x30000;
    private const ushort CodeSelector = 0x08;
    private const ushort DataSelector = 0x10;
    private const ulong PresentInterruptGate = 0x8E00UL << 32;

    public FaultingGuest()
    {
        Memory = new PhysicalMemory(4 << 20);
        Memory.WriteUInt64(Pml4, Pdpt | 3);
        Memory.WriteUInt64(Pdpt, Directory | 3);
        Memory.WriteUInt64(Directory, 0x83);
        Memory.WriteUInt64(Directory + 8, 0x20_0083);
        Memory.WriteUInt64(Gdt + CodeSelector, 0x0020_9A00_0000_0000);
        Memory.WriteUInt64(Gdt + DataSelector, 0x0000_9200_0000_0000);
        for (ulong vector = 0; vector < 32; vector++)
        {
            Memory.WriteUInt64(Idt + (vector * 16), (Handlers + (vector * 16)) | ((ulong)CodeSelector << 16) | PresentInterruptGate);
            Memory.WriteUInt64(Idt + (vector * 16) + 8, 0);
            Memory.Write(Handlers + (vector * 16), [0xF4]);
        }

        Bus = new IdleBus();
        Processor = new Vcpu(Memory, Bus, CpuModel.X86_64_V3, engine: TestEngine.Kind) { TranslationThreshold = 1 };
        Processor.EnterLong64(CodeAddress, Pml4, CodeSelector, DataSelector, Gdt, 0x17);
        State->IdtBase = Idt;
        State->IdtLimit = 0xFFF;
        State->Cr0 |= ControlBits.Cr0NumericError | ControlBits.Cr0MonitorCoprocessor;
        State->Cr4 |= ControlBits.Cr4Osfxsr | ControlBits.Cr4Osxsave;
        State->Xcr0 = 7;
        State->Fcw = 0x037F;
        State->Fsw = 0;
        State->FpuValid = 0;
        State->Gpr[4] = StackTop;
        State->Gpr[7] = DataAddress;
    }

    public PhysicalMemory Memory { get; }

    public IdleBus Bus { get; }

    public Vcpu Processor { get; }

    public CpuState* State => Processor.State;

    /// <summary>Runs one instruction; the vector of the exception that it raised, or -1.</summary>
    public int Execute(params byte[] instruction)
    {
        Memory.Write(CodeAddress, instruction);
        State->Rip = CodeAddress;
        Processor.Run(1);
        ulong rip = State->Rip;
        return rip >= Handlers && rip < Handlers + (32 * 16) ? (int)((rip - Handlers) / 16) : -1;
    }

    public void Dispose()
    {
        Processor.Dispose();
        Memory.Dispose();
    }
}
