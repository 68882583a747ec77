using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using VirtShell.Cpu;
using VirtShell.State;
using VirtShell.Storage;
using Xunit;

namespace VirtShell.Machine.Tests.Boot;

/// <summary>SeaBIOS, as Debian's package of that name has it, on the board: it finds its tables, the devices and what boots.</summary>
public sealed class SeaBiosTests
{
    private const string Folder = "/usr/share/seabios";
    private const long Slice = 10_000_000;
    private const long Limit = 2_000_000_000;

    // A boot sector that says what it is on COM1 and ends the run with the drive's number.
    private static readonly byte[] s_sector = BootSector();

    [SkippableFact]
    public void It_says_the_same_on_both_engines_until_it_finds_nothing_to_boot()
    {
        using Machine interpreted = Create(EngineKind.Interpreter);
        using Machine translated = Create(EngineKind.Auto);
        string log = Run(interpreted, "No bootable device.", out _, []);
        Assert.Equal(log, Run(translated, "No bootable device.", out _, []));
        Assert.Equal(interpreted.Instructions, translated.Instructions);
        Assert.Equal(interpreted.Memory.Hash(), translated.Memory.Hash());

        // The device, the tables that it loads by it, the memory map, and the processor.
        Assert.All(
            ["Found QEMU fw_cfg", "DMA interface supported", "addr 0x0000000000000000 len 0x0000000008000000 [RAM]", "Copying SMBIOS", "(via xsdt)", "ACPI: parse DSDT", "Found 1 cpu(s)", "Using pmtimer, ioport 0x608"],
            expected => Assert.Contains(expected, log, StringComparison.Ordinal));
    }

    [SkippableTheory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Auto)]
    public void It_boots_a_virtio_disk(EngineKind engine)
    {
        byte[] disk = new byte[1 << 20];
        s_sector.CopyTo(disk, 0);
        using Machine machine = Create(engine, disk);
        List<byte> serial = [];
        Run(machine, "never", out MachineExit exit, serial);
        Assert.Equal((MachineExitKind.DebugExit, 0x80), (exit.Kind, exit.Code));
        Assert.Equal("booted", Encoding.ASCII.GetString([.. serial]));
    }

    /// <summary>The display's own program, from its ROM on the bus, shows what SeaBIOS and a boot loader say.</summary>
    [SkippableFact]
    public void Its_text_and_that_of_grub_are_on_the_screen()
    {
        const string floppy = "/usr/lib/grub-rescue/grub-rescue-floppy.img";
        Skip.IfNot(File.Exists(floppy), $"needs {floppy} (apt-get install grub-rescue-pc)");
        using Machine machine = Create(EngineKind.Auto, File.ReadAllBytes(floppy));
        string screen = string.Empty;
        bool hasGreeted = false;
        for (int i = 0; i < 400 && !screen.Contains("grub>", StringComparison.Ordinal) && !screen.Contains("GNU GRUB", StringComparison.Ordinal); i++)
        {
            machine.Run(Slice);
            screen = Text(machine);
            hasGreeted |= screen.Contains("SeaBIOS (version", StringComparison.Ordinal);
        }

        Assert.True(hasGreeted);
        Assert.Contains("GRUB", screen, StringComparison.Ordinal);
    }

    private static string Text(Machine machine) => machine.Screen!.Capture(withPicture: false).Text ?? string.Empty;

    /// <summary>From a saved state in the middle of it, with the registers of the device half read, and after a reset.</summary>
    [SkippableFact]
    public void It_goes_on_from_a_saved_state_and_starts_again_at_a_reset()
    {
        using Machine first = Create(EngineKind.Auto);
        string whole = Run(first, "No bootable device.", out _, []);
        long instructions = first.Instructions;
        first.Reset();
        Assert.Equal(whole, Run(first, "No bootable device.", out _, []));
        foreach (long at in new[] { instructions / 50, instructions / 10, instructions / 3, instructions * 2 / 3 })
        {
            using Machine before = Create(EngineKind.Auto);
            StringBuilder log = new();
            before.SerialOutput = (outlet, value) => log.Append(outlet == Outlet.Debug ? (char)value : ' ');
            before.Run(at);
            using Machine after = Machine.FromState(Configuration(EngineKind.Auto, null), new MemoryStream(before.Save()));
            Assert.Equal(whole, log + Run(after, "No bootable device.", out _, []));
        }
    }

    private static Machine Create(EngineKind engine, byte[]? disk = null) => new(Configuration(engine, disk));

    private static MachineConfiguration Configuration(EngineKind engine, byte[]? disk)
    {
        string bios = Path.Combine(Folder, "bios-256k.bin");
        Skip.IfNot(File.Exists(bios), $"needs {bios} (apt-get install seabios)");
        return new MachineConfiguration
        {
            MemoryBytes = 128 << 20,
            Engine = engine,
            Boot = new RomBoot(File.ReadAllBytes(bios)),
            VideoRom = File.ReadAllBytes(Path.Combine(Folder, "vgabios-stdvga.bin")),
            Disks = disk is null ? [] : [new DiskAttachment(new MemoryDisk(disk), "disk0")],
        };
    }

    private static string Run(Machine machine, string until, out MachineExit exit, List<byte> serial)
    {
        StringBuilder log = new();
        machine.SerialOutput = (outlet, value) =>
        {
            if (outlet == Outlet.Debug)
            {
                log.Append((char)value);
            }
            else
            {
                serial.Add(value);
            }
        };
        do
        {
            exit = machine.Run(Slice);
        }
        while (exit.Kind == MachineExitKind.QuantumSpent && machine.Instructions < Limit && !log.ToString().Contains(until, StringComparison.Ordinal));
        return log.ToString();
    }

    private static byte[] BootSector()
    {
        // The drive's number, from DL, is kept in BL: mov bl, dl.
        List<byte> code = [0x88, 0xD3];
        foreach (byte value in "booted"u8)
        {
            // mov dx, 3F8h; mov al, value; out dx, al
            code.AddRange([0xBA, 0xF8, 0x03, 0xB0, value, 0xEE]);
        }

        // mov al, bl; mov dx, 501h; out dx, al; jmp $
        code.AddRange([0x88, 0xD8, 0xBA, 0x01, 0x05, 0xEE, 0xEB, 0xFE]);
        byte[] sector = new byte[512];
        code.CopyTo(sector);
        (sector[510], sector[511]) = (0x55, 0xAA);
        return sector;
    }
}
