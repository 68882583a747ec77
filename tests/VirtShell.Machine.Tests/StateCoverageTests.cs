using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Cpu;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Legacy;
using VirtShell.Machine.Tests.Boot;
using VirtShell.State;
using VirtShell.State.Tests.Coverage;
using VirtShell.Storage;
using Xunit;

namespace VirtShell.Machine.Tests;

/// <summary>No mutable field of a machine is forgotten by saved state: each shows in a description, or says why it does not.</summary>
public sealed class StateCoverageTests
{
    [Fact]
    public void Every_field_is_described_or_says_why_not()
    {
        using MemoryDisk below = new(256 << 20);
        using MemoryOverlay overlay = new(below);
        using MemoryDisk plain = new(64 << 20);
        overlay.Write(0, [1, 2, 3]);
        overlay.WriteZeroes(8192, 4096);
        plain.Write(4096, [4]);
        using Pc machine = new(new MachineConfiguration
        {
            MemoryBytes = 2 << 20,
            Engine = EngineKind.Interpreter,

            // Which has every part.
            Boot = new RomBoot(RomImages.Spinning()),
            Parts = PartSettings.Parse(MachineModel.Pc, ["com3=on", "com4=on", "i6300esb=on", "pvpanic=on"]),
            Disks = [new DiskAttachment(overlay, "overlay"), new DiskAttachment(plain, "plain")],
            Drives = TestBoard.SomeDrives(),
        });
        machine.Run(1000);
        StateCoverage coverage = StateCoverage.Of(machine);

        // What the display stands in for.
        StateCoverage replaced = StateCoverage.Of(new CrtController(new IoBus()));
        List<string> forgotten = [.. coverage.Forgotten, .. replaced.Forgotten];
        Assert.True(forgotten.Count == 0, $"Neither described nor marked with [NotState]: {string.Join(", ", forgotten)}");

        // A part that this machine has not cannot be looked at: it is to be added above.
        IEnumerable<Type> all = new[] { typeof(Pc), typeof(Vcpu), typeof(MemoryDisk) }
            .SelectMany(static type => type.Assembly.GetTypes())
            .Where(static type => typeof(IStateful).IsAssignableFrom(type) && !type.IsAbstract && !type.IsNested);
        Assert.Empty(all.Except(coverage.Types).Except(replaced.Types));
    }
}
