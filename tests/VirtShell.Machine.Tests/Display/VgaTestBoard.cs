using VirtShell.Machine.Display;

namespace VirtShell.Machine.Tests.Display;

/// <summary>A board with a display, driven by ports and addresses as a guest does.</summary>
internal sealed class VgaTestBoard
{
    public const ulong Window = 0xA_0000;

    public VgaTestBoard(string memory = "16")
    {
        Board = new TestBoard("vga=on", "vga.memory=" + memory);
        Adapter = Board.Board.Find<VgaAdapter>()!;
        Screen = new MachineScreen(Adapter, Board.Clock);
    }

    public TestBoard Board { get; }

    public VgaAdapter Adapter { get; }

    public MachineScreen Screen { get; }

    public static VgaTestBoard InTextMode()
    {
        VgaTestBoard rig = new();
        VgaTextMode.Set(rig.Adapter);
        return rig;
    }

    public void Indexed(int port, int index, int value)
    {
        Board.Out(port, index);
        Board.Out(port + 1, value);
    }

    public byte Indexed(int port, int index)
    {
        Board.Out(port, index);
        return Board.In(port + 1);
    }

    public void Attribute(int index, int value)
    {
        Board.In(0x3DA);
        Board.Out(0x3C0, index);
        Board.Out(0x3C0, value);
        Board.Out(0x3C0, 0x20);
    }

    public void Dispi(int index, int value)
    {
        Board.Bus.WritePort(0x1CE, 2, (uint)index);
        Board.Bus.WritePort(0x1CF, 2, (uint)value);
    }

    public int Dispi(int index)
    {
        Board.Bus.WritePort(0x1CE, 2, (uint)index);
        return (int)Board.Bus.ReadPort(0x1CF, 2);
    }

    public void Poke(int offset, int value) => Board.Bus.WriteMmio(Window + (ulong)offset, 1, (uint)value);

    public int Peek(int offset) => (int)Board.Bus.ReadMmio(Window + (ulong)offset, 1);

    /// <summary>A mode of planes without text: sequential addresses, 64 KiB at A0000h, all planes written.</summary>
    public void UsePlanes()
    {
        Board.Out(0x3C2, 0x63);
        Indexed(0x3C4, 1, 1);
        Indexed(0x3C4, 2, 0xF);
        Indexed(0x3C4, 4, 6);
        Indexed(0x3CE, 5, 0);
        Indexed(0x3CE, 6, 5);
        Indexed(0x3CE, 8, 0xFF);
    }

    /// <summary>Timing and addresses of a picture.</summary>
    public void Picture(int columns, int lines, int offset, int maxScan, int mode, int underline = 0)
    {
        Indexed(0x3D4, 0x11, 0);
        Indexed(0x3D4, 1, columns - 1);
        Indexed(0x3D4, 7, (((lines - 1) >> 7) & 2) | (((lines - 1) >> 3) & 0x40) | 0x10);
        Indexed(0x3D4, 9, 0x40 | maxScan);
        Indexed(0x3D4, 0x12, (lines - 1) & 0xFF);
        Indexed(0x3D4, 0x13, offset);
        Indexed(0x3D4, 0x14, underline);
        Indexed(0x3D4, 0x17, mode);
        Indexed(0x3D4, 0x18, 0xFF);
        for (int i = 0; i < 16; i++)
        {
            Attribute(i, i);
        }

        Attribute(0x10, 1);
        Attribute(0x12, 0xF);
        Board.Out(0x3C6, 0xFF);
        Board.Out(0x3C8, 0);
        for (int i = 0; i < 256; i++)
        {
            // Red is the number, so that a picture shows it.
            Board.Out(0x3C9, i & 0x3F);
            Board.Out(0x3C9, i >> 6);
            Board.Out(0x3C9, 0);
        }
    }

    /// <summary>The number in the DAC of each dot of a line, in a palette of <see cref="Picture"/>.</summary>
    public int[] Line(ScreenPicture picture, int line)
    {
        int[] numbers = new int[picture.Width];
        for (int x = 0; x < picture.Width; x++)
        {
            int at = ((line * picture.Width) + x) * 3;
            numbers[x] = (picture.Rgb[at] >> 2) | ((picture.Rgb[at + 1] >> 2) << 6);
        }

        return numbers;
    }
}
