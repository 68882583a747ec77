using System;

namespace VirtShell.Machine.Bios;

/// <summary>Setting a mode: registers, colours, characters, and what the data area says.</summary>
internal sealed partial class BiosVideo
{
    private const byte NoPaletteLoading = 0x08;
    private const byte ColourDisplay = 0x08;
    private const int FontPlane = 4;
    private const int GlyphRoom = 32;
    private const int FontBlock = 0x2000;
    private const uint FontWindow = 0xA_0000;
    private const int DacColours = 256;

    private void SetMode(byte wanted)
    {
        bool keeps = (wanted & KeepMemory) != 0;
        if (VideoMode.Find(wanted & 0x7F) is not { } mode)
        {
            return;
        }

        c.SetData(Bda.VideoMode, mode.Number);
        c.SetDataWord(Bda.Columns, (ushort)mode.Columns);
        c.SetDataWord(Bda.PageSize, (ushort)(mode.PageSize == 0x10000 ? 0 : mode.PageSize));
        c.SetDataWord(Bda.PageStart, 0);
        for (int page = 0; page < PageCount; page++)
        {
            c.SetDataWord(Bda.Cursors + (2 * page), 0);
        }

        c.SetDataWord(Bda.CursorShape, 0x0607);
        c.SetData(Bda.ActivePage, 0);
        c.SetDataWord(Bda.CrtcPort, mode.CrtcPort);
        c.SetData(Bda.ModeControl, (byte)(mode.Number switch { 0 => 0x2C, 1 => 0x28, 2 => 0x2D, 4 => 0x2A, 5 => 0x2E, 6 => 0x1E, _ => 0x29 }));
        c.SetData(Bda.CgaPalette, (byte)(mode.Number == 6 ? 0x3F : 0x30));
        c.SetData(Bda.Rows, (byte)(mode.Rows - 1));
        c.SetDataWord(Bda.CharacterHeight, (ushort)mode.CharacterHeight);

        // 256 KiB and cursor emulation; the switches of a colour display; 400 lines, VGA; VGA in colour.
        c.SetData(Bda.VideoControl, (byte)(0x60 | (keeps ? KeepMemory : 0)));
        c.SetData(Bda.VideoSwitches, 0xF9);
        c.SetData(Bda.ModeOptions, (byte)((c.Data(Bda.ModeOptions) & (NoPaletteLoading | 0x06)) | 0x11));
        c.SetData(Bda.DisplayCode, ColourDisplay);
        PointAtFont(mode.CharacterHeight);
        if (!HasDisplay)
        {
            return;
        }

        VbeOff();
        WriteRegisters(mode);
        if ((c.Data(Bda.ModeOptions) & NoPaletteLoading) == 0)
        {
            LoadPalette(mode.Palette);
        }

        if (!keeps)
        {
            ClearMemory(mode);
        }

        if (mode.Kind == VideoKind.Text)
        {
            LoadFont(BiosRom.Font16, 16, 0);
            SetCursorShape(0x0607);
        }

        // Shows the picture.
        c.In(mode.CrtcPort + VgaPorts.StatusOffset);
        c.Out(VgaPorts.AttributeIndex, 0x20);
    }

    // The characters of graphics modes, and the upper half for the CGA's.
    private void PointAtFont(int height)
    {
        int font = height switch { 8 => BiosRom.Font8, 14 => BiosRom.Font14, _ => BiosRom.Font16 };
        c.SetWord(0x43 * 4, (ushort)font);
        c.SetWord((0x43 * 4) + 2, BiosRom.Segment);
        c.SetWord(0x1F * 4, BiosRom.Font8 + 1024);
        c.SetWord((0x1F * 4) + 2, BiosRom.Segment);
    }

    private void WriteRegisters(VideoMode mode)
    {
        c.In(mode.CrtcPort + VgaPorts.StatusOffset);
        c.Out(VgaPorts.AttributeIndex, 0);
        c.Out(VgaPorts.Miscellaneous, mode.Miscellaneous);
        WriteIndexed(VgaPorts.SequencerIndex, 0, 1);
        for (int i = 1; i < mode.Sequencer.Length; i++)
        {
            WriteIndexed(VgaPorts.SequencerIndex, i, mode.Sequencer[i]);
        }

        WriteIndexed(VgaPorts.SequencerIndex, 0, mode.Sequencer[0]);

        // The first registers are locked by a bit of this one.
        WriteIndexed(mode.CrtcPort, 0x11, mode.Crtc[0x11] & 0x7F);
        for (int i = 0; i < mode.Crtc.Length; i++)
        {
            WriteIndexed(mode.CrtcPort, i, mode.Crtc[i]);
        }

        for (int i = 0; i < mode.Graphics.Length; i++)
        {
            WriteIndexed(VgaPorts.GraphicsIndex, i, mode.Graphics[i]);
        }

        c.In(mode.CrtcPort + VgaPorts.StatusOffset);
        for (int i = 0; i < mode.Attribute.Length; i++)
        {
            c.Out(VgaPorts.AttributeIndex, i);
            c.Out(VgaPorts.AttributeIndex, mode.Attribute[i]);
        }
    }

    private void LoadPalette(VideoPalette palette)
    {
        int known = palette == VideoPalette.Vga ? DacColours : 64;
        c.Out(VgaPorts.PelMask, 0xFF);
        c.Out(VgaPorts.DacWrite, 0);
        bool isGrey = (c.Data(Bda.ModeOptions) & 0x02) != 0;
        for (int i = 0; i < DacColours; i++)
        {
            (byte red, byte green, byte blue) = i < known ? VideoMode.Colour(palette, i) : ((byte)0, (byte)0, (byte)0);
            if (isGrey)
            {
                red = green = blue = Grey(red, green, blue);
            }

            c.Out(VgaPorts.DacData, red);
            c.Out(VgaPorts.DacData, green);
            c.Out(VgaPorts.DacData, blue);
        }
    }

    private static byte Grey(int red, int green, int blue) => (byte)Math.Min(((30 * red) + (59 * green) + (11 * blue) + 50) / 100, 63);

    private void ClearMemory(VideoMode mode)
    {
        ulong pattern = mode.Kind == VideoKind.Text ? 0x0720_0720_0720_0720UL : 0UL;
        uint length = mode.Kind is VideoKind.Planar or VideoKind.Packed ? 0x1_0000u : 0x8000u;
        for (uint at = 0; at < length; at += sizeof(ulong))
        {
            c.Processor.WriteLinear(mode.Memory + at, pattern);
        }
    }

    /// <summary>Puts a font of the ROM into the plane of characters.</summary>
    private void LoadFont(int offset, int height, int block)
    {
        Span<byte> glyphs = stackalloc byte[BiosFont.Characters * height];
        c.Processor.ReadLinear(BiosRom.Base + (uint)offset, glyphs);
        LoadGlyphs(glyphs, height, 0, block);
    }

    private void LoadGlyphs(ReadOnlySpan<byte> glyphs, int height, int first, int block)
    {
        if (!HasDisplay)
        {
            return;
        }

        VideoMode mode = Mode;

        // Plane 2 alone, byte by byte, at A0000h.
        WriteIndexed(VgaPorts.SequencerIndex, 2, FontPlane);
        WriteIndexed(VgaPorts.SequencerIndex, 4, 0x06);
        WriteIndexed(VgaPorts.GraphicsIndex, 5, 0);
        WriteIndexed(VgaPorts.GraphicsIndex, 6, 0x04);
        Span<byte> room = stackalloc byte[GlyphRoom];
        uint start = FontWindow + (uint)(BlockOffset(block) + (first * GlyphRoom));
        for (int i = 0; (i + 1) * height <= glyphs.Length && first + i < BiosFont.Characters; i++)
        {
            room.Clear();
            glyphs.Slice(i * height, Math.Min(height, GlyphRoom)).CopyTo(room);
            c.Processor.WriteLinear(start + (uint)(i * GlyphRoom), (ReadOnlySpan<byte>)room);
        }

        WriteIndexed(VgaPorts.SequencerIndex, 2, mode.Sequencer[2]);
        WriteIndexed(VgaPorts.SequencerIndex, 4, mode.Sequencer[4]);
        WriteIndexed(VgaPorts.GraphicsIndex, 5, mode.Graphics[5]);
        WriteIndexed(VgaPorts.GraphicsIndex, 6, mode.Graphics[6]);
    }

    // Blocks 4 to 7 lie between the first four.
    private static int BlockOffset(int block) => ((block & 3) * 2 * FontBlock) + ((block & 4) != 0 ? FontBlock : 0);

    private void WriteIndexed(int port, int index, int value)
    {
        c.Out(port, index);
        c.Out(port + 1, value);
    }

    private byte ReadIndexed(int port, int index)
    {
        c.Out(port, index);
        return c.In(port + 1);
    }

    private void WriteCrtc(int index, int value) => WriteIndexed(c.DataWord(Bda.CrtcPort), index, value);
}
