using System;
using System.IO;
using System.Linq;
using VirtShell.Cpu;
using VirtShell.Cpu.Diagnostics;
using VirtShell.Guests.Assembler.Attacks;
using VirtShell.Machine;
using VirtShell.Storage;
using Xunit;

namespace VirtShell.Guests.Tests;

/// <summary>
/// Every attack there is, on both engines: none of them gets further than its own machine, each ends as it says, and the
/// engines agree in the processor's state, memory, devices, time and what was sent.
/// </summary>
public sealed class AttackTests
{
    /// <summary>No divisor of anything, so that runs are cut anywhere.</summary>
    private const long Quantum = 9_973;

    /// <summary>The first of them goes into setting up.</summary>
    private const int Quanta = 12;

    private const int HeavyQuanta = 2;
    private const ulong Memory = AttackLayout.MemoryEnd;
    private const long DiskBytes = 8 << 20;

    /// <summary>An attack that ends does so within this.</summary>
    private const long EndLimit = 20_000_000;

    public static TheoryData<string> Names => [.. AttackList.All.Select(static attack => attack.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void An_attack_harms_its_own_machine_at_most(string name)
    {
        var attack = AttackList.All.Single(each => each.Name == name);
        using var firstDisk = Disk();
        using var secondDisk = Disk();
        using var interpreter = Start(name, EngineKind.Interpreter, firstDisk);
        using var translator = Start(name, EngineKind.Translator, secondDisk);
        MachineExit exit = default;
        for (var i = 0; i < (attack.IsHeavy ? HeavyQuanta : Quanta) && exit.Kind == MachineExitKind.QuantumSpent; i++)
        {
            exit = interpreter.Machine.Run(Quantum);
            Assert.Equal(exit, translator.Machine.Run(Quantum));
            Assert.Equal(interpreter.Machine.Instructions, translator.Machine.Instructions);
            Assert.Equal(interpreter.Machine.GuestTime, translator.Machine.GuestTime);
        }

        Assert.StartsWith($"attack {name}\r\n", interpreter.Serial, StringComparison.Ordinal);
        Assert.Equal(interpreter.Serial, translator.Serial);
        Assert.Empty(ProcessorComparison.Differences(interpreter.Machine.Cpu, translator.Machine.Cpu));
        Assert.Equal(interpreter.Machine.Memory.Hash(), translator.Machine.Memory.Hash());
        Assert.True(interpreter.Save().AsSpan().SequenceEqual(translator.Save()), "Processors and memory agree, but the devices' states do not.");
        if (exit.Kind == MachineExitKind.QuantumSpent && attack.End is not (AttackEnd.Never or AttackEnd.Any))
        {
            exit = translator.Run(EndLimit);
        }

        AssertEnd(attack.End, exit, translator);
    }

    private static void AssertEnd(AttackEnd end, MachineExit exit, GuestRunner guest)
    {
        switch (end)
        {
            case AttackEnd.Any:
                Assert.NotEqual(MachineExitKind.Breakpoint, exit.Kind);
                break;
            case AttackEnd.PowerOff:
                guest.AssertEnd(MachineExitKind.PowerOff, exit);
                Assert.Contains("survived", guest.Serial, StringComparison.Ordinal);
                break;
            default:
                guest.AssertEnd(
                    end switch
                    {
                        AttackEnd.Crash => MachineExitKind.TripleFault,
                        AttackEnd.Reset => MachineExitKind.ResetRequested,
                        AttackEnd.Halt => MachineExitKind.HaltedForever,
                        _ => MachineExitKind.QuantumSpent,
                    },
                    exit);
                break;
        }
    }

    [Theory]
    [InlineData("attack=crash-triple", MachineExitKind.TripleFault, "attack crash-triple\r\n")]
    [InlineData("/boot/guest.bin attack=halt-dead quiet", MachineExitKind.HaltedForever, "attack halt-dead\r\n")]
    [InlineData("an attack attack=reset-cf9", MachineExitKind.ResetRequested, "attack reset-cf9\r\n")]
    [InlineData("attack=no-such", MachineExitKind.DebugExit, "unknown attack (without attack=NAME this guest lists all)\r\n")]
    [InlineData("attack=halt", MachineExitKind.DebugExit, "unknown attack (without attack=NAME this guest lists all)\r\n")]
    [InlineData("attack=", MachineExitKind.DebugExit, "unknown attack (without attack=NAME this guest lists all)\r\n")]
    public void The_command_line_chooses(string commandLine, MachineExitKind kind, string expected)
    {
        using var guest = new GuestRunner("attack", Memory, commandLine);
        guest.AssertEnd(kind, guest.Run());
        Assert.Equal(expected, guest.Serial);
    }

    [Theory]
    [InlineData("")]
    [InlineData("attack and no name")]
    public void Without_a_name_all_are_listed(string commandLine)
    {
        using var guest = new GuestRunner("attack", Memory, commandLine);
        guest.AssertEnd(MachineExitKind.PowerOff, guest.Run());
        Assert.Equal(string.Concat(AttackList.All.Select(static attack => attack.Name + "\r\n")), guest.Serial);
    }

    [Fact]
    public void Names_and_meanings_suit_the_table()
    {
        Assert.All(AttackList.All, static attack =>
        {
            Assert.Matches("^[a-z0-9]+(-[a-z0-9]+)*$", attack.Name);
            Assert.InRange(attack.Meaning.Length, 5, 110);
            Assert.DoesNotContain('.', attack.Meaning);
        });
        Assert.Equal(AttackList.All.Count, AttackList.All.Select(static attack => attack.Name).Distinct().Count());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Suite_and_documentation_name_every_attack(string name)
    {
        var attack = AttackList.All.Single(each => each.Name == name);
        Assert.Contains($"cmdline: attack={name}, engine:", Read("pipelines", "hostile.yaml"), StringComparison.Ordinal);
        var row = Read("docs", "guests.md").Split('\n').Single(line => line.StartsWith($"| `{name}` |", StringComparison.Ordinal));
        Assert.Contains($"| {attack.Meaning} |", row, StringComparison.OrdinalIgnoreCase);
        Assert.EndsWith(
            attack.End switch
            {
                AttackEnd.Never => "| never |",
                AttackEnd.PowerOff => "| power-off |",
                AttackEnd.Crash => "| triple fault |",
                AttackEnd.Reset => "| reset |",
                AttackEnd.Halt => "| halt |",
                _ => "| any |",
            },
            row.TrimEnd(),
            StringComparison.Ordinal);
    }

    private static string Read(params ReadOnlySpan<string> path)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "VirtShell.sln")))
        {
            folder = folder.Parent;
        }

        return File.ReadAllText(Path.Combine([folder.FullName, .. path]));
    }

    private static MemoryDisk Disk() => new(DiskBytes);

    private static GuestRunner Start(string name, EngineKind engine, IBlockDevice disk) =>
        new("attack", Memory, $"attack={name}", engine, new DiskAttachment(disk, "attacked"));
}
