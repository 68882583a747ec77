using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using VirtShell.Cpu;
using VirtShell.Machine.Drives;
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
        using Pc interpreted = Create(EngineKind.Interpreter);
        using Pc translated = Create(EngineKind.Auto);
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
        using Pc machine = Create(engine, disk);
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
        using Pc machine = Create(EngineKind.Auto, File.ReadAllBytes(floppy));
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

    /// <summary>From drives of a PC, in the order that the machine asks for: a floppy, a hard disk on IDE, and a CD without emulation.</summary>
    [SkippableTheory]
    [InlineData(DriveKind.Floppy, 0x00)]
    [InlineData(DriveKind.HardDisk, 0x80)]
    [InlineData(DriveKind.Cd, 0xE0)]
    public void It_boots_from_drives_in_the_order_asked_for(DriveKind first, int number)
    {
        byte[] floppy = new byte[1_474_560];
        byte[] disk = new byte[4 << 20];
        s_sector.CopyTo(floppy, 0);
        s_sector.CopyTo(disk, 0);
        DriveKind[] others = [.. Enum.GetValues<DriveKind>().Where(kind => kind != first)];
        MachineConfiguration configuration = Configuration(EngineKind.Auto, null, [first, .. others],
        [
            new Drive(DriveKind.HardDisk, DriveBus.Ide, 0, new MemoryDisk(disk), "hd"),
            new Drive(DriveKind.Cd, DriveBus.Ide, 2, new MemoryDisk(BootableCd()), "cd"),
            new Drive(DriveKind.Floppy, DriveBus.Floppy, 0, new MemoryDisk(floppy), "a"),
        ]);
        using Pc machine = new(configuration);
        List<byte> serial = [];
        string log = Run(machine, "never", out MachineExit exit, serial);
        Assert.True(exit.Kind == MachineExitKind.DebugExit, log);
        Assert.Equal((number, "booted"), (exit.Code, Encoding.ASCII.GetString([.. serial])));
    }

    // ISO 9660 as far as El Torito 1.0 asks for it: the boot record at sector 17, its catalogue, and an image of a sector without emulation.
    private static byte[] BootableCd()
    {
        const int sector = 2048;
        byte[] cd = new byte[24 * sector];
        Span<byte> primary = cd.AsSpan(16 * sector);
        primary[0] = 1;
        "CD001"u8.CopyTo(primary[1..]);
        Span<byte> record = cd.AsSpan(17 * sector);
        "CD001"u8.CopyTo(record[1..]);
        record[6] = 1;
        "EL TORITO SPECIFICATION"u8.CopyTo(record[7..]);
        record[0x47] = 20;
        Span<byte> catalogue = cd.AsSpan(20 * sector);
        catalogue[0] = 1;
        (catalogue[0x1C], catalogue[0x1D]) = (0xAA, 0x55);
        (catalogue[0x1E], catalogue[0x1F]) = (0x55, 0xAA);
        catalogue[0x20] = 0x88;
        catalogue[0x26] = 4;
        catalogue[0x28] = 21;
        s_sector.CopyTo(cd, 21 * sector);
        return cd;
    }

    private static string Text(Pc machine) => machine.Screen!.Capture(withPicture: false).Text ?? string.Empty;

    /// <summary>From a saved state in the middle of it, with the registers of the device half read, and after a reset.</summary>
    [SkippableFact]
    public void It_goes_on_from_a_saved_state_and_starts_again_at_a_reset()
    {
        using Pc first = Create(EngineKind.Auto);
        string whole = Run(first, "No bootable device.", out _, []);
        long instructions = first.Instructions;
        first.Reset();
        Assert.Equal(whole, Run(first, "No bootable device.", out _, []));
        foreach (long at in new[] { instructions / 50, instructions / 10, instructions / 3, instructions * 2 / 3 })
        {
            using Pc before = Create(EngineKind.Auto);
            StringBuilder log = new();
            before.SerialOutput = (outlet, value) => log.Append(outlet == Outlet.Debug ? (char)value : ' ');
            before.Run(at);
            using Pc after = Pc.FromState(Configuration(EngineKind.Auto, null), new MemoryStream(before.Save()));
            Assert.Equal(whole, log + Run(after, "No bootable device.", out _, []));
        }
    }

    private static Pc Create(EngineKind engine, byte[]? disk = null) => new(Configuration(engine, disk));

    private static MachineConfiguration Configuration(EngineKind engine, byte[]? disk, IReadOnlyList<DriveKind>? order = null, IReadOnlyList<Drive>? drives = null)
    {
        string bios = Path.Combine(Folder, "bios-256k.bin");
        Skip.IfNot(File.Exists(bios), $"needs {bios} (apt-get install seabios)");
        return new MachineConfiguration
        {
            MemoryBytes = 128 << 20,
            Engine = engine,
            Boot = new RomBoot(File.ReadAllBytes(bios)) { Order = order ?? [] },
            Drives = drives ?? [],
            VideoRom = File.ReadAllBytes(Path.Combine(Folder, "vgabios-stdvga.bin")),
            Disks = disk is null ? [] : [new DiskAttachment(new MemoryDisk(disk), "disk0")],
        };
    }

    private static string Run(Pc machine, string until, out MachineExit exit, List<byte> serial)
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
