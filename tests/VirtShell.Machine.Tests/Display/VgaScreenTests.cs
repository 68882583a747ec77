using System.Linq;
using VirtShell.Machine.Display;
using Xunit;

namespace VirtShell.Machine.Tests.Display;

/// <summary>What the screen shows, dot by dot.</summary>
public sealed class VgaScreenTests
{
    [Fact]
    public void A_display_that_nobody_set_up_is_blank()
    {
        ScreenSnapshot screen = new VgaTestBoard().Screen.Capture();
        Assert.Equal(ScreenKind.Blank, screen.Kind);
        Assert.Empty(screen.Text);
        Assert.All(screen.Picture!.Rgb, part => Assert.Equal(0, part));
    }

    [Fact]
    public void Text_is_read_in_Unicode_with_attributes_and_cursor()
    {
        VgaTestBoard rig = VgaTestBoard.InTextMode();
        Write(rig, 0, 0, "C:\\>dir", 0x1F);
        Write(rig, 2, 3, "\u2554\u2550\u2557 \u00FC", 0x4E);
        rig.Indexed(0x3D4, 0xE, 0);
        rig.Indexed(0x3D4, 0xF, 7);
        ScreenSnapshot screen = rig.Screen.Capture(withPicture: false);
        Assert.Equal("text 80×25", screen.ToString());
        Assert.Equal((720, 400), (screen.Width, screen.Height));
        Assert.Equal("C:\\>dir\n\n   ╔═╗ ü", screen.Text);
        Assert.Equal((0, 7), screen.Cursor);
        Assert.Equal(new TextCell((byte)'d', 0x1F), screen.Cells[4]);
        Assert.Equal((0xF, 1), (screen.Cells[4].Foreground, screen.Cells[4].Background));
        Assert.Equal(0xFFFF55u, screen.Palette[14]);
        Assert.Null(screen.Picture);
    }

    [Fact]
    public void Characters_are_drawn_from_plane_2_nine_dots_wide()
    {
        VgaTestBoard rig = VgaTestBoard.InTextMode();
        Glyph(rig, 0x41, 0x81);
        Glyph(rig, 0xC4, 0x81);
        Write(rig, 0, 0, "A", 0x07);
        Write(rig, 0, 1, "\u2500", 0x1F);
        rig.Indexed(0x3D4, 0xA, 0x20);
        ScreenPicture picture = rig.Screen.Capture().Picture!;
        Assert.Equal((720, 400), (picture.Width, picture.Height));
        const string Grey = "AAAAAA", Black = "000000", White = "FFFFFF", Blue = "0000AA";
        Assert.Equal([Grey, .. Enumerable.Repeat(Black, 6), Grey, Black], Dots(picture, 0, 0, 9));

        // The ninth dot of line characters is their eighth once more.
        Assert.Equal([White, .. Enumerable.Repeat(Blue, 6), White, White], Dots(picture, 9, 0, 9));
    }

    [Fact]
    public void The_cursor_covers_its_lines()
    {
        VgaTestBoard rig = VgaTestBoard.InTextMode();
        rig.Indexed(0x3D4, 0xA, 14);
        rig.Indexed(0x3D4, 0xB, 15);
        rig.Indexed(0x3D4, 0xE, 0);
        rig.Indexed(0x3D4, 0xF, 81);
        ScreenPicture picture = rig.Screen.Capture().Picture!;
        Assert.Equal(Enumerable.Repeat("000000", 9), Dots(picture, 9, 29, 9));
        Assert.Equal(["000000", .. Enumerable.Repeat("AAAAAA", 9), "000000"], Dots(picture, 8, 30, 11));
        Assert.Equal((1, 1), rig.Screen.Capture().Cursor);
    }

    [Fact]
    public void Two_fonts_are_chosen_by_the_attribute()
    {
        VgaTestBoard rig = VgaTestBoard.InTextMode();
        Glyph(rig, 0x41, 0xFF);
        Glyph(rig, 0x41, 0x00, font: 0x2000);

        // Attributes with bit 3 take map 4, which begins at 8 KiB.
        rig.Indexed(0x3C4, 3, 0x20);
        Write(rig, 0, 0, "A", 0x07);
        Write(rig, 0, 1, "A", 0x0F);
        ScreenPicture picture = rig.Screen.Capture().Picture!;
        Assert.Equal(Enumerable.Repeat("AAAAAA", 8), Dots(picture, 0, 0, 8));
        Assert.Equal(Enumerable.Repeat("000000", 8), Dots(picture, 9, 0, 8));
    }

    [Fact]
    public void A_bright_background_needs_blinking_off()
    {
        VgaTestBoard rig = VgaTestBoard.InTextMode();
        Glyph(rig, 0x20, 0);
        Write(rig, 0, 0, " ", 0xF0);
        Assert.Equal("AAAAAA", Dots(rig.Screen.Capture().Picture!, 0, 0, 1)[0]);
        rig.Attribute(0x10, 0x04);
        Assert.Equal("FFFFFF", Dots(rig.Screen.Capture().Picture!, 0, 0, 1)[0]);
    }

    [Fact]
    public void Mode_13h_shows_each_byte_as_two_dots_on_two_lines()
    {
        VgaTestBoard rig = Mode13();
        rig.Poke(0, 200);
        rig.Poke(1, 7);
        rig.Poke(320, 63);
        rig.Poke(63999, 255);
        ScreenSnapshot screen = rig.Screen.Capture();
        Assert.Equal("graphics 320×200, 8 bits", screen.ToString());
        Assert.Equal((640, 400), (screen.Picture!.Width, screen.Picture.Height));
        Assert.Equal([200, 200, 7, 7, 0, 0], rig.Line(screen.Picture, 0)[..6]);
        Assert.Equal(rig.Line(screen.Picture, 0), rig.Line(screen.Picture, 1));
        Assert.Equal([63, 63, 0], rig.Line(screen.Picture, 2)[..3]);
        Assert.Equal([0, 255, 255], rig.Line(screen.Picture, 399)[^3..]);
    }

    /// <summary>Unchained: each plane has every fourth pixel, and lines may be 100, 200 or 400.</summary>
    [Fact]
    public void Mode_X_shows_planes_in_turn()
    {
        VgaTestBoard rig = Mode13();
        rig.Indexed(0x3C4, 4, 6);
        rig.Indexed(0x3D4, 0x14, 0);
        rig.Indexed(0x3D4, 0x17, 0xE3);
        rig.Indexed(0x3D4, 9, 0x40);
        for (int plane = 0; plane < 4; plane++)
        {
            rig.Indexed(0x3C4, 2, 1 << plane);
            rig.Poke(80, 10 + plane);
        }

        ScreenSnapshot screen = rig.Screen.Capture();
        Assert.Equal((320, 400), (screen.Width, screen.Height));
        Assert.Equal([10, 10, 11, 11, 12, 12, 13, 13, 0], rig.Line(screen.Picture!, 1)[..9]);
    }

    [Fact]
    public void Planar_pixels_take_a_bit_of_each_plane_through_the_palette()
    {
        VgaTestBoard rig = new();
        rig.UsePlanes();
        rig.Picture(80, 480, 40, 0, 0xE3);
        for (int plane = 0; plane < 4; plane++)
        {
            rig.Indexed(0x3C4, 2, 1 << plane);
            rig.Poke(80, new[] { 0xAA, 0xCC, 0xF0, 0x80 }[plane]);
        }

        ScreenSnapshot screen = rig.Screen.Capture();
        Assert.Equal("graphics 640×480, 4 bits", screen.ToString());
        Assert.Equal([15, 6, 5, 4, 3, 2, 1, 0, 0], rig.Line(screen.Picture!, 1)[..9]);

        // A plane that is switched off, another palette entry, and the upper bits from the colour select register.
        rig.Attribute(0x12, 0x7);
        rig.Attribute(6, 0x2A);
        rig.Attribute(0x14, 0x4);
        Assert.Equal([64 + 7, 64 + 0x2A, 64 + 5], rig.Line(rig.Screen.Capture().Picture!, 1)[..3]);
        rig.Attribute(0x10, 0x81);
        rig.Attribute(0x14, 0x7);
        Assert.Equal(64 + 0x3A, rig.Line(rig.Screen.Capture().Picture!, 1)[1]);
    }

    [Fact]
    public void CGA_pixels_take_two_bits_and_odd_lines_from_8_KiB_up()
    {
        VgaTestBoard rig = new();
        rig.UsePlanes();
        rig.Picture(40, 400, 20, 1, 0xA2);
        rig.Indexed(0x3D4, 9, 0xC1);
        rig.Indexed(0x3C4, 1, 9);
        rig.Indexed(0x3C4, 2, 3);
        rig.Indexed(0x3C4, 4, 2);
        rig.Indexed(0x3CE, 5, 0x30);
        rig.Indexed(0x3CE, 6, 0xF);
        rig.Poke(0x18000, 0x1B);
        rig.Poke(0x18001, 0xE4);
        rig.Poke(0x1A000, 0xFF);
        ScreenSnapshot screen = rig.Screen.Capture();
        Assert.Equal("graphics 320×200, 2 bits", screen.ToString());
        Assert.Equal((640, 400), (screen.Picture!.Width, screen.Picture.Height));
        Assert.Equal([0, 0, 1, 1, 2, 2, 3, 3, 3, 3, 2, 2, 1, 1, 0, 0, 0], rig.Line(screen.Picture, 0)[..17]);
        Assert.Equal([0, 0, 1, 1], rig.Line(screen.Picture, 1)[..4]);
        Assert.Equal([3, 3, 3, 3, 3, 3, 3, 3, 0], rig.Line(screen.Picture, 2)[..9]);
    }

    [Fact]
    public void Start_address_panning_and_split_move_the_picture()
    {
        VgaTestBoard rig = new();
        rig.UsePlanes();
        rig.Picture(80, 480, 40, 0, 0xE3);
        rig.Indexed(0x3C4, 2, 1);
        rig.Poke(0, 0x80);
        rig.Poke(8000, 0x81);

        // The start at 8000, five dots to the left, the split after line 99.
        rig.Indexed(0x3D4, 0xC, 8000 >> 8);
        rig.Indexed(0x3D4, 0xD, 8000 & 0xFF);
        rig.Attribute(0x13, 5);
        Assert.Equal([0, 0, 1, 0], rig.Line(rig.Screen.Capture().Picture!, 0)[..4]);
        rig.Indexed(0x3D4, 7, 0x02);
        rig.Indexed(0x3D4, 9, 0);
        rig.Indexed(0x3D4, 0x18, 99);
        rig.Indexed(0x3D4, 0x12, 479 - 256);
        ScreenPicture picture = rig.Screen.Capture().Picture!;
        Assert.Equal(480, picture.Height);
        Assert.Equal(0, rig.Line(picture, 99)[0]);
        Assert.Equal(0, rig.Line(picture, 100)[0]);

        // Panning ends at the split where mode control says so.
        rig.Attribute(0x10, 0x21);
        Assert.Equal(1, rig.Line(rig.Screen.Capture().Picture!, 100)[0]);
    }

    [Fact]
    public void A_screen_that_is_switched_off_is_black()
    {
        VgaTestBoard rig = VgaTestBoard.InTextMode();
        Write(rig, 0, 0, "X", 0x70);
        rig.Indexed(0x3C4, 1, 0x20);
        Assert.Equal(ScreenKind.Blank, rig.Screen.Capture().Kind);
        rig.Indexed(0x3C4, 1, 0);
        Assert.Equal("X", rig.Screen.Capture().Text);
        rig.Board.In(0x3DA);
        rig.Board.Out(0x3C0, 0);
        Assert.Equal(ScreenKind.Blank, rig.Screen.Capture().Kind);
    }

    [Fact]
    public void Random_registers_never_break_the_picture()
    {
        System.Random random = new(7);
        VgaTestBoard rig = VgaTestBoard.InTextMode();
        for (int i = 0; i < 60; i++)
        {
            for (int j = 0; j < 8; j++)
            {
                switch (random.Next(4))
                {
                    case 0:
                        rig.Indexed(0x3D4, random.Next(25), random.Next(256));
                        break;
                    case 1:
                        rig.Indexed(0x3CE, random.Next(9), random.Next(256));
                        break;
                    case 2:
                        rig.Indexed(0x3C4, random.Next(5), random.Next(256) & 0xDF);
                        break;
                    default:
                        rig.Attribute(random.Next(21), random.Next(256));
                        break;
                }
            }

            ScreenSnapshot screen = rig.Screen.Capture();
            Assert.Equal(screen.Picture!.Width * screen.Picture.Height * 3, screen.Picture.Rgb.Length);
            Assert.Equal(screen.Rows * screen.Columns, screen.Cells.Count);
        }
    }

    private static VgaTestBoard Mode13()
    {
        VgaTestBoard rig = new();
        rig.UsePlanes();
        rig.Indexed(0x3C4, 4, 0xE);
        rig.Indexed(0x3CE, 5, 0x40);
        rig.Picture(80, 400, 40, 1, 0xA3, underline: 0x40);
        rig.Attribute(0x10, 0x41);
        return rig;
    }

    private static void Write(VgaTestBoard rig, int row, int column, string text, int attribute)
    {
        for (int i = 0; i < text.Length; i++)
        {
            Assert.True(CodePage437.TryFromUnicode(text[i], out byte code));
            int at = 0x18000 + (2 * ((row * 80) + column + i));
            rig.Poke(at, code);
            rig.Poke(at + 1, attribute);
        }
    }

    // All rows of a character alike.
    private static void Glyph(VgaTestBoard rig, int character, byte dots, int font = 0)
    {
        for (int row = 0; row < 16; row++)
        {
            int at = font + (character * 32) + row;
            rig.Adapter.Memory.WritePlanes(at, (rig.Adapter.Memory.ReadPlanes(at) & 0xFF00_FFFF) | ((uint)dots << 16));
        }
    }

    private static string[] Dots(ScreenPicture picture, int x, int y, int count) =>
        [.. Enumerable.Range(x, count).Select(dot => System.Convert.ToHexString(picture.Rgb, ((y * picture.Width) + dot) * 3, 3))];
}
