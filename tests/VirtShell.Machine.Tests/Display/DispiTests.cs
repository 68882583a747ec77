using System;
using System.Linq;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Display;
using Xunit;

namespace VirtShell.Machine.Tests.Display;

/// <summary>Linear modes by the Bochs VBE interface, and their memory.</summary>
public sealed class DispiTests
{
    private const int Linear = 0x41;

    [Fact]
    public void Capabilities_and_memory_are_told()
    {
        VgaTestBoard rig = new("8");
        Assert.Equal(0xB0C5, rig.Dispi(0));
        Assert.Equal(128, rig.Dispi(10));
        rig.Dispi(4, 2);
        Assert.Equal((4096, 4096, 32), (rig.Dispi(1), rig.Dispi(2), rig.Dispi(3)));
        rig.Dispi(0, 0xB0C2);
        Assert.Equal(0xB0C2, rig.Dispi(0));
        rig.Dispi(0, 0x1234);
        Assert.Equal(0xB0C2, rig.Dispi(0));
    }

    [Theory]
    [InlineData(8, new byte[] { 0x12 }, "490000")]
    [InlineData(15, new byte[] { 0x1F, 0x7C }, "FF00FF")]
    [InlineData(16, new byte[] { 0xE0, 0x07 }, "00FF00")]
    [InlineData(24, new byte[] { 1, 2, 3 }, "030201")]
    [InlineData(32, new byte[] { 4, 5, 6, 0 }, "060504")]
    public void A_linear_mode_shows_its_memory(int bits, byte[] pixel, string expected)
    {
        VgaTestBoard rig = new();
        rig.Board.Out(0x3C2, 0x63);
        rig.Picture(80, 400, 40, 0, 0xE3);
        Mode(rig, 800, 600, bits);
        ulong at = Aperture(rig) + (ulong)(((599 * 800) + 799) * pixel.Length);
        foreach (byte part in pixel)
        {
            rig.Board.Bus.WriteMmio(at++, 1, part);
        }

        ScreenSnapshot screen = rig.Screen.Capture();
        Assert.Equal($"graphics 800×600, {bits} bits", screen.ToString());
        Assert.Equal(expected, Convert.ToHexString(screen.Picture!.Rgb.AsSpan()[^3..]));
        Assert.Equal("000000", Convert.ToHexString(screen.Picture.Rgb.AsSpan(0, 3)));
    }

    [Fact]
    public void A_wider_line_and_offsets_scroll_the_picture()
    {
        VgaTestBoard rig = new();
        rig.Board.Out(0x3C2, 0x63);
        rig.Attribute(0, 0);
        Mode(rig, 640, 480, 32);
        rig.Dispi(6, 1024);
        Assert.Equal((16 << 20) / 4096, rig.Dispi(7));
        rig.Dispi(8, 16);
        rig.Dispi(9, 100);
        rig.Board.Bus.WriteMmio(Aperture(rig) + (100 * 4096) + (16 * 4), 4, 0x00AB_CDEF);
        Assert.Equal("ABCDEF", Convert.ToHexString(rig.Screen.Capture().Picture!.Rgb.AsSpan(0, 3)));
        rig.Dispi(9, 60000);
        Assert.Equal(4096 - 480, rig.Dispi(9));
    }

    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(65535, 65535, 65535)]
    [InlineData(4096, 4096, 32)]
    [InlineData(3, 1, 4)]
    public void Whatever_is_asked_becomes_a_mode_that_memory_holds(int width, int height, int bits)
    {
        VgaTestBoard rig = new("1");
        Mode(rig, width, height, bits);
        DispiRegisters dispi = rig.Adapter.Dispi;
        Assert.InRange(dispi.FirstByte + (dispi.LineBytes * (dispi.Height - 1)) + (dispi.Width * dispi.Bits / 8), 1, 1 << 20);
        Assert.InRange(dispi.Width, 8, 4096);
        rig.Dispi(6, 65535);
        rig.Dispi(8, 65535);
        rig.Dispi(9, 65535);
        Assert.InRange(dispi.FirstByte + (dispi.LineBytes * (dispi.Height - 1)) + (dispi.Width * dispi.Bits / 8), 1, 1 << 20);
        Assert.NotNull(rig.Screen.Capture().Picture);
    }

    [Fact]
    public void A_new_mode_clears_memory_unless_it_keeps_it()
    {
        VgaTestBoard rig = new();
        ulong at = Aperture(rig);
        rig.Board.Bus.WriteMmio(at + 4000, 4, 0x1234_5678);
        Mode(rig, 640, 480, 8, Linear | 0x80);
        Assert.Equal(0x1234_5678u, rig.Board.Mmio(at + 4000));
        rig.Dispi(4, 0);
        Mode(rig, 640, 480, 8);
        Assert.Equal(0u, rig.Board.Mmio(at + 4000));
    }

    [Fact]
    public void Banks_show_memory_at_A0000h()
    {
        VgaTestBoard rig = new();
        rig.UsePlanes();
        Mode(rig, 640, 480, 8);
        rig.Dispi(5, 3);
        rig.Poke(0x1234, 0x5A);
        Assert.Equal(0x5Au, rig.Board.Bus.ReadMmio(Aperture(rig) + 0x31234, 1));
        rig.Dispi(5, 65535);
        Assert.Equal(255, rig.Dispi(5));
    }

    /// <summary>Content follows the base address register, at the speed of RAM, and is nowhere else.</summary>
    [Fact]
    public void Memory_follows_its_base_address()
    {
        VgaTestBoard rig = new();
        PhysicalMemory memory = rig.Board.Board.Memory;
        ulong first = Aperture(rig);
        rig.Board.Bus.WriteMmio(first + 0x20000, 4, 0xCAFE_F00D);
        Assert.Equal(PageKinds.Ram, memory.KindOf(first + 0x20000));
        Assert.Equal(PageKinds.None, memory.KindOf(first + 0x30000));

        // RAM of the display is in no hash and no dirty page of the machine's.
        ulong hash = memory.Hash();
        memory.WriteUInt32(first + 0x20004, 7);
        Assert.Equal(hash, memory.Hash());
        const ulong Second = 0xF000_0000;
        PciTestMachine.WriteConfig(rig.Board.Bus, 2, 0, 0x10, 4, (uint)Second);
        Assert.Equal(PageKinds.None, memory.KindOf(first + 0x20000));
        Assert.Equal(0xCAFE_F00Du, rig.Board.Mmio(Second + 0x20000));
        Assert.Equal(7u, memory.ReadUInt32(Second + 0x20004));
        Assert.Equal(uint.MaxValue, rig.Board.Mmio(first + 0x20000));

        // Over RAM, it is reached by nobody; back again, all is there.
        PciTestMachine.WriteConfig(rig.Board.Bus, 2, 0, 0x10, 4, 0x0100_0000);
        Assert.Equal(PageKinds.Ram, memory.KindOf(0x0100_0000));
        Assert.Equal(0u, memory.ReadUInt32(0x0102_0000));
        PciTestMachine.WriteConfig(rig.Board.Bus, 2, 0, 0x10, 4, (uint)first);
        Assert.Equal(0xCAFE_F00Du, rig.Board.Mmio(first + 0x20000));
    }

    [Fact]
    public void Transfers_of_other_devices_reach_display_memory()
    {
        VgaTestBoard rig = VgaTestBoard.InTextMode();
        PhysicalMemory memory = rig.Board.Board.Memory;
        Assert.True(memory.Write(0xB8000, "H\u0007i\u0007"u8));
        Assert.Equal("Hi", rig.Screen.Capture(withPicture: false).Text);
        ulong at = Aperture(rig) + 0x50000;
        Assert.True(memory.Write(at, [9, 8]));
        Span<byte> back = stackalloc byte[2];
        Assert.True(memory.Read(at, back));
        Assert.Equal([9, 8], back.ToArray());
    }

    [Fact]
    public void Saved_state_shows_the_same_screen()
    {
        VgaTestBoard rig = VgaTestBoard.InTextMode();
        for (int i = 0; i < 600; i++)
        {
            rig.Poke(0x18000 + (2 * i), 'a' + (i % 26));
        }

        rig.Board.Bus.WriteMmio(Aperture(rig) + 0x90_0000, 4, 0xDEAD_BEEF);
        ScreenSnapshot before = rig.Screen.Capture();
        TestBoard copy = rig.Board.Copy();
        VgaAdapter adapter = copy.Board.Find<VgaAdapter>()!;
        ScreenSnapshot after = new MachineScreen(adapter, copy.Clock).Capture();
        Assert.Equal(before.Text, after.Text);
        Assert.True(before.Picture!.Rgb.SequenceEqual(after.Picture!.Rgb));
        Assert.Equal(0xDEAD_BEEFu, copy.Mmio(Aperture(rig) + 0x90_0000));
    }

    private static void Mode(VgaTestBoard rig, int width, int height, int bits, int enable = Linear)
    {
        rig.Dispi(4, 0);
        rig.Dispi(1, width);
        rig.Dispi(2, height);
        rig.Dispi(3, bits);
        rig.Dispi(4, enable);
    }

    private static ulong Aperture(VgaTestBoard rig) => PciTestMachine.ReadConfig(rig.Board.Bus, 2, 0, 0x10, 4) & ~0xFu;
}
