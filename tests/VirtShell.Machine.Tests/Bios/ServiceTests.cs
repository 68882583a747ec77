using System;
using System.Linq;
using Iced.Intel;
using VirtShell.Cpu;
using VirtShell.Machine.Display;
using VirtShell.Machine.Drives;
using VirtShell.Storage;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Machine.Tests.Bios;

/// <summary>Each service of the BIOS, called by a boot sector on both engines, against its documented results.</summary>
public sealed class ServiceTests
{
    // Where a call leaves AX, BX, CX, DX, flags, ES, DI and BP.
    private const int Results = 0x600;
    private const int Buffer = 0x8000;
    private const int Carry = 1;

    /// <summary>A call: interrupt, AX, BX, CX, DX; what it leaves of AX, BX, CX and DX (null for what is not told), and carry.</summary>
    public static TheoryData<int, int[], int?[], bool> Calls => new()
    {
        // Equipment: floppy, coprocessor, mouse, 80 columns, two serial ports. Base memory: up to the EBDA.
        { 0x11, [0, 0, 0, 0], [0x0427, 0, 0, 0], false },
        { 0x12, [0, 0, 0, 0], [639, 0, 0, 0], false },

        // Disks: reset, parameters, type, and errors for what is not there.
        { 0x13, [0x0000, 0, 0, 0x0000], [0x0000, null, null, null], false },
        { 0x13, [0x0800, 0, 0, 0x0000], [0x0000, 0x0004, 0x4F12, 0x0101], false },
        { 0x13, [0x0800, 0, 0, 0x0080], [0x0000, null, 0x0F3F, 0x0F01], false },
        { 0x13, [0x1500, 0, 0, 0x0000], [0x0200, null, null, null], false },
        { 0x13, [0x1500, 0, 0, 0x0080], [0x0300, null, 0x0000, 0x3F00], false },
        { 0x13, [0x1500, 0, 0, 0x0081], [0x0000, null, null, null], false },
        { 0x13, [0x0201, Buffer, 0x0001, 0x0081], [0x0101, null, null, null], true },
        { 0x13, [0x0201, Buffer, 0x0013, 0x0000], [0x0400, null, null, null], true },
        { 0x13, [0x0201, Buffer, 0x0000, 0x0000], [0x0400, null, null, null], true },
        { 0x13, [0x0200, Buffer, 0x0001, 0x0000], [0x0100, null, null, null], true },
        { 0x13, [0x0212, Buffer, 0x0001, 0x0000], [0x0012, null, null, null], false },
        { 0x13, [0x4100, 0x55AA, 0, 0x0080], [0x3000, 0xAA55, 0x0007, null], false },
        { 0x13, [0x4100, 0x55AA, 0, 0x0000], [0x0100, null, null, null], true },
        { 0x13, [0xFE00, 0, 0, 0x0080], [0x0100, null, null, null], true },

        // Serial and printer ports that are not there change nothing or say so.
        { 0x17, [0x0200, 0, 0, 0], [0x0100, null, null, null], false },

        // System: A20, memory, configuration, what is not supported.
        { 0x15, [0x2403, 0, 0, 0], [0x0003, 3, null, null], false },
        { 0x15, [0x2402, 0, 0, 0], [0x0001, null, null, null], false },
        { 0x15, [0x8800, 0, 0, 0], [0x7C00, null, null, null], false },
        { 0x15, [0xE801, 0, 0, 0], [0x3C00, 0x0100, 0x3C00, 0x0100], false },
        { 0x15, [0x4F1E, 0, 0, 0], [0x4F1E, null, null, null], true },
        { 0x15, [0xC300, 0, 0, 0], [0x8600, null, null, null], true },
        { 0x15, [0x5300, 0, 0, 0], [0x0102, 0x504D, 0, null], false },
        { 0x15, [0x530B, 0, 0, 0], [0x800B, null, null, null], true },
        { 0x15, [0xC201, 0, 0, 0], [0x0001, 0x00AA, null, null], false },
        { 0x15, [0xC200, 0x0100, 0, 0], [0x0500, null, null, null], true },

        // Keys: none, and what can be stored.
        { 0x16, [0x0500, 0, 0x1E61, 0], [0x0500, null, null, null], false },
        { 0x16, [0x0200, 0, 0, 0], [0x0200, null, null, null], false },

        // PCI: there, with mechanism 1; the host bridge; no such device.
        { 0x1A, [0xB101, 0, 0, 0], [0x0001, 0x0210, null, 0x4350], false },
        { 0x1A, [0xB102, 0, 0x1237, 0x8086], [0x0002, 0, null, null], false },
        { 0x1A, [0xB102, 0, 0x1234, 0x8086], [0x8602, null, null, null], true },
        { 0x1A, [0xB10F, 0, 0x0300, 0], [0x880F, null, null, null], true },

        // The clock: the date that the machine was built with.
        { 0x1A, [0x0400, 0, 0, 0], [0x0400, null, 0x2026, 0x0101], false },
        { 0x1A, [0x0200, 0, 0, 0], [0x0200, null, 0x0000, null], false },

        // Video: mode, cursor, display.
        { 0x10, [0x0F00, 0, 0, 0], [0x5003, 0, null, null], false },
        { 0x10, [0x0300, 0, 0, 0], [0x0000, 0, 0x0607, 0], false },
        { 0x10, [0x1A00, 0, 0, 0], [0x1A1A, 0x0008, null, null], false },
        { 0x10, [0x1200, 0x0010, 0, 0], [null, 0x0003, 0x0009, null], false },

        // VBE: set modes and what is not one, tell a mode, and what needs a mode first.
        { 0x10, [0x4F02, 0x4118, 0, 0], [0x004F, 0x4118, null, null], false },
        { 0x10, [0x4F02, 0x0101, 0, 0], [0x004F, null, null, null], false },
        { 0x10, [0x4F02, 0x0013, 0, 0], [0x004F, null, null, null], false },
        { 0x10, [0x4F02, 0x01FE, 0, 0], [0x014F, null, null, null], false },
        { 0x10, [0x4F03, 0, 0, 0], [0x004F, 0x0003, null, null], false },
        { 0x10, [0x4F05, 0, 0, 0], [0x034F, null, null, null], false },
        { 0x10, [0x4F0A, 0, 0, 0], [0x014F, null, null, null], false },
    };

    [Theory]
    [MemberData(nameof(Calls))]
    public void A_service_answers_as_documented(int vector, int[] given, int?[] expected, bool carry)
    {
        foreach (EngineKind engine in new[] { EngineKind.Interpreter, EngineKind.Auto })
        {
            int[] got = CallOnce(engine, vector, given, out bool gotCarry, out _);
            string all = string.Join(' ', got.Select(v => v.ToString("X4", System.Globalization.CultureInfo.InvariantCulture)));
            for (int i = 0; i < expected.Length; i++)
            {
                Assert.True(expected[i] is not { } value || value == got[i], $"INT {vector:X2}h AX={given[0]:X4}: AX BX CX DX are {all}; {"ABCD"[i]}X should be {expected[i]:X4}.");
            }

            Assert.Equal(carry, gotCarry);
        }
    }

    /// <summary>What is read is what the disk holds, by address and by packet, on a floppy, a hard disk and at the end of one; what is written is there.</summary>
    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Auto)]
    public void Sectors_are_moved_whole(EngineKind engine)
    {
        using MemoryDisk disk = new(8 << 20);
        byte[] content = new byte[8 << 20];
        new Random(1).NextBytes(content);
        byte[] sector = BootSector.Make(c =>
        {
            // Sector 63 by address: cylinder 0, head 1, sector 1. Then the last one by packet, and the first is written behind it.
            c.mov(ax, 0x0201);
            c.mov(bx, Buffer);
            c.mov(cx, 1);
            c.mov(dx, 0x0180);
            c.@int(0x13);
            c.mov(ah, 0x42);
            c.mov(si, 0x7D00);
            c.@int(0x13);
            c.mov(ax, 0x0301);
            c.mov(bx, 0x7C00);
            c.mov(cx, 2);
            c.mov(dx, 0x0080);
            c.@int(0x13);
            BiosMachine.Exit(c);
        });
        long last = (8 << 11) - 1;
        new byte[] { 16, 0, 1, 0, 0, 0x82, 0, 0, (byte)last, (byte)(last >> 8), 0, 0, 0, 0, 0, 0 }.CopyTo(sector, 0x100);
        sector.CopyTo(content, 0);
        disk.Write(0, content);
        using BiosMachine machine = new(engine, [BootSector.HardDisk(disk)]);
        Assert.Equal(MachineExitKind.DebugExit, machine.Machine.Run(BiosMachine.Enough).Kind);
        byte[] got = new byte[512];
        machine.Machine.Memory.Read(Buffer, got);
        Assert.Equal(content[(63 * 512)..(64 * 512)], got);
        machine.Machine.Memory.Read(0x8200, got);
        Assert.Equal(content[^512..], got);
        disk.Read(512, got);
        Assert.Equal(sector, got);
    }

    /// <summary>Another floppy is noticed once, before anything is read of it, and none at all is not ready.</summary>
    [Fact]
    public void A_changed_floppy_is_told_once()
    {
        using MemoryDisk other = new(737280);
        Drive second = BootSector.Floppy(new MemoryDisk(1474560), number: 1);
        byte[] sector = BootSector.Make(c =>
        {
            // The run ends behind each read, so that the test can change the medium.
            for (int i = 0; i < 4; i++)
            {
                c.mov(ax, 0x0201);
                c.mov(bx, Buffer);
                c.mov(cx, 1);
                c.mov(dx, 1);
                c.@int(0x13);
                c.movzx(eax, ah);
                c.mov(dx, BootSector.DebugExit);
                c.@out(dx, eax);
            }
        });
        using BiosMachine machine = new(EngineKind.Auto, [BootSector.Floppy(BootSector.Disk(sector, 1474560)), second]);
        Assert.Equal(0x00, machine.Machine.Run(BiosMachine.Enough).Code);
        second.Change(other);
        Assert.Equal(0x06, machine.Machine.Run(BiosMachine.Enough).Code);
        Assert.Equal(0x00, machine.Machine.Run(BiosMachine.Enough).Code);
        second.Change(null);
        Assert.Equal(0x06, machine.Machine.Run(BiosMachine.Enough).Code);
    }

    /// <summary>Keys that are pressed come out of INT 16h as scan code and character.</summary>
    [Fact]
    public void Keys_typed_on_the_serial_console_are_read()
    {
        byte[] sector = BootSector.Make(c =>
        {
            Label next = c.CreateLabel();
            c.mov(di, Results);
            c.Label(ref next);
            c.mov(ah, 0x00);
            c.@int(0x16);
            c.stosw();
            c.cmp(di, Results + 12);
            c.jb(next);
            BiosMachine.Exit(c);
        });
        using BiosMachine machine = new(EngineKind.Auto, [BootSector.Floppy(BootSector.Disk(sector, 1474560))], parts: ["bios.serial=on"]);
        machine.Type("aA1\r\u001b[A\u001b[3~");
        Assert.Equal(MachineExitKind.DebugExit, machine.Machine.Run(BiosMachine.Enough).Kind);
        ushort[] keys = [.. Enumerable.Range(0, 6).Select(i => machine.Machine.Memory.ReadUInt16((ulong)(Results + (2 * i))))];
        Assert.Equal([0x1E61, 0x1E41, 0x0231, 0x1C0D, 0x4800, 0x5300], keys);
    }

    /// <summary>What is written stands on the screen with its attribute, scrolls, and goes to the serial console as a log would have it.</summary>
    [Fact]
    public void Text_is_written_scrolled_and_logged()
    {
        using BiosMachine machine = BiosMachine.RunFloppy(
            EngineKind.Auto,
            c =>
            {
                Label next = c.CreateLabel();
                Label text = c.CreateLabel();
                Label done = c.CreateLabel();
                c.mov(bl, (byte)'A');
                c.Label(ref next);
                c.mov(al, bl);
                c.mov(ah, 0x0E);
                c.@int(0x10);
                c.mov(ax, 0x0E0D);
                c.@int(0x10);
                c.mov(ax, 0x0E0A);
                c.@int(0x10);
                c.inc(bl);
                c.cmp(bl, (byte)'Z');
                c.jbe(next);
                c.mov(ax, 0x091A);
                c.mov(bx, 0x001E);
                c.mov(cx, 2);
                c.@int(0x10);
                BiosMachine.Exit(c);
            },
            parts: ["bios.serial=on"]);
        string[] lines = machine.Screen.Split('\n');
        Assert.Equal("C", lines[0]);
        Assert.Equal("Z", lines[23]);
        Assert.Equal("→→", lines[24]);
        ScreenSnapshot screen = machine.Machine.Screen!.Capture(withPicture: false);
        Assert.Equal(new TextCell(0x1A, 0x1E), screen.Cells[24 * 80]);
        Assert.Equal(new TextCell((byte)'Z', 0x07), screen.Cells[23 * 80]);
        Assert.StartsWith("A\r\nB\r\nC\r\n", machine.Sent, StringComparison.Ordinal);
        Assert.EndsWith("Z\r\n\u001b[0;1;33;44m→→", machine.Sent, StringComparison.Ordinal);
    }

    /// <summary>VBE modes are told, set and drawn in: through the window, and where the mode's information says that its memory is.</summary>
    [Theory]
    [InlineData(0x146, 320, 200, 8)]
    [InlineData(0x101, 640, 480, 8)]
    [InlineData(0x113, 800, 600, 15)]
    [InlineData(0x117, 1024, 768, 16)]
    [InlineData(0x11B, 1280, 1024, 24)]
    [InlineData(0x192, 1920, 1080, 32)]
    public void VBE_modes_are_told_set_and_drawn_in(ushort mode, int width, int height, int bits)
    {
        uint white = bits == 8 ? 0x0F0F_0F0F : uint.MaxValue;
        foreach (EngineKind engine in new[] { EngineKind.Interpreter, EngineKind.Auto })
        {
            using BiosMachine machine = BiosMachine.RunFloppy(engine, c =>
            {
                c.mov(ax, 0x4F01);
                c.mov(cx, mode);
                c.mov(di, Buffer);
                c.@int(0x10);
                c.mov(ax, 0x4F02);
                c.mov(bx, mode);
                c.@int(0x10);
                c.mov(ax, 0x4F05);
                c.mov(bx, 0);
                c.mov(dx, 1);
                c.@int(0x10);
                c.mov(ax, 0xA000);
                c.mov(es, ax);
                c.mov(__dword_ptr[0x7000], white);
                c.mov(eax, __dword_ptr[0x7000]);
                c.xor(di, di);
                c.stosd();
                c.mov(ax, 0x4F05);
                c.mov(bx, 0);
                c.mov(dx, 0);
                c.@int(0x10);
                c.mov(eax, __dword_ptr[0x7000]);
                c.xor(di, di);
                c.stosd();
                BiosMachine.Exit(c);
            });
            ScreenSnapshot screen = machine.Machine.Screen!.Capture();
            Assert.Equal((ScreenKind.Graphics, width, height, bits), (screen.Kind, screen.Width, screen.Height, screen.BitsPerPixel));
            Assert.Equal(new byte[] { 255, 255, 255 }, screen.Picture!.Rgb[..3]);
            Assert.Equal(new byte[] { 0, 0, 0 }, screen.Picture.Rgb[^3..]);
            byte[] told = new byte[256];
            machine.Machine.Memory.Read(Buffer, told);
            int line = width * ((bits + 7) / 8);
            Assert.Equal((line, width, height, bits), (BitConverter.ToUInt16(told, 16), BitConverter.ToUInt16(told, 18), BitConverter.ToUInt16(told, 20), told[25]));
            byte[] pixels = new byte[4];
            uint address = BitConverter.ToUInt32(told, 40);
            Assert.True(machine.Machine.Memory.Read(address, pixels));
            Assert.Equal(BitConverter.GetBytes(white), pixels);
            Assert.True(machine.Machine.Memory.Read(address + 0x1_0000, pixels));
            Assert.Equal(BitConverter.GetBytes(white), pixels);
        }
    }

    /// <summary>Every standard mode is set, and a pixel or a character is where it belongs.</summary>
    [Theory]
    [InlineData(0x03, 720, 400, ScreenKind.Text)]
    [InlineData(0x01, 720, 400, ScreenKind.Text)]
    [InlineData(0x07, 720, 400, ScreenKind.Text)]
    [InlineData(0x04, 320, 200, ScreenKind.Graphics)]
    [InlineData(0x06, 640, 200, ScreenKind.Graphics)]
    [InlineData(0x0D, 320, 200, ScreenKind.Graphics)]
    [InlineData(0x0E, 640, 200, ScreenKind.Graphics)]
    [InlineData(0x10, 640, 350, ScreenKind.Graphics)]
    [InlineData(0x11, 640, 480, ScreenKind.Graphics)]
    [InlineData(0x12, 640, 480, ScreenKind.Graphics)]
    [InlineData(0x13, 320, 200, ScreenKind.Graphics)]
    public void Modes_are_set_and_drawn_in(byte mode, int width, int height, ScreenKind kind)
    {
        using BiosMachine machine = BiosMachine.RunFloppy(EngineKind.Auto, c =>
        {
            c.mov(ax, (ushort)mode);
            c.@int(0x10);
            c.mov(ax, 0x0C01);
            c.mov(bx, 0);
            c.mov(cx, 17);
            c.mov(dx, 100);
            c.@int(0x10);
            c.mov(ax, 0x0D00);
            c.@int(0x10);
            c.mov(__byte_ptr[Results], al);
            c.mov(ax, 0x0941);
            c.mov(bx, 1);
            c.mov(cx, 1);
            c.@int(0x10);
            c.mov(ax, 0x0800);
            c.@int(0x10);
            c.mov(__byte_ptr[Results + 1], al);
            BiosMachine.Exit(c);
        });
        ScreenSnapshot screen = machine.Machine.Screen!.Capture(withPicture: true);
        Assert.Equal((kind, width, height), (screen.Kind, screen.Width, screen.Height));
        Assert.Equal((byte)'A', (byte)(machine.Machine.Memory.ReadUInt16(Results) >> 8));
        if (kind == ScreenKind.Graphics)
        {
            Assert.Equal(1, machine.Machine.Memory.ReadUInt16(Results) & 0xFF);
        }
    }

    // Registers before and after, by way of memory.
    private static int[] CallOnce(EngineKind engine, int vector, int[] given, out bool carry, out Pc machine)
    {
        byte[] sector = BootSector.Make(c =>
        {
            c.mov(ax, (ushort)given[0]);
            c.mov(bx, (ushort)given[1]);
            c.mov(cx, (ushort)given[2]);
            c.mov(dx, (ushort)given[3]);
            c.@int((byte)vector);
            c.mov(__word_ptr[Results], ax);
            c.mov(__word_ptr[Results + 2], bx);
            c.mov(__word_ptr[Results + 4], cx);
            c.mov(__word_ptr[Results + 6], dx);
            c.pushf();
            c.pop(__word_ptr[Results + 8]);
            BiosMachine.Exit(c);
        });
        using MemoryDisk hard = new(8 << 20);
        using BiosMachine run = new(engine, [BootSector.Floppy(BootSector.Disk(sector, 1474560)), BootSector.HardDisk(hard)]);
        machine = run.Machine;
        Assert.Equal(MachineExitKind.DebugExit, machine.Run(BiosMachine.Enough).Kind);
        int[] results = new int[4];
        for (int i = 0; i < results.Length; i++)
        {
            results[i] = machine.Memory.ReadUInt16((ulong)(Results + (2 * i)));
        }

        carry = (machine.Memory.ReadUInt16(Results + 8) & Carry) != 0;
        return results;
    }
}
