using System.Collections.Generic;
using System.Linq;

namespace VirtShell.Machine.Bios;

/// <summary>A mode of the VBE: its number, size in pixels, and bits of a pixel (8, 15, 16, 24 or 32).</summary>
internal sealed record VbeMode(ushort Number, int Width, int Height, int Bits)
{
    private static readonly (int Width, int Height, ushort[] Numbers)[] s_sizes =
    [
        // Numbers for 8, 15, 16, 24 and 32 bits; 0 where there is none. The first are the VESA's, the rest as Bochs and QEMU number them.
        (320, 200, [0x146, 0x10D, 0x10E, 0x10F, 0x140]),
        (640, 400, [0x100, 0, 0, 0, 0x141]),
        (640, 480, [0x101, 0x110, 0x111, 0x112, 0x142]),
        (800, 600, [0x103, 0x113, 0x114, 0x115, 0x143]),
        (1024, 768, [0x105, 0x116, 0x117, 0x118, 0x144]),
        (1152, 864, [0x148, 0x149, 0x14A, 0x14B, 0x14C]),
        (1280, 720, [0, 0, 0x18D, 0x18E, 0x18F]),
        (1280, 768, [0, 0, 0x175, 0x176, 0x177]),
        (1280, 800, [0, 0, 0x178, 0x179, 0x17A]),
        (1280, 960, [0, 0, 0x17B, 0x17C, 0x17D]),
        (1280, 1024, [0x107, 0x119, 0x11A, 0x11B, 0x145]),
        (1440, 900, [0, 0, 0x17E, 0x17F, 0x180]),
        (1400, 1050, [0, 0, 0x181, 0x182, 0x183]),
        (1600, 1200, [0x11C, 0x11D, 0x11E, 0x11F, 0x147]),
        (1680, 1050, [0, 0, 0x184, 0x185, 0x186]),
        (1920, 1080, [0, 0, 0x190, 0x191, 0x192]),
    ];

    private static readonly int[] s_depths = [8, 15, 16, 24, 32];

    /// <summary>All of them, by their numbers.</summary>
    public static IReadOnlyList<VbeMode> All { get; } =
    [
        .. s_sizes.SelectMany(size => size.Numbers.Select((number, depth) => new VbeMode(number, size.Width, size.Height, s_depths[depth])))
            .Where(mode => mode.Number != 0)
            .OrderBy(mode => mode.Number),
    ];

    /// <summary>Bytes of a pixel.</summary>
    public int PixelBytes => (Bits + 7) / 8;

    /// <summary>Bytes of a line.</summary>
    public int LineBytes => Width * PixelBytes;

    /// <summary>Bytes of a picture.</summary>
    public int Bytes => LineBytes * Height;

    public static VbeMode? Find(int number) => All.FirstOrDefault(mode => mode.Number == number);
}
