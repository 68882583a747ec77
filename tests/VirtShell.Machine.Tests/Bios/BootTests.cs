using System;
using System.Text;
using Iced.Intel;
using VirtShell.Cpu;
using VirtShell.Machine.Drives;
using VirtShell.Storage;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Machine.Tests.Bios;

/// <summary>From power-on to a boot sector: from floppies, hard disks and CDs, in the order asked for, and what is said where there is none.</summary>
public sealed class BootTests
{
    private const ulong Results = 0x600;
    private const int CdSector = 2048;

    public static TheoryData<EngineKind> Engines => new() { EngineKind.Interpreter, EngineKind.Auto };

    /// <summary>Where a system finds itself: at 0000:7C00 with its drive in DL and interrupts on, and ticks come.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void A_floppy_boots_with_its_number_and_interrupts(EngineKind engine)
    {
        using BiosMachine machine = BiosMachine.RunFloppy(engine, c =>
        {
            Label wait = c.CreateLabel();
            NoteStart(c);
            c.mov(bx, __word_ptr[0x46C]);
            c.Label(ref wait);
            c.hlt();
            c.cmp(bx, __word_ptr[0x46C]);
            c.je(wait);
            BiosMachine.Exit(c);
        });
        Assert.Equal(0, machine.Machine.Memory.ReadUInt16(Results));
        Assert.Equal(0, machine.Machine.Memory.ReadUInt16(Results + 2));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void The_first_hard_disk_boots_whatever_it_is_on(EngineKind engine)
    {
        byte[] sector = BootSector.Make(c =>
        {
            NoteStart(c);
            BiosMachine.Exit(c);
        });
        foreach (bool isVirtio in new[] { true, false })
        {
            IBlockDevice disk = BootSector.Disk(sector, 8 << 20);
            using BiosMachine machine = new(engine, isVirtio ? [] : [BootSector.HardDisk(disk)], isVirtio ? [disk] : []);
            Assert.Equal(MachineExitKind.DebugExit, machine.Machine.Run(BiosMachine.Enough).Kind);
            Assert.Equal(0x80, machine.Machine.Memory.ReadUInt16(Results));
        }
    }

    /// <summary>El Torito: no emulation, and each of the floppies and a hard disk that a CD can stand for.</summary>
    [Theory]
    [InlineData(0, 0xE0)]
    [InlineData(1, 0x00)]
    [InlineData(2, 0x00)]
    [InlineData(3, 0x00)]
    [InlineData(4, 0x80)]
    public void A_CD_boots_as_what_its_catalog_says(byte media, int drive)
    {
        byte[] sector = BootSector.Make(c =>
        {
            NoteStart(c);

            // The emulated disk's first sector again, by INT 13h; or the CD's volume descriptor.
            c.mov(bx, 0x8000);
            if (media == 0)
            {
                c.mov(si, 0x7D00);
                c.mov(ah, 0x42);
                c.@int(0x13);
            }
            else
            {
                c.mov(ax, 0x0201);
                c.mov(cx, 1);
                c.mov(dh, 0);
                c.@int(0x13);
            }

            c.sbb(al, al);
            c.mov(__byte_ptr[(int)Results + 4], al);
            c.mov(ax, 0x4B01);
            c.mov(si, 0x700);
            c.@int(0x13);
            BiosMachine.Exit(c);
        });

        // A packet: one sector, 16, to 0000:8000. A partition of one cylinder of 16 heads and 63 sectors.
        new byte[] { 16, 0, 1, 0, 0, 0x80, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0 }.CopyTo(sector, 0x100);
        new byte[] { 0x80, 1, 1, 0, 6, 15, 63, 0 }.CopyTo(sector, 446);
        using BiosMachine machine = new(EngineKind.Auto, [BootSector.Cd(MakeCd(sector, media))]);
        Assert.Equal(MachineExitKind.DebugExit, machine.Machine.Run(BiosMachine.Enough).Kind);
        Assert.Equal(drive, machine.Machine.Memory.ReadUInt16(Results));
        byte[] read = new byte[6];
        machine.Machine.Memory.Read(0x8000, read);
        Assert.Equal(0, machine.Machine.Memory.ReadUInt16(Results + 4) & 0xFF);
        Assert.Equal(media == 0 ? [1, .. "CD001"u8] : sector[..6], read);
        byte[] packet = new byte[16];
        machine.Machine.Memory.Read(0x700, packet);
        Assert.Equal((0x13, media, (byte)drive, 20), (packet[0], packet[1], packet[2], packet[4]));
    }

    [Fact]
    public void Drives_are_tried_in_the_order_asked_for()
    {
        byte[] Says(char letter) => BootSector.Make(c =>
        {
            c.mov(ax, (ushort)(0x0E00 | letter));
            c.@int(0x10);
            c.@int(0x18);
        });
        Drive[] drives = [BootSector.Floppy(BootSector.Disk(Says('f'), 1474560)), BootSector.Cd(MakeCd(Says('c'), 0)), BootSector.HardDisk(BootSector.Disk(Says('h'), 1 << 20))];
        using BiosMachine machine = new(EngineKind.Auto, drives, parts: ["bios.serial=on"], order: [DriveKind.HardDisk, DriveKind.Floppy, DriveKind.Cd]);
        Assert.True(machine.RunUntil("gave up", BiosMachine.Enough));
        Assert.StartsWith("hfc\r\nNo bootable device.", machine.Sent, StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_booted_is_named_with_the_reason()
    {
        using MemoryDisk blank = new(1474560);
        using MemoryDisk data = new(1 << 20);
        using BiosMachine machine = new(EngineKind.Auto, [BootSector.Floppy(blank), BootSector.Cd(null), BootSector.HardDisk(data)], parts: ["bios.serial=on"]);
        machine.Machine.Run(20_000_000);
        string expected = """

            No bootable device.
              Floppy A: has no boot sector (it is blank)
              CD IDE 2: is empty
              Hard disk IDE 0: has no boot sector (no 55h AAh at its end)
            Give the machine something that boots, then press Ctrl+Alt+Del or reset it.
            """;
        Assert.Equal(expected.ReplaceLineEndings("\n"), machine.Screen);
        Assert.Equal(expected.ReplaceLineEndings("\r\n") + "\r\n", machine.Sent);
    }

    /// <summary>The state of a machine within the BIOS is whole: it goes on where it was.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void A_saved_machine_goes_on_within_a_service(EngineKind engine)
    {
        using MemoryDisk disk = BootSector.Disk(
            BootSector.Make(c =>
            {
                c.mov(ah, 0x86);
                c.mov(cx, 0x0003);
                c.mov(dx, 0);
                c.@int(0x15);
                BiosMachine.Exit(c, 7);
            }),
            1474560);
        MachineConfiguration configuration = new()
        {
            MemoryBytes = 4 << 20,
            Engine = engine,
            Boot = new BiosBoot([DriveKind.Floppy]),
            Drives = [BootSector.Floppy(disk)],
        };
        using Pc first = new(configuration);
        first.Run(2_000);
        using System.IO.MemoryStream state = new();
        VirtShell.State.SavedState.Save(first, state);
        MachineExit expected = first.Run(BiosMachine.Enough);
        state.Position = 0;
        using Pc second = Pc.FromState(configuration, state);
        Assert.Equal(new MachineExit(MachineExitKind.DebugExit, 7), expected);
        Assert.Equal(expected, second.Run(BiosMachine.Enough));
        Assert.Equal((first.Instructions, first.GuestTime, first.Memory.Hash()), (second.Instructions, second.GuestTime, second.Memory.Hash()));
        Assert.InRange(first.GuestTime, 196_608_000, 200_000_000);
    }

    /// <summary>A CD with a boot catalog and one image at sector 20.</summary>
    internal static MemoryDisk MakeCd(byte[] sector, byte media)
    {
        const int Image = 20;
        const int Catalog = 19;
        MemoryDisk disk = new(CdSector * 1600);
        byte[] volume = new byte[CdSector];
        volume[0] = 1;
        Encoding.ASCII.GetBytes("CD001").CopyTo(volume, 1);
        disk.Write(16 * CdSector, volume);
        volume[0] = 0;
        volume[6] = 1;
        Encoding.ASCII.GetBytes("EL TORITO SPECIFICATION").CopyTo(volume, 7);
        volume[0x47] = Catalog;
        disk.Write(17 * CdSector, volume);
        byte[] catalog = new byte[64];
        catalog[0] = 1;
        (catalog[0x1E], catalog[0x1F]) = (0x55, 0xAA);
        (catalog[0x1C], catalog[0x1D]) = (0xAA, 0x55);
        catalog[0x20] = 0x88;
        catalog[0x21] = media;
        catalog[0x26] = 1;
        catalog[0x28] = Image;
        disk.Write(Catalog * CdSector, catalog);
        disk.Write(Image * CdSector, sector);
        return disk;
    }

    private static void NoteStart(Assembler c)
    {
        c.mov(__byte_ptr[(int)Results], dl);
        c.mov(__word_ptr[(int)Results + 2], cs);
        c.sti();
    }
}
