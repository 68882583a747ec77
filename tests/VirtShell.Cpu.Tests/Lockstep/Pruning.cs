using System;
using System.Collections.Generic;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>
/// Takes most of the instructions that fault each time out of a program: it would spend its time in handlers otherwise.
/// Some stay, for faults are to be tested too.
/// </summary>
internal static unsafe class Pruning
{
    private const int Rounds = 10;
    private const int Chunk = 3000;

    /// <summary>Faults at which a round has seen enough: they are slow.</summary>
    private const int Enough = 120;

    /// <summary>Faults of one instruction in a round from which on it is too many.</summary>
    private const int Many = 4;

    /// <summary>Percent of them that stay.</summary>
    private const int Kept = 4;

    public static void Prune(GuestProgram program, byte[] lengths, Random random)
    {
        HashSet<int> kept = [];
        for (int round = 0; round < Rounds; round++)
        {
            List<int> faulting = [];
            Dictionary<int, int> faults = Faults(program, out bool all);
            foreach ((int at, int count) in faults)
            {
                if (count >= Many && lengths[at] != 0 && !kept.Contains(at))
                {
                    faulting.Add(at);
                }
            }

            // The order of a dictionary must not matter.
            faulting.Sort();
            foreach (int at in faulting)
            {
                if (random.Next(100) < Kept)
                {
                    kept.Add(at);
                }
                else
                {
                    Blank(program, at, lengths[at]);
                }
            }

            if (all && faulting.Count == 0)
            {
                break;
            }
        }
    }

    /// <summary>How often the instruction at each offset of the code faulted.</summary>
    private static Dictionary<int, int> Faults(GuestProgram program, out bool all)
    {
        Dictionary<int, int> faults = [];
        int count = 0;
        using LockstepMachine machine = new(program, EngineKind.Interpreter);
        CpuState* s = machine.State;
        machine.Processor.FaultRaised = (vector, _) =>
        {
            ulong at = ((s->Cs.Base + s->Rip) & s->LinearMask) - Layout.Code;
            bool wanted = vector is 1 or 7 || (vector == 14 && s->Cr2 - Layout.DemandWindow < 0x1_0000);
            if (at < Layout.LengthBytes && !wanted)
            {
                faults[(int)at] = faults.GetValueOrDefault((int)at) + 1;
            }

            if (++count >= Enough)
            {
                machine.Processor.RequestStop();
            }
        };
        for (int i = 0; i < 4 && count < Enough; i++)
        {
            ExitReason reason = machine.Processor.Run(Chunk);
            if (reason == ExitReason.Halted)
            {
                machine.Bus.Raise(0x20);
                if (!machine.Processor.InterruptsEnabled)
                {
                    machine.Processor.RaiseNmi();
                }
            }
        }

        all = count < Enough;
        return faults;
    }

    /// <summary>Makes an instruction one that does nothing, as long as it was.</summary>
    private static void Blank(GuestProgram program, int at, int length)
    {
        foreach ((ulong address, byte[] bytes) in program.Memory)
        {
            long offset = (long)Layout.Code + at - (long)address;
            if (address is Layout.Code or Layout.Services && offset >= 0 && offset + length <= bytes.Length)
            {
                bytes.AsSpan((int)offset, length - 1).Fill(0x66);
                bytes[offset + length - 1] = 0x90;
            }
        }
    }
}
