using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Dma;
using VirtShell.Machine.Drives;
using VirtShell.Machine.Legacy;
using VirtShell.Machine.Pci;
using VirtShell.Machine.Serial;
using VirtShell.Machine.Tests.Boot;
using VirtShell.Storage;
using Xunit;

namespace VirtShell.Machine.Tests.Boards;

/// <summary>The rules by which rows become a board, and what is said to people who break them.</summary>
public sealed class BoardTests
{
    /// <summary>What two parts claim, and what the message says of it.</summary>
    public static TheoryData<string, string[]> Overlaps => new()
    {
        { "ports", ["ports 200h–207h (registers)", "port 205h (other)"] },
        { "memory", ["addresses D0000000h–D0000FFFh (window)", "addresses D0000F00h–D0001EFFh (other)"] },
        { "irq", ["IRQ 5 (interrupt)", "IRQ 5 (other)"] },
        { "dma", ["DMA channel 3 (channel)", "DMA channel 3 (other)"] },
        { "pci", ["PCI 03.0–04.7 (slots)", "PCI 04.1 (other)"] },
    };

    [Theory]
    [MemberData(nameof(Overlaps))]
    public void Claims_that_overlap_are_an_error_that_names_both_parts_and_ranges(string kind, string[] told)
    {
        (Claim first, Claim second) = kind switch
        {
            "ports" => (Claim.Ports("registers", 0x200, 8), Claim.Ports("other", 0x205)),
            "memory" => (Claim.Memory("window", 0xD000_0000, 0x1000), Claim.Memory("other", 0xD000_0F00, 0x1000)),
            "irq" => (Claim.Irq("interrupt", 5), Claim.Irq("other", 5)),
            "dma" => (Claim.Dma("channel", 3), Claim.Dma("other", 3)),
            _ => (Claim.PciSlots("slots", 3, 2), Claim.PciFunction("other", 4, 1)),
        };
        MachineModel model = new("test", [Row("early", first), Row("late", second)]);
        string message = Assert.Throws<PartException>(() => model.Plan(PartSettings.Default)).Message;
        Assert.All(told.Append("'early'").Append("'late'"), part => Assert.Contains(part, message, StringComparison.Ordinal));

        // Left out, it claims nothing.
        PartSettings.Parse(model, ["late=off"]);
    }

    [Fact]
    public void A_part_cannot_claim_the_same_twice() =>
        Assert.Throws<PartException>(() => new MachineModel("test", [Row("one", Claim.Irq("a", 5), Claim.Irq("b", 5))]).Plan(PartSettings.Default));

    [Fact]
    public void A_part_that_depends_on_how_the_machine_starts_is_there_by_its_rule_and_as_the_settings_say()
    {
        MachineModel model = new("test", [new("screen", "test") { IsPresent = false, IsPresentWith = c => c.BootsByFirmware, Device = _ => throw new NotSupportedException() }]);
        foreach ((BootImage boot, string[] settings, bool isThere) in new (BootImage, string[], bool)[]
        {
            (new BiosBoot([]), [], true),
            (new RomBoot(default), [], true),
            (new MultibootBoot(default, string.Empty), [], false),
            (new BiosBoot([]), ["screen=off"], false),
            (new MultibootBoot(default, string.Empty), ["screen=on"], true),
        })
        {
            MachineConfiguration configuration = new() { MemoryBytes = 1 << 20, Boot = boot };
            Assert.Equal(isThere, model.Plan(PartSettings.Parse(model, settings), configuration).Count == 1);
        }
    }

    [Fact]
    public void A_part_maps_nothing_that_its_row_does_not_claim()
    {
        PartRow row = new("greedy", "test") { Claims = [Claim.Ports("registers", Uart16550.Com1Port, 4)], Device = c => new Uart16550("greedy", c.Bus, c.Clock, Uart16550.Com1Port, _ => { }) };
        MachineModel model = new("test", [row]);
        using PhysicalMemory memory = new(1 << 20);
        MachineConfiguration configuration = new() { MemoryBytes = 1 << 20, Boot = new MultibootBoot(default, string.Empty), Model = model };
        string message = Assert.Throws<InvalidOperationException>(() => new Board(configuration, memory, new MachineClock(() => 0), new TestBoard())).Message;
        Assert.Contains("'greedy' maps 3F8h–3FFh", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_part_gets_the_lines_and_channels_that_it_claims()
    {
        DmaChannel? channel = null;
        PartRow row = new("sound", "test")
        {
            Claims = [Claim.Ports("registers", CrtController.IndexPort, 2), Claim.Dma("data", 1)],
            Device = c =>
            {
                channel = c.Dma("data");
                Assert.Throws<InvalidOperationException>(() => c.Dma("other"));
                Assert.Throws<InvalidOperationException>(() => c.Irq("data"));
                return new CrtController(c.Bus);
            },
        };
        using PhysicalMemory memory = new(1 << 20);
        MachineConfiguration configuration = new() { MemoryBytes = 1 << 20, Boot = new MultibootBoot(default, string.Empty), Model = new MachineModel("test", [row]) };
        Board board = new(configuration, memory, new MachineClock(() => 0), new TestBoard());
        Assert.Same(board.Dma[1], channel);
    }

    [Theory]
    [InlineData("tape=off", "no part 'tape'")]
    [InlineData("pic=off", "cannot be left out")]
    [InlineData("com1=maybe", "either on or off, not 'maybe'")]
    [InlineData("com1", "sets nothing")]
    [InlineData("com1.speed=on", "no option 'speed'. It has pace")]
    [InlineData("pit.speed=on", "no option 'speed'. It has none")]
    [InlineData("com1.pace=3", "is on or off, not '3'")]
    [InlineData("virtio-rng.most-bytes=0", "is a number from 1 to 4096, not '0'")]
    [InlineData("virtio-rng.most-bytes=4097", "is a number from 1 to 4096, not '4097'")]
    [InlineData("acpi-pm=off", "'piix4-pm' needs part 'acpi-pm'")]
    public void Wrong_settings_are_told(string setting, string message) =>
        Assert.Contains(message, Assert.Throws<PartException>(() => PartSettings.Parse(MachineModel.Pc, [setting])).Message, StringComparison.Ordinal);

    [Fact]
    public void Disks_need_their_part()
    {
        MachineConfiguration configuration = new()
        {
            MemoryBytes = 4 << 20,
            Boot = new MultibootBoot(MultibootImages.Flat(code => code.hlt()), string.Empty),
            Disks = [new DiskAttachment(new MemoryDisk(1 << 20), "d")],
            Parts = PartSettings.Parse(MachineModel.Pc, ["virtio-blk=off"]),
        };
        Assert.Contains("'virtio-blk'", Assert.Throws<PartException>(() => new Pc(configuration)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ide", "'ide'")]
    [InlineData("floppy", "'floppy'")]
    public void Drives_need_their_part_and_bring_it(string part, string told)
    {
        PartRow row = MachineModel.Pc.Find(part)!;
        foreach ((IReadOnlyList<Drive> drives, string[] settings, bool isThere) in new (IReadOnlyList<Drive>, string[], bool)[]
        {
            ([], [], false),
            ([], [part + "=on"], true),
            (TestBoard.SomeDrives(), [], true),
        })
        {
            MachineConfiguration configuration = new() { MemoryBytes = 4 << 20, Boot = null, Drives = drives };
            Assert.Equal(isThere, MachineModel.Pc.Plan(PartSettings.Parse(MachineModel.Pc, settings), configuration).Contains(row));
        }

        string message = Assert.Throws<PartException>(() => new TestBoard(PartSettings.Parse(MachineModel.Pc, [part + "=off"]), 4 << 20, TestBoard.SomeDrives)).Message;
        Assert.Contains(told, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Drives_that_have_no_place_of_their_own_are_refused()
    {
        foreach (Drive[] drives in new Drive[][]
        {
            [new(DriveKind.HardDisk, DriveBus.Ide, 4, new MemoryDisk(4096), "d")],
            [new(DriveKind.Cd, DriveBus.Ide, 1, null, "c"), new(DriveKind.Cd, DriveBus.Ide, 1, null, "c")],
            [new(DriveKind.Floppy, DriveBus.Floppy, 2, null, "f")],
            [new(DriveKind.Floppy, DriveBus.Ide, 0, null, "f")],
            [new(DriveKind.Cd, DriveBus.Floppy, 0, null, "c")],
        })
        {
            Assert.Throws<PartException>(() => new TestBoard(() => drives));
        }
    }

    /// <summary>Each part that can be left out is, with those that need it; the machine still starts its image.</summary>
    [Theory]
    [MemberData(nameof(PartContractTests.Parts), MemberType = typeof(PartContractTests))]
    public void Machines_run_without_any_part_that_is_not_essential(string model, string part)
    {
        MachineModel machineModel = MachineModel.All.First(m => m.Name == model);
        if (machineModel.Find(part)!.IsEssential)
        {
            Assert.Throws<PartException>(() => PartSettings.Parse(machineModel, [part + "=off"]));
            return;
        }

        HashSet<string> off = [part];
        foreach (PartRow row in machineModel.Rows.Where(row => row.Needs.Any(off.Contains)))
        {
            off.Add(row.Name);
        }

        using Pc machine = new(new MachineConfiguration
        {
            MemoryBytes = 4 << 20,
            Boot = new MultibootBoot(MultibootImages.Flat(code => code.hlt()), string.Empty),
            Model = machineModel,
            Parts = PartSettings.Parse(machineModel, off.Select(name => name + "=off")),
        });
        Assert.NotEqual(MachineExitKind.TripleFault, machine.Run(1000).Kind);
        machine.PressPowerButton();
        machine.Reset();
        machine.Run(1000);
    }

    [Fact]
    public void Pci_resources_are_the_systems_where_firmware_leaves_them()
    {
        foreach ((string setting, bool assigned) in new[] { ("pci.assign-resources=on", true), ("pci.assign-resources=off", false) })
        {
            using Pc machine = new(new MachineConfiguration
            {
                MemoryBytes = 4 << 20,
                Boot = new MultibootBoot(MultibootImages.Flat(code => code.hlt()), string.Empty),
                Parts = PartSettings.Parse(MachineModel.Pc, [setting]),
            });
            uint bar = PciTestMachine.ReadConfig(machine.Bus, 4, 0, PciRegister.Bar0, 4) & ~3u;
            Assert.Equal(assigned, bar != 0);
        }
    }

    [Theory]
    [InlineData("com1", "com1")]
    [InlineData("COM2", "com2")]
    [InlineData("1", "com1")]
    [InlineData("2", "com2")]
    [InlineData("101", "virtio-console")]
    [InlineData("Virtio-Console", "virtio-console")]
    [InlineData("200", "debug")]
    [InlineData("5", null)]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void Outlets_are_found_by_name_and_number(string? text, string? name)
    {
        Assert.Equal(name is not null, Outlet.TryParse(text, out Outlet? outlet));
        Assert.Equal(name, outlet?.Name);
    }

    private static PartRow Row(string name, params Claim[] claims) => new(name, "test") { Claims = claims, Device = _ => throw new NotSupportedException() };
}
