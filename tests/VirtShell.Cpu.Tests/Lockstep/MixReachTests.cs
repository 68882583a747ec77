using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Xunit;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>The programs of the mixes for gates, tasks and address spaces get where they are meant to, rather than fault on the way.</summary>
public sealed unsafe class MixReachTests
{
    private const int Seeds = 16;
    private const int Instructions = 10_000;

    public static TheoryData<string, string> Modes
    {
        get
        {
            TheoryData<string, string> data = [];
            foreach (GuestMode mode in Enum.GetValues<GuestMode>())
            {
                foreach (Mix mix in Mix.For(mode).Where(static m => m.Name is "gates" or "spaces"))
                {
                    data.Add(mode.ToString(), mix.Name);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void Everything_is_reached(string mode, string mix)
    {
        Dictionary<string, int> reached = [];
        ModeInfo info = ModeInfo.Of(Enum.Parse<GuestMode>(mode));
        for (int seed = 1; seed <= Seeds; seed++)
        {
            GuestProgram program = ProgramGenerator.Generate(info.Mode, Mix.Of(mix), seed);
            using LockstepMachine machine = new(program, EngineKind.Interpreter);
            Watch(program, machine, reached);
        }

        string[] missing = [.. Expected(info, mix).Where(name => !reached.ContainsKey(name))];
        string seen = string.Join(", ", reached.OrderBy(static r => r.Key, StringComparer.Ordinal).Select(static r => string.Create(CultureInfo.InvariantCulture, $"{r.Key} {r.Value}")));
        Assert.True(missing.Length == 0, $"Never: {string.Join(", ", missing)}. Seen: {seen}.");
    }

    private static IEnumerable<string> Expected(ModeInfo mode, string mix)
    {
        if (mix == "spaces")
        {
            return ["root 0", "root 1", .. mode.Paging == PagingKind.Long ? new[] { "PCID", "CR3 without PCID" } : []];
        }

        List<string> names = [];
        if (!mode.IsVirtual)
        {
            names.AddRange(["gate 0", "local data"]);
            names.AddRange(mode.KernelBits == 32 ? ["gate 1"] : []);
            names.AddRange(mode.HasGateToItself ? ["gate to itself"] : []);
            names.AddRange(mode.Bits != 64 ? ["local code"] : []);
        }

        // 64-bit kernels' services switch local tables too.
        names.Add("other local table");
        if (mode.HasTasks)
        {
            names.AddRange(["32-bit task", "back"]);
            names.AddRange(mode.IsVirtual ? [] : ["16-bit task"]);
        }

        return names;
    }

    private static void Watch(GuestProgram program, LockstepMachine machine, Dictionary<string, int> reached)
    {
        CpuState* s = machine.State;
        ushort task = s->Tr.Selector;
        ulong space = 0;
        for (int i = 0; i < Instructions; i++)
        {
            if (machine.Processor.Run(1) == ExitReason.Halted)
            {
                machine.Bus.Raise(0x20);
                machine.Processor.RaiseNmi();
                continue;
            }

            ulong linear = (s->Cs.Base + s->Rip) & s->LinearMask;
            for (int gate = 0; gate < program.Gates.Length; gate++)
            {
                Count(reached, $"gate {gate}", linear == program.Gates[gate]);
            }

            bool program3 = (s->Cs.Selector & 0xFFFC) == Layout.ProgramCode;
            Count(reached, "gate to itself", program.GateRoutine != 0 && program3 && s->Rip == program.GateRoutine);
            Count(reached, "local code", (s->Cs.Selector & 0xFFFC) == Layout.LocalCode && s->Virtual8086 == 0);
            Count(reached, "local data", s->Virtual8086 == 0 && ((s->Es.Selector & 4) != 0 || (s->Fs.Selector & 4) != 0));
            Count(reached, "other local table", s->Ldtr.Selector == Layout.OtherLocal);
            if (s->Tr.Selector != task)
            {
                task = s->Tr.Selector;
                Count(reached, task == Layout.Task32Selector ? "32-bit task" : task == Layout.Task16Selector ? "16-bit task" : "back", true);
            }

            if (s->Cr3 != space && program.Roots.Length > 0)
            {
                space = s->Cr3;
                Count(reached, (space & ~0xFFFUL) == program.Roots[0] ? "root 0" : "root 1", true);
                Count(reached, (s->Cr4 & ControlBits.Cr4Pcide) != 0 ? "PCID" : "CR3 without PCID", true);
            }
        }
    }

    private static void Count(Dictionary<string, int> reached, string name, bool now)
    {
        if (now)
        {
            reached[name] = reached.GetValueOrDefault(name) + 1;
        }
    }
}
