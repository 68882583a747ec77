using System;

namespace VirtShell.Machine.Bios;

/// <summary>Colours: palette registers and the DAC (INT 10h 10h).</summary>
internal sealed partial class BiosVideo
{
    private const int PaletteRegisters = 16;
    private const int ModeRegister = 0x10;
    private const int OverscanRegister = 0x11;
    private const int ColourSelect = 0x14;
    private const byte BlinkBit = 0x08;
    private const byte PagesOf16 = 0x80;

    private void CallPalette()
    {
        if (!HasDisplay)
        {
            return;
        }

        Span<byte> registers = stackalloc byte[PaletteRegisters + 1];
        switch (c.Al)
        {
            case 0x00:
                WriteAttribute(c.Bl & 0x1F, c.Bh);
                break;
            case 0x01:
                WriteAttribute(OverscanRegister, c.Bh);
                break;
            case 0x02:
                c.ReadEs(c.Dx, registers);
                for (int i = 0; i < PaletteRegisters; i++)
                {
                    WriteAttribute(i, registers[i]);
                }

                WriteAttribute(OverscanRegister, registers[PaletteRegisters]);
                break;
            case 0x03:
                byte mode = ReadAttribute(ModeRegister);
                WriteAttribute(ModeRegister, (byte)((c.Bl & 1) != 0 ? mode | BlinkBit : mode & ~BlinkBit));
                byte control = c.Data(Bda.ModeControl);
                c.SetData(Bda.ModeControl, (byte)((c.Bl & 1) != 0 ? control | 0x20 : control & ~0x20));
                break;
            case 0x07:
                c.Bh = ReadAttribute(c.Bl & 0x1F);
                break;
            case 0x08:
                c.Bh = ReadAttribute(OverscanRegister);
                break;
            case 0x09:
                for (int i = 0; i < PaletteRegisters; i++)
                {
                    registers[i] = ReadAttribute(i);
                }

                registers[PaletteRegisters] = ReadAttribute(OverscanRegister);
                c.WriteEs(c.Dx, registers);
                break;
            case 0x10:
                c.Out(VgaPorts.DacWrite, c.Bl);
                WriteColour(c.Dh, c.Ch, c.Cl);
                break;
            case 0x12 or 0x17:
                MoveColours(isWrite: c.Al == 0x12);
                break;
            case 0x13:
                SelectColourPage();
                break;
            case 0x15:
                c.Out(VgaPorts.DacRead, c.Bl);
                (c.Dh, c.Ch, c.Cl) = (c.In(VgaPorts.DacData), c.In(VgaPorts.DacData), c.In(VgaPorts.DacData));
                break;
            case 0x18:
                c.Out(VgaPorts.PelMask, c.Bl);
                break;
            case 0x19:
                c.Bl = c.In(VgaPorts.PelMask);
                break;
            case 0x1A:
                byte select = ReadAttribute(ColourSelect);
                bool isSmall = (ReadAttribute(ModeRegister) & PagesOf16) != 0;
                c.Bl = (byte)(isSmall ? 1 : 0);
                c.Bh = (byte)(isSmall ? select & 0x0F : (select >> 2) & 3);
                break;
            case 0x1B:
                SumGreys(c.Bx, c.Cx);
                break;
            default:
                break;
        }
    }

    private void MoveColours(bool isWrite)
    {
        int count = Math.Min((int)c.Cx, DacColours);
        Span<byte> colour = stackalloc byte[3];
        c.Out(isWrite ? VgaPorts.DacWrite : VgaPorts.DacRead, c.Bl);
        for (int i = 0; i < count; i++)
        {
            uint at = (uint)c.Dx + (uint)(3 * i);
            if (isWrite)
            {
                c.ReadEs(at, colour);
                WriteColour(colour[0], colour[1], colour[2]);
            }
            else
            {
                for (int part = 0; part < colour.Length; part++)
                {
                    colour[part] = c.In(VgaPorts.DacData);
                }

                c.WriteEs(at, colour);
            }
        }
    }

    private void SelectColourPage()
    {
        byte mode = ReadAttribute(ModeRegister);
        if (c.Bl == 0)
        {
            WriteAttribute(ModeRegister, (byte)((c.Bh & 1) != 0 ? mode | PagesOf16 : mode & ~PagesOf16));
        }
        else if (c.Bl == 1)
        {
            WriteAttribute(ColourSelect, (byte)((mode & PagesOf16) != 0 ? c.Bh & 0x0F : (c.Bh & 3) << 2));
        }
    }

    private void SumGreys(int first, int count)
    {
        for (int i = first; i < Math.Min(first + count, DacColours); i++)
        {
            c.Out(VgaPorts.DacRead, i);
            byte grey = Grey(c.In(VgaPorts.DacData), c.In(VgaPorts.DacData), c.In(VgaPorts.DacData));
            c.Out(VgaPorts.DacWrite, i);
            WriteColour(grey, grey, grey);
        }
    }

    private void WriteColour(byte red, byte green, byte blue)
    {
        c.Out(VgaPorts.DacData, red);
        c.Out(VgaPorts.DacData, green);
        c.Out(VgaPorts.DacData, blue);
    }

    // Index and data share a port, and a read of the input status says that an index comes next. Bit 5 keeps the picture on.
    private void WriteAttribute(int index, byte value)
    {
        const byte PictureOn = 0x20;
        c.In(c.DataWord(Bda.CrtcPort) + VgaPorts.StatusOffset);
        c.Out(VgaPorts.AttributeIndex, index);
        c.Out(VgaPorts.AttributeIndex, value);
        c.Out(VgaPorts.AttributeIndex, PictureOn);
    }

    private byte ReadAttribute(int index)
    {
        const byte PictureOn = 0x20;
        int status = c.DataWord(Bda.CrtcPort) + VgaPorts.StatusOffset;
        c.In(status);
        c.Out(VgaPorts.AttributeIndex, index | PictureOn);
        byte value = c.In(VgaPorts.AttributeRead);
        c.In(status);
        c.Out(VgaPorts.AttributeIndex, PictureOn);
        c.In(status);
        return value;
    }
}
