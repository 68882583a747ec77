using VirtShell.State;

namespace VirtShell.Machine.Bios;

/// <summary>INT 15h C2h: the PS/2 mouse, which is told what to do through the keyboard controller, and whose packets a handler of the program takes.</summary>
[NotState("What is to be remembered stands in the guest's memory.")]
internal sealed class BiosMouse(BiosCpu c)
{
    private const int Data = 0x60;
    private const int Command = 0x64;
    private const byte OutputFull = 0x01;
    private const byte FromMouse = 0x20;
    private const byte Enabled = 0x80;
    private const byte HandlerSet = 0x80;
    private const byte IndexMask = 0x07;
    private const byte Acknowledge = 0xFA;

    // Answers of C2h.
    private const byte Fine = 0;
    private const byte BadFunction = 1;
    private const byte BadInput = 2;
    private const byte InterfaceError = 3;
    private const byte NoHandler = 5;

    /// <summary>True where the service did what was asked.</summary>
    public bool Call()
    {
        byte status = c.Al switch
        {
            0x00 => Enable(),
            0x01 => Reset(),
            0x02 => Set(0xF3, [10, 20, 40, 60, 80, 100, 200]),
            0x03 => c.Bh > 3 ? BadInput : Set(0xE8, [0, 1, 2, 3]),
            0x04 => TellType(),
            0x05 => Initialize(),
            0x06 => Extended(),
            0x07 => SetHandler(),
            _ => BadFunction,
        };
        c.Ah = status;
        return status == Fine;
    }

    /// <summary>A byte of a packet has come, in AL. AL tells whether the packet is whole and somebody takes it: BX, CX and DX are status and movements, SI the segment where the handler's address stands.</summary>
    public void Byte()
    {
        byte value = c.Al;
        byte index = c.ExtendedByte(Ebda.MouseIndex);
        byte flags = c.ExtendedByte(Ebda.MouseFlags);
        int at = index & IndexMask;
        int last = System.Math.Max(flags & IndexMask, 2);

        // Bit 3 of a packet's first byte is always set: what is out of step is left out.
        c.Al = 0;
        if (at == 0 && (value & 0x08) == 0)
        {
            return;
        }

        c.SetExtendedByte(Ebda.MousePacket + at, value);
        if (at < last)
        {
            c.SetExtendedByte(Ebda.MouseIndex, (byte)((index & ~IndexMask) | (at + 1)));
            return;
        }

        c.SetExtendedByte(Ebda.MouseIndex, (byte)(index & ~IndexMask));
        if ((flags & HandlerSet) == 0 || (index & Enabled) == 0)
        {
            return;
        }

        c.Al = 1;
        c.Bx = c.ExtendedByte(Ebda.MousePacket);
        c.Cx = c.ExtendedByte(Ebda.MousePacket + 1);
        c.Dx = c.ExtendedByte(Ebda.MousePacket + 2);
        c.Si = c.DataWord(Bda.ExtendedSegment);
    }

    private byte Enable()
    {
        byte index = c.ExtendedByte(Ebda.MouseIndex);
        if (c.Bh > 1)
        {
            return BadInput;
        }

        if (c.Bh == 1 && (c.ExtendedByte(Ebda.MouseFlags) & HandlerSet) == 0)
        {
            return NoHandler;
        }

        if (!Tell((byte)(c.Bh == 1 ? 0xF4 : 0xF5)))
        {
            return InterfaceError;
        }

        c.SetExtendedByte(Ebda.MouseIndex, (byte)((index & ~(Enabled | IndexMask)) | (c.Bh == 1 ? Enabled : 0)));
        SwitchInterrupt(c.Bh == 1);
        return Fine;
    }

    private byte Reset()
    {
        if (!Tell(0xFF) || !TryTake(out byte passed) || !TryTake(out byte id))
        {
            return InterfaceError;
        }

        c.SetExtendedByte(Ebda.MouseIndex, 0);
        (c.Bl, c.Bh) = (passed, id);
        return Fine;
    }

    private byte Initialize()
    {
        byte length = c.Bh;
        if (length is 0 or > 8)
        {
            return BadInput;
        }

        c.SetExtendedByte(Ebda.MouseFlags, (byte)((c.ExtendedByte(Ebda.MouseFlags) & ~IndexMask) | (length - 1)));
        return Reset();
    }

    private byte Set(byte command, System.ReadOnlySpan<byte> values) =>
        c.Bh >= values.Length ? BadInput : Tell(command) && Tell(values[c.Bh]) ? Fine : InterfaceError;

    private byte TellType()
    {
        if (!Tell(0xF2) || !TryTake(out byte id))
        {
            return InterfaceError;
        }

        c.Bh = id;
        return Fine;
    }

    private byte Extended()
    {
        switch (c.Bh)
        {
            case 0:
                if (!Tell(0xE9) || !TryTake(out byte status) || !TryTake(out byte resolution) || !TryTake(out byte rate))
                {
                    return InterfaceError;
                }

                (c.Bl, c.Cl, c.Dl) = (status, resolution, rate);
                return Fine;
            case 1 or 2:
                return Tell((byte)(c.Bh == 1 ? 0xE6 : 0xE7)) ? Fine : InterfaceError;
            default:
                return BadFunction;
        }
    }

    private byte SetHandler()
    {
        bool isSet = (c.Es | c.Bx) != 0;
        c.SetWord(c.Extended(Ebda.MouseHandler), c.Bx);
        c.SetWord(c.Extended(Ebda.MouseHandler + 2), c.Es);
        byte flags = c.ExtendedByte(Ebda.MouseFlags);
        c.SetExtendedByte(Ebda.MouseFlags, (byte)(isSet ? flags | HandlerSet : flags & ~HandlerSet));
        return Fine;
    }

    // The mouse's line and its interrupt, at both interrupt controllers' ends.
    private void SwitchInterrupt(bool isOn)
    {
        const int SlaveMask = Interrupts.Pic8259Pair.SlavePort + 1;
        const byte MouseBit = 1 << 4;
        const byte MouseInterrupt = 0x02;
        const byte MouseOff = 0x20;
        c.Out(Command, 0x20);
        byte control = c.In(Data);
        c.Out(Command, 0x60);
        c.Out(Data, isOn ? (control | MouseInterrupt) & ~MouseOff : control & ~MouseInterrupt);
        byte mask = c.In(SlaveMask);
        c.Out(SlaveMask, isOn ? mask & ~MouseBit : mask | MouseBit);
    }

    // Sends a byte to the mouse; true where it was taken. Movements and keys that wait are not the answer, and are lost with it.
    private bool Tell(byte value)
    {
        const int MostWaiting = 64;
        for (int i = 0; i < MostWaiting && (c.In(Command) & OutputFull) != 0; i++)
        {
            c.In(Data);
        }

        c.Out(Command, 0xD4);
        c.Out(Data, value);
        return TryTake(out byte answer) && answer == Acknowledge;
    }

    private bool TryTake(out byte value)
    {
        const int MostKeys = 32;
        for (int i = 0; i < MostKeys; i++)
        {
            byte status = c.In(Command);
            if ((status & OutputFull) == 0)
            {
                break;
            }

            value = c.In(Data);
            if ((status & FromMouse) != 0)
            {
                return true;
            }
        }

        value = 0;
        return false;
    }
}
