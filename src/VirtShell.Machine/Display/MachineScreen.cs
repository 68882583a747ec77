using VirtShell.Machine.Bus;

namespace VirtShell.Machine.Display;

/// <summary>The screen of a machine. Nothing is drawn, and a look costs nothing, until somebody asks; between runs, or on the running thread.</summary>
public sealed class MachineScreen
{
    private readonly VgaAdapter _display;
    private readonly MachineClock _clock;

    internal MachineScreen(VgaAdapter display, MachineClock clock)
    {
        _display = display;
        _clock = clock;
    }

    /// <summary>What the screen shows now.</summary>
    /// <param name="withPicture">Whether to draw the picture, too, which text does not need.</param>
    public ScreenSnapshot Capture(bool withPicture = true)
    {
        _display.Window.Refresh();
        VgaRegisters registers = _display.Registers;
        DispiRegisters dispi = _display.Dispi;
        if (dispi.IsEnabled)
        {
            ScreenPicture black = Black(dispi.Width, dispi.Height, withPicture && !registers.IsScreenOn);
            return new ScreenSnapshot
            {
                Kind = registers.IsScreenOn ? ScreenKind.Graphics : ScreenKind.Blank,
                Width = dispi.Width,
                Height = dispi.Height,
                BitsPerPixel = dispi.Bits,
                Picture = !withPicture ? null : registers.IsScreenOn ? DispiRenderer.Draw(dispi, registers, _display.Memory) : black,
                Time = _clock.Now,
            };
        }

        VgaRenderer renderer = new(registers, _display.Memory);
        VgaGeometry geometry = renderer.Geometry;
        if (!registers.IsScreenOn)
        {
            return new ScreenSnapshot
            {
                Kind = ScreenKind.Blank,
                Width = geometry.Width,
                Height = geometry.Lines,
                Picture = withPicture ? Black(geometry.Width, geometry.Lines, true) : null,
                Time = _clock.Now,
            };
        }

        ScreenPicture? picture = withPicture ? renderer.Draw() : null;
        if (geometry.IsGraphics)
        {
            (int width, int height, int bits) = renderer.Mode;
            return new ScreenSnapshot { Kind = ScreenKind.Graphics, Width = width, Height = height, BitsPerPixel = bits, Picture = picture, Palette = renderer.Palette, Time = _clock.Now };
        }

        (var cells, int rows, (int Row, int Column)? cursor) = renderer.ReadText();
        return new ScreenSnapshot
        {
            Kind = ScreenKind.Text,
            Width = geometry.Width,
            Height = geometry.Lines,
            BitsPerPixel = 4,
            Columns = geometry.Columns,
            Rows = rows,
            Cells = cells,
            Cursor = cursor,
            Palette = renderer.Palette,
            Picture = picture,
            Time = _clock.Now,
        };
    }

    private static ScreenPicture Black(int width, int height, bool isWanted) => new(width, height, isWanted ? new byte[width * height * 3] : []);
}
