using System;
using System.Buffers.Binary;

namespace VirtShell.Machine.Bios;

/// <summary>Characters (INT 10h 11h), the alternate functions (12h), and what the BIOS says of its state (1Bh).</summary>
internal sealed partial class BiosVideo
{
    private void CallFont()
    {
        byte function = c.Al;
        byte block = c.Bl;
        switch (function)
        {
            case 0x00 or 0x10:
                LoadUserFont();
                if (function == 0x10)
                {
                    SetTextHeight(c.Bh);
                }

                break;
            case 0x01 or 0x11:
                LoadFont(BiosRom.Font14, 14, block);
                if (function == 0x11)
                {
                    SetTextHeight(14);
                }

                break;
            case 0x02 or 0x12:
                LoadFont(BiosRom.Font8, 8, block);
                if (function == 0x12)
                {
                    SetTextHeight(8);
                }

                break;
            case 0x03:
                if (HasDisplay)
                {
                    WriteIndexed(VgaPorts.SequencerIndex, 3, block);
                }

                break;
            case 0x04 or 0x14:
                LoadFont(BiosRom.Font16, 16, block);
                if (function == 0x14)
                {
                    SetTextHeight(16);
                }

                break;
            case 0x20:
                PointAt(0x1F, c.Bp, c.Es);
                break;
            case 0x21:
                PointAt(0x43, c.Bp, c.Es);
                SetGraphicRows(c.Cl == 0 ? 16 : c.Cl);
                break;
            case 0x22 or 0x23 or 0x24:
                (int font, int height) = function switch { 0x22 => (BiosRom.Font14, 14), 0x23 => (BiosRom.Font8, 8), _ => (BiosRom.Font16, 16) };
                PointAt(0x43, (ushort)font, BiosRom.Segment);
                SetGraphicRows(height);
                break;
            case 0x30:
                TellFont();
                break;
            default:
                break;
        }
    }

    private void PointAt(uint vector, ushort offset, ushort segment)
    {
        c.SetWord(vector * 4, offset);
        c.SetWord((vector * 4) + 2, segment);
    }

    private void LoadUserFont()
    {
        int height = c.Bh;
        int count = Math.Min((int)c.Cx, BiosFont.Characters);
        if (height is 0 or > GlyphRoom)
        {
            return;
        }

        Span<byte> glyphs = stackalloc byte[count * height];
        c.ReadEs(c.Bp, glyphs);
        LoadGlyphs(glyphs, height, c.Dx & 0xFF, c.Bl);
    }

    // As many rows as the lines have room for.
    private void SetTextHeight(int height)
    {
        if (height is 0 or > GlyphRoom)
        {
            return;
        }

        VideoMode mode = Mode;
        int rows = mode.Height / height;
        c.SetDataWord(Bda.CharacterHeight, (ushort)height);
        c.SetData(Bda.Rows, (byte)(rows - 1));
        c.SetDataWord(Bda.PageSize, (ushort)(((rows * Columns * 2) + 0xFF) & ~0xFF));
        if (!HasDisplay)
        {
            return;
        }

        int maximum = ReadIndexed(mode.CrtcPort, 9);
        WriteCrtc(9, (maximum & 0xE0) | (height - 1));
        int last = (rows * height) - 1;
        int overflow = ReadIndexed(mode.CrtcPort, 7);
        WriteCrtc(0x12, last);
        WriteCrtc(7, (overflow & ~0x42) | ((last & 0x100) >> 7) | ((last & 0x200) >> 3));
        WriteCrtc(0x0A, height - 2);
        WriteCrtc(0x0B, height - 1);
        c.SetDataWord(Bda.CursorShape, (ushort)(((height - 2) << 8) | (height - 1)));
    }

    private void SetGraphicRows(int height)
    {
        int rows = c.Bl switch { 1 => 14, 2 => 25, 3 => 43, _ => c.Dl };
        c.SetDataWord(Bda.CharacterHeight, (ushort)height);
        if (rows > 0)
        {
            c.SetData(Bda.Rows, (byte)(rows - 1));
        }
    }

    private void TellFont()
    {
        (ushort Offset, ushort Segment) font = c.Bh switch
        {
            0 => (c.Word(0x1F * 4), c.Word((0x1F * 4) + 2)),
            1 => (c.Word(0x43 * 4), c.Word((0x43 * 4) + 2)),
            2 or 5 => (BiosRom.Font14, BiosRom.Segment),
            3 => (BiosRom.Font8, BiosRom.Segment),
            4 => (BiosRom.Font8 + 1024, BiosRom.Segment),
            _ => (BiosRom.Font16, BiosRom.Segment),
        };
        c.Es = font.Segment;
        c.Bp = font.Offset;
        c.Cx = c.DataWord(Bda.CharacterHeight);
        c.Dl = c.Data(Bda.Rows);
    }

    private void CallAlternate()
    {
        const byte Done = 0x12;
        byte options = c.Data(Bda.ModeOptions);
        switch (c.Bl)
        {
            case 0x10:
                // In colour, 256 KiB, the switches of a colour display.
                (c.Bh, c.Bl, c.Cx) = (0, 3, 0x0009);
                return;
            case 0x20:
                return;
            case 0x30:
                int lines = c.Al switch { 0 => 0x80, 1 => 0x00, _ => 0x10 };
                c.SetData(Bda.ModeOptions, (byte)((options & ~0x90) | lines));
                c.Al = Done;
                return;
            case 0x31:
                c.SetData(Bda.ModeOptions, (byte)((c.Al & 1) != 0 ? options | NoPaletteLoading : options & ~NoPaletteLoading));
                c.Al = Done;
                return;
            case 0x32 or 0x35:
                c.Al = Done;
                return;
            case 0x33:
                c.SetData(Bda.ModeOptions, (byte)((c.Al & 1) != 0 ? options & ~0x02 : options | 0x02));
                c.Al = Done;
                return;
            case 0x34:
                byte control = c.Data(Bda.VideoControl);
                c.SetData(Bda.VideoControl, (byte)((control & ~1) | (c.Al & 1)));
                c.Al = Done;
                return;
            case 0x36:
                if (HasDisplay)
                {
                    byte clock = ReadIndexed(VgaPorts.SequencerIndex, 1);
                    WriteIndexed(VgaPorts.SequencerIndex, 1, (c.Al & 1) != 0 ? clock | 0x20 : clock & ~0x20);
                }

                c.Al = Done;
                return;
            default:
                return;
        }
    }

    // 64 bytes at ES:DI: a pointer to what can be done, then the data area as it is.
    private void TellState()
    {
        Span<byte> state = stackalloc byte[64];
        state.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(state, (ushort)BiosRom.VideoFunctions);
        BinaryPrimitives.WriteUInt16LittleEndian(state[2..], BiosRom.Segment);
        for (int i = 0; i < 30; i++)
        {
            state[4 + i] = c.Data(Bda.VideoMode + i);
        }

        state[34] = c.Data(Bda.Rows);
        BinaryPrimitives.WriteUInt16LittleEndian(state[35..], c.DataWord(Bda.CharacterHeight));
        state[37] = c.Data(Bda.DisplayCode);
        BinaryPrimitives.WriteUInt16LittleEndian(state[39..], (ushort)(Mode.Kind switch { VideoKind.Text or VideoKind.Planar => 16, VideoKind.Packed => 256, _ => Mode.Number == 6 ? 2 : 4 }));
        state[41] = (byte)Mode.Pages;
        state[42] = (byte)(Mode.Height switch { 200 => 0, 350 => 1, 400 => 2, _ => 3 });
        state[45] = (byte)((c.Data(Bda.ModeControl) & 0x20) != 0 ? 0x21 : 0x01);
        state[49] = 3;
        c.WriteEs(c.Di, state);
        c.Al = 0x1B;
    }
}
