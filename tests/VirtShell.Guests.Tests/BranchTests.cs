using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using VirtShell.Cpu;
using VirtShell.Guests.Assembler.Attacks;
using VirtShell.Machine;
using VirtShell.Storage;
using Xunit;
using Xunit.Abstractions;

namespace VirtShell.Guests.Tests;

/// <summary>Machines made from one that was frozen in mid-run: each goes on to the same end, and takes memory for what it changes.</summary>
public sealed class BranchTests(ITestOutputHelper output)
{
    private const int Branches = 100;
    private const long DiskBytes = 8 << 20;

    /// <summary>No guest that ends by itself needs more.</summary>
    private const long End = 100_000_000;

    [Theory]
    [InlineData("ticker", 250_000, 1_000_000, EngineKind.Interpreter)]
    [InlineData("ticker", 250_000, 1_000_000, EngineKind.Translator)]
    [InlineData("hello64", 700, End, EngineKind.Translator)]
    [InlineData("compute", 150_000, 500_000, EngineKind.Translator)]
    [InlineData("fuzz", 300_000, 600_000, EngineKind.Interpreter)]
    [InlineData("fuzz", 300_000, 600_000, EngineKind.Translator)]
    public void A_hundred_branches_of_a_guest_go_on_to_the_same_end(string name, long at, long limit, EngineKind engine)
    {
        using var whole = new GuestRunner(name, engine: engine);
        using var guest = new GuestRunner(name, engine: engine);
        var end = Run(whole.Machine, limit);
        Assert.Equal(MachineExitKind.QuantumSpent, guest.Machine.Run(at).Kind);
        var said = guest.Serial;
        using var frozen = guest.Machine.Freeze();
        var branches = new List<Pc>();
        try
        {
            ulong most = 0;
            for (var i = 0; i < Branches; i++)
            {
                var branch = frozen.Branch();
                branches.Add(branch);
                var serial = new StringBuilder(said);
                branch.SerialOutput = (outlet, value) => serial.Append(outlet == Outlet.Com1 ? ((char)value).ToString() : string.Empty);
                if (i == Branches / 2)
                {
                    // The others do not need it any more, nor the one that it was made of.
                    Assert.Equal(end, Run(guest.Machine, limit));
                    Assert.Equal(After(whole.Machine, whole.Serial), After(guest.Machine, guest.Serial));
                }

                Assert.Equal(end, Run(branch, limit));
                Assert.Equal(After(whole.Machine, whole.Serial), After(branch, serial.ToString()));
                most = Math.Max(most, branch.Memory.ResidentBytes());
            }

            output.WriteLine($"{name}: {frozen.Bytes} bytes are shared, {most} a branch's own at most; on its own, {whole.Machine.Memory.ResidentBytes()}");
            if (frozen.Memory.IsShared)
            {
                Assert.InRange(most, 1ul, whole.Machine.Memory.ResidentBytes());
            }
        }
        finally
        {
            branches.ForEach(static branch => branch.Dispose());
        }
    }

    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public void What_a_disk_writes_to_one_branchs_memory_is_its_own(EngineKind engine)
    {
        const int Few = 4;
        const long At = 60_000;
        const long Rest = 400_000;
        var disks = Enumerable.Range(0, Few + 1).Select(static _ => new MemoryDisk(DiskBytes)).ToList();
        var guest = new GuestRunner("attack", AttackLayout.MemoryEnd, "attack=disk-sectors", engine, new DiskAttachment(disks[Few], "branch"));
        guest.Machine.Run(At);
        using var frozen = guest.Machine.Freeze();
        Assert.Throws<InvalidOperationException>(frozen.Branch);
        var branches = disks.Take(Few).Select(disk => Pc.FromState(
            new MachineConfiguration { MemoryBytes = AttackLayout.MemoryEnd, Boot = null, Engine = engine, Disks = [new DiskAttachment(disk, "branch")] },
            frozen)).ToList();
        var hash = branches[0].Memory.Hash();

        // One after another, so that what one did would be there for the next.
        guest.Machine.Run(Rest);
        var expected = After(guest.Machine, string.Empty);
        foreach (var branch in branches)
        {
            Assert.Equal(hash, branch.Memory.Hash());
            branch.Run(Rest);
            Assert.Equal(expected, After(branch, string.Empty));
        }

        Assert.NotEqual(hash, guest.Machine.Memory.Hash());
        guest.Dispose();
        branches.ForEach(static branch => branch.Dispose());
        disks.ForEach(static disk => disk.Dispose());
    }

    [Fact]
    public void A_branch_resets_as_any_machine_does()
    {
        using var guest = new GuestRunner("hello64");
        guest.Machine.Run(500);
        using var frozen = guest.Machine.Freeze();
        using var branch = frozen.Branch();
        var serial = new StringBuilder();
        branch.SerialOutput = (outlet, value) => serial.Append(outlet == Outlet.Com1 ? ((char)value).ToString() : string.Empty);
        Run(branch, End);
        serial.Clear();
        branch.Reset();
        Run(branch, End);
        guest.Run();
        Assert.Equal(guest.Serial, serial.ToString());
        Assert.Equal(guest.Machine.Memory.Hash(), branch.Memory.Hash());
    }

    // Up to an instruction of the guest's, counted from power-on.
    private static MachineExit Run(Pc machine, long end)
    {
        MachineExit exit;
        while ((exit = machine.Run(end - machine.Instructions)).Kind == MachineExitKind.QuantumSpent && machine.Instructions < end)
        {
        }

        return exit;
    }

    private static (long Instructions, long Time, ulong Hash, string Serial) After(Pc machine, string serial) =>
        (machine.Instructions, machine.GuestTime, machine.Memory.Hash(), serial);
}
