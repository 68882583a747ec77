using System;
using System.Runtime.CompilerServices;
using Xunit;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>The comparison finds errors: one is put into one of the machines, and the report must name it.</summary>
public sealed unsafe class LockstepSelfTests
{
    private const long At = 7777;

    public static TheoryData<string> Errors =>
    [
        "RDX", "RFLAGS", "Mxcsr", "YMM11", "FPR", "GS base", "CR2", "physical memory 34567", "bus access", "DR 3", "STAR", "SHADOWAT", "PENDING",
    ];

    [Theory]
    [MemberData(nameof(Errors))]
    public void An_error_is_found_and_named(string what)
    {
        GuestProgram program = ProgramGenerator.Generate(GuestMode.LongUser, Mix.Of("integer"), seed: 3);
        StrongBox<Vcpu?> done = new();
        LockstepResult result = LockstepRunner.Run(
            program,
            40_000,
            seed: 5,
            machine =>
            {
                // Once for each machine: it is run again and again while the difference is narrowed down.
                if (machine.Processor.InstructionsRetired >= At && done.Value != machine.Processor)
                {
                    done.Value = machine.Processor;
                    Break(machine, what);
                }
            });
        Assert.NotNull(result.Report);
        Assert.Contains(what.ToUpperInvariant(), result.Report.ToUpperInvariant(), StringComparison.Ordinal);
        Assert.Contains("LongUser integer seed 3", result.Report, StringComparison.Ordinal);
        Assert.Contains("new(\"name it\", GuestMode.LongUser", result.Report, StringComparison.Ordinal);
        Assert.Contains($"differ after instruction {At},", result.Report, StringComparison.Ordinal);
    }

    private static void Break(LockstepMachine machine, string what)
    {
        CpuState* s = machine.State;
        switch (what)
        {
            case "RDX":
                s->Gpr[2] ^= 0x10;
                break;
            case "RFLAGS":
                Flags.SetCf(s, !Flags.Cf(s));
                break;
            case "Mxcsr":
                s->Mxcsr ^= 0x20;
                break;
            case "YMM11":
                CpuState.Vector(s, 11)[31] ^= 1;
                break;
            case "FPR":
                s->Fpr[5] ^= 1;
                break;
            case "GS base":
                s->Gs.Base ^= 0x100;
                break;
            case "CR2":
                s->Cr2 ^= 1;
                break;
            case "physical memory 34567":
                machine.Memory.Base[0x34567] ^= 0xFF;
                break;
            case "bus access":
                machine.Bus.WritePort(0x3F8, 1, 65);
                break;
            case "DR 3":
                s->Dr[3] ^= 8;
                break;
            case "STAR":
                s->MsrStar ^= 1;
                break;
            case "SHADOWAT":
                s->ShadowAt = 12345;
                break;
            default:
                machine.Processor.RequestStop();
                break;
        }
    }
}
