using System;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>One of the two machines: a processor on one engine, with memory and a bus of its own.</summary>
internal sealed unsafe class LockstepMachine : IDisposable
{
    public LockstepMachine(GuestProgram program, EngineKind engine)
    {
        Memory = new PhysicalMemory(Layout.RamBytes);
        Bus = new LockstepBus();
        Processor = new Vcpu(Memory, Bus, CpuModel.X86_64_V3, seed: 7, engine);
        // At once as a rule: what is translated late is tested less.
        Processor.TranslationThreshold = program.Seed % 4 == 3 ? 3 : 1;
        if (program.TranslationBytes != 0)
        {
            Processor.TranslationBytes = program.TranslationBytes;
        }

        Bus.Processor = Processor;
        Bus.FollowsInstructions = program.Seed % 2 == 0;
        if (Bus.FollowsInstructions)
        {
            Processor.LetTimestampFollow(LockstepBus.TimestampAhead);
        }

        GuestSetup.Prepare(this, program);
        Bus.Clear();
    }

    public PhysicalMemory Memory { get; }

    public LockstepBus Bus { get; }

    public Vcpu Processor { get; }

    public CpuState* State => Processor.State;

    public void Dispose()
    {
        Processor.Dispose();
        Memory.Dispose();
    }
}
