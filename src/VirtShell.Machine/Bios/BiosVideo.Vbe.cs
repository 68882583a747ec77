using System;
using System.Buffers.Binary;
using System.Linq;
using System.Text;
using VirtShell.Machine.Display;
using VirtShell.Machine.Pci;

namespace VirtShell.Machine.Bios;

/// <summary>
/// The VBE (VESA BIOS Extension 3.0) over the display's mode registers: modes with their memory linear or through the window at
/// A0000h. It has no 4-bit modes, no protected-mode interface and no saving of state, and says so.
/// </summary>
internal sealed partial class BiosVideo
{
    private const ushort VbeVersion = 0x0300;
    private const ushort LinearFlag = 0x4000;
    private const ushort KeepFlag = 0x8000;
    private const ushort ModeMask = 0x1FF;
    private const ushort Succeeded = 0x004F;
    private const ushort Failed = 0x014F;
    private const ushort NotInThisMode = 0x034F;
    private const int ShortBlock = 256;
    private const int LongBlock = 512;
    private const int AfterHeader = 34;
    private const int DisplaySlot = 2;
    private const uint Window = 0xA_0000;
    private const int WindowBytes = 64 << 10;
    private const byte BaseMode = 0x13;
    private const ushort PciData = 0xCFC;

    private bool HasVbe => HasDisplay && Dispi(DispiRegisters.Id) >= 0xB0C0;

    private int VbeMemory => Dispi(DispiRegisters.Memory64K) * WindowBytes;

    private VbeMode? CurrentVbe => VbeMode.Find(c.DataWord(Bda.VbeMode) & ModeMask);

    private void VbeOff()
    {
        if (HasVbe)
        {
            SetDispi(DispiRegisters.Enable, 0);
        }

        c.SetDataWord(Bda.VbeMode, 0);
    }

    private void CallVbe()
    {
        if (!HasVbe)
        {
            // Not there: AL is not 4Fh.
            c.Ah = 1;
            return;
        }

        c.Ax = c.Al switch
        {
            0x00 => TellVbe(),
            0x01 => TellVbeMode(),
            0x02 => SetVbeMode(),
            0x03 => GetVbeMode(),
            0x05 => MoveWindow(),
            0x06 => SetLineLength(),
            0x07 => SetStart(),
            0x08 => SetDacWidth(),
            0x09 => MovePalette(),
            _ => Failed,
        };
    }

    private ushort TellVbe()
    {
        Span<byte> block = stackalloc byte[LongBlock];
        Span<byte> signature = stackalloc byte[4];
        block.Clear();
        c.ReadEs(c.Di, signature);
        bool isLong = signature.SequenceEqual("VBE2"u8);
        "VESA"u8.CopyTo(block);
        BinaryPrimitives.WriteUInt16LittleEndian(block[4..], VbeVersion);

        // The DAC's width can be switched.
        block[10] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(block[18..], Dispi(DispiRegisters.Memory64K));
        int at = AfterHeader;
        SetFarPointer(block, 14, at);
        foreach (VbeMode mode in VbeMode.All.Where(mode => mode.Bytes <= VbeMemory))
        {
            BinaryPrimitives.WriteUInt16LittleEndian(block[at..], mode.Number);
            at += 2;
        }

        BinaryPrimitives.WriteUInt16LittleEndian(block[at..], 0xFFFF);
        at += 2;
        SetFarPointer(block, 6, at);
        at += Encoding.ASCII.GetBytes("VirtShell VBE\0", block[at..]);
        if (isLong)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(block[20..], 0x0100);
            for (int pointer = 22; pointer < 34; pointer += 4)
            {
                SetFarPointer(block, pointer, at);
            }

            Encoding.ASCII.GetBytes("VirtShell\0", block[at..]);
        }

        c.WriteEs(c.Di, block[..(isLong ? LongBlock : ShortBlock)]);
        return Succeeded;
    }

    private ushort TellVbeMode()
    {
        if (VbeMode.Find(c.Cx & ModeMask) is not { } mode || mode.Bytes > VbeMemory)
        {
            return Failed;
        }

        Span<byte> block = stackalloc byte[ShortBlock];
        block.Clear();

        // Supported, with all information, colour, graphics, linear memory.
        block[0] = 0x9B;
        block[2] = 0x07;
        BinaryPrimitives.WriteUInt16LittleEndian(block[4..], WindowBytes >> 10);
        BinaryPrimitives.WriteUInt16LittleEndian(block[6..], WindowBytes >> 10);
        BinaryPrimitives.WriteUInt16LittleEndian(block[8..], (ushort)(Window >> 4));
        BinaryPrimitives.WriteUInt16LittleEndian(block[16..], (ushort)mode.LineBytes);
        BinaryPrimitives.WriteUInt16LittleEndian(block[18..], (ushort)mode.Width);
        BinaryPrimitives.WriteUInt16LittleEndian(block[20..], (ushort)mode.Height);
        block[22] = 8;
        block[23] = 16;
        block[24] = 1;
        block[25] = (byte)mode.Bits;
        block[26] = 1;
        block[27] = (byte)(mode.Bits == 8 ? 4 : 6);
        byte images = (byte)Math.Min((VbeMemory / mode.Bytes) - 1, byte.MaxValue);
        block[29] = images;
        block[30] = 1;
        WriteMasks(block[31..], mode.Bits);
        BinaryPrimitives.WriteUInt32LittleEndian(block[40..], VbeAddress());
        BinaryPrimitives.WriteUInt16LittleEndian(block[50..], (ushort)mode.LineBytes);
        block[52] = images;
        block[53] = images;
        WriteMasks(block[54..], mode.Bits);
        BinaryPrimitives.WriteUInt32LittleEndian(block[62..], 400_000_000);
        c.WriteEs(c.Di, block);
        return Succeeded;
    }

    // Sizes and positions of red, green, blue and the rest.
    private static void WriteMasks(Span<byte> at, int bits)
    {
        ReadOnlySpan<byte> masks = bits switch
        {
            15 => [5, 10, 5, 5, 5, 0, 1, 15],
            16 => [5, 11, 6, 5, 5, 0, 0, 0],
            24 => [8, 16, 8, 8, 8, 0, 0, 0],
            32 => [8, 16, 8, 8, 8, 0, 8, 24],
            _ => [],
        };
        masks.CopyTo(at);
    }

    private ushort SetVbeMode()
    {
        ushort wanted = c.Bx;
        if ((wanted & ModeMask) < 0x100)
        {
            byte number = (byte)(wanted & 0x7F);
            if (VideoMode.Find(number) is null)
            {
                return Failed;
            }

            SetMode((byte)(number | ((wanted & KeepFlag) != 0 ? KeepMemory : 0)));
            return Succeeded;
        }

        if (VbeMode.Find(wanted & ModeMask) is not { } mode || mode.Bytes > VbeMemory)
        {
            return Failed;
        }

        // The window is that of 256 colours.
        SetDispi(DispiRegisters.Enable, 0);
        WriteRegisters(VideoMode.Find(BaseMode)!);
        LoadPalette(VideoPalette.Vga);
        c.In(VgaPorts.StatusOffset + VideoMode.Find(BaseMode)!.CrtcPort);
        c.Out(VgaPorts.AttributeIndex, 0x20);
        SetDispi(DispiRegisters.XResolution, mode.Width);
        SetDispi(DispiRegisters.YResolution, mode.Height);
        SetDispi(DispiRegisters.BitsPerPixel, mode.Bits);
        SetDispi(DispiRegisters.Bank, 0);
        SetDispi(
            DispiRegisters.Enable,
            DispiRegisters.Enabled | ((wanted & LinearFlag) != 0 ? DispiRegisters.Linear : 0) | ((wanted & KeepFlag) != 0 ? DispiRegisters.KeepsMemory : 0));
        c.SetDataWord(Bda.VbeMode, (ushort)(wanted & (ModeMask | LinearFlag | KeepFlag)));
        return Succeeded;
    }

    private ushort GetVbeMode()
    {
        c.Bx = CurrentVbe is null ? c.Data(Bda.VideoMode) : c.DataWord(Bda.VbeMode);
        return Succeeded;
    }

    private ushort MoveWindow()
    {
        if (CurrentVbe is null || (c.DataWord(Bda.VbeMode) & LinearFlag) != 0)
        {
            return NotInThisMode;
        }

        if (c.Bl != 0)
        {
            return Failed;
        }

        switch (c.Bh)
        {
            case 0 when c.Dx < Dispi(DispiRegisters.Memory64K):
                SetDispi(DispiRegisters.Bank, c.Dx);
                return Succeeded;
            case 1:
                c.Dx = Dispi(DispiRegisters.Bank);
                return Succeeded;
            default:
                return Failed;
        }
    }

    private ushort SetLineLength()
    {
        if (CurrentVbe is not { } mode)
        {
            return NotInThisMode;
        }

        int longest = Math.Min(DispiRegisters.MostWidth, VbeMemory / mode.Height / mode.PixelBytes);
        if (c.Bl == 3)
        {
            TellLines(longest, mode);
            return Succeeded;
        }

        if (c.Bl is 0 or 2)
        {
            int pixels = c.Bl == 0 ? c.Cx : (c.Cx + mode.PixelBytes - 1) / mode.PixelBytes;
            if (pixels < mode.Width || pixels > longest)
            {
                return 0x024F;
            }

            SetDispi(DispiRegisters.VirtualWidth, pixels);
        }
        else if (c.Bl != 1)
        {
            return Failed;
        }

        TellLines(Dispi(DispiRegisters.VirtualWidth), mode);
        return Succeeded;
    }

    private void TellLines(int pixels, VbeMode mode)
    {
        int bytes = Math.Max(pixels, 1) * mode.PixelBytes;
        c.Bx = (ushort)bytes;
        c.Cx = (ushort)pixels;
        c.Dx = (ushort)Math.Min(VbeMemory / bytes, ushort.MaxValue);
    }

    private ushort SetStart()
    {
        if (CurrentVbe is null)
        {
            return NotInThisMode;
        }

        switch (c.Bl)
        {
            case 0x00 or 0x80:
                SetDispi(DispiRegisters.XOffset, c.Cx);
                SetDispi(DispiRegisters.YOffset, c.Dx);
                return Succeeded;
            case 0x01:
                c.Bh = 0;
                c.Cx = Dispi(DispiRegisters.XOffset);
                c.Dx = Dispi(DispiRegisters.YOffset);
                return Succeeded;
            default:
                return Failed;
        }
    }

    private ushort SetDacWidth()
    {
        if (CurrentVbe is not { Bits: 8 })
        {
            return NotInThisMode;
        }

        ushort enable = Dispi(DispiRegisters.Enable);
        if (c.Bl == 0)
        {
            enable = (ushort)(c.Bh >= 8 ? enable | DispiRegisters.WideDac : enable & ~DispiRegisters.WideDac);
            SetDispi(DispiRegisters.Enable, enable | DispiRegisters.KeepsMemory);
        }
        else if (c.Bl != 1)
        {
            return Failed;
        }

        c.Bh = (byte)((enable & DispiRegisters.WideDac) != 0 ? 8 : 6);
        return Succeeded;
    }

    // Entries are blue, green, red and a byte that says nothing.
    private ushort MovePalette()
    {
        int first = c.Dx;
        int count = c.Cx;
        if (first >= DacColours || count > DacColours - first || c.Bl is not (0x00 or 0x01 or 0x80))
        {
            return Failed;
        }

        Span<byte> entries = stackalloc byte[DacColours * 4];
        entries = entries[..(count * 4)];
        if (c.Bl == 1)
        {
            c.Out(VgaPorts.DacRead, first);
            for (int i = 0; i < entries.Length; i += 4)
            {
                entries[i + 2] = c.In(VgaPorts.DacData);
                entries[i + 1] = c.In(VgaPorts.DacData);
                entries[i] = c.In(VgaPorts.DacData);
                entries[i + 3] = 0;
            }

            c.WriteEs(c.Di, entries);
            return Succeeded;
        }

        c.ReadEs(c.Di, entries);
        c.Out(VgaPorts.DacWrite, first);
        for (int i = 0; i < entries.Length; i += 4)
        {
            c.Out(VgaPorts.DacData, entries[i + 2]);
            c.Out(VgaPorts.DacData, entries[i + 1]);
            c.Out(VgaPorts.DacData, entries[i]);
        }

        return Succeeded;
    }

    private void SetFarPointer(Span<byte> block, int at, int target)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(block[at..], (ushort)(c.Di + target));
        BinaryPrimitives.WriteUInt16LittleEndian(block[(at + 2)..], c.Es);
    }

    // Where a system, or firmware, has put the display's memory.
    private uint VbeAddress()
    {
        uint selected = c.Board.Bus.ReadPort(PciBus.ConfigAddress, 4);
        c.Board.Bus.WritePort(PciBus.ConfigAddress, 4, 0x8000_0000u | (DisplaySlot << 11) | 0x10);
        uint address = c.Board.Bus.ReadPort(PciData, 4) & ~0xFu;
        c.Board.Bus.WritePort(PciBus.ConfigAddress, 4, selected);
        return address;
    }

    private ushort Dispi(int index)
    {
        c.OutWord(VgaAdapter.DispiIndexPort, index);
        return c.InWord(VgaAdapter.DispiDataPort);
    }

    private void SetDispi(int index, int value)
    {
        c.OutWord(VgaAdapter.DispiIndexPort, index);
        c.OutWord(VgaAdapter.DispiDataPort, value);
    }
}
