using System;
using VirtShell.State;

namespace VirtShell.Machine.Bios;

/// <summary>INT 16h, and what IRQ 1 makes of scan codes.</summary>
[NotState("What is to be remembered stands in the guest's memory.")]
internal sealed class BiosKeyboard(BiosCpu c, BiosTerminal terminal)
{
    private const byte RightShift = 0x01;
    private const byte LeftShift = 0x02;
    private const byte Control = 0x04;
    private const byte Alt = 0x08;
    private const byte Scroll = 0x10;
    private const byte Num = 0x20;
    private const byte Caps = 0x40;
    private const byte Insert = 0x80;

    // Of the second shift flags.
    private const byte LeftControl = 0x01;
    private const byte LeftAlt = 0x02;
    private const byte SystemRequest = 0x04;
    private const byte Paused = 0x08;

    // Of the mode byte.
    private const byte LastWasE1 = 0x01;
    private const byte LastWasE0 = 0x02;
    private const byte RightControl = 0x04;
    private const byte RightAlt = 0x08;

    private const byte Released = 0x80;

    // What the interrupt's handler is to do besides.
    private const byte DoNothing = 0;
    private const byte DoBreak = 1;
    private const byte DoPrint = 2;
    private const byte DoSystemRequest = 3;
    private const byte DoPause = 4;

    /// <summary>INT 16h; false where it has to wait for a key.</summary>
    public bool Call()
    {
        switch (c.Ah)
        {
            case 0x00 or 0x10:
                return Read(isExtended: c.Ah == 0x10);
            case 0x01 or 0x11:
                Look(isExtended: c.Ah == 0x11);
                return true;
            case 0x02:
                c.Al = c.Data(Bda.Shift);
                return true;
            case 0x12:
                TellShifts();
                return true;
            case 0x03:
                return true;
            case 0x05:
                c.Al = (byte)(Store(c.Cx) ? 0 : 1);
                return true;
            case 0x09:
                // INT 16h 0Ah, 10h to 12h, and the rate can be set.
                c.Al = 0x20;
                return true;
            case 0x0A:
                c.Bx = 0x41AB;
                return true;
            default:
                return true;
        }
    }

    /// <summary>A scan code has come, in AL; AH gets what is to be done besides.</summary>
    public void ScanCode()
    {
        byte code = c.Al;
        byte mode = c.Data(Bda.KeyMode);
        if (code is 0xE0 or 0xE1)
        {
            c.SetData(Bda.KeyMode, (byte)(mode | (code == 0xE0 ? LastWasE0 : LastWasE1)));
            c.Ah = DoNothing;
            return;
        }

        bool isExtended = (mode & LastWasE0) != 0;
        bool isPause = (mode & LastWasE1) != 0;

        // Pause is E1 1D 45 E1 9D C5: the sequence ends with the second byte.
        byte scan = (byte)(code & ~Released);
        bool isDown = (code & Released) == 0;
        if (isPause)
        {
            bool ends = scan == 0x45;
            c.SetData(Bda.KeyMode, (byte)(mode & ~(LastWasE0 | (ends ? LastWasE1 : 0))));
            c.Ah = ends && isDown ? Pause() : DoNothing;
            return;
        }

        c.SetData(Bda.KeyMode, (byte)(mode & ~LastWasE0));
        c.Ah = isDown ? Down(scan, isExtended) : Up(scan, isExtended);
    }

    // What is read from here on is what a keyboard of 101 keys adds: shown, or made to what one of 84 keys had, or left out.
    private bool Read(bool isExtended)
    {
        while (true)
        {
            Poll();
            ushort head = c.DataWord(Bda.KeyHead);
            if (head == c.DataWord(Bda.KeyTail))
            {
                return false;
            }

            ushort key = c.DataWord(head);
            c.SetDataWord(Bda.KeyHead, Next(head));
            if (TryConvert(ref key, isExtended))
            {
                c.Ax = key;
                return true;
            }
        }
    }

    private void Look(bool isExtended)
    {
        Poll();
        while (true)
        {
            ushort head = c.DataWord(Bda.KeyHead);
            if (head == c.DataWord(Bda.KeyTail))
            {
                c.SetZero(true);
                return;
            }

            ushort key = c.DataWord(head);
            if (TryConvert(ref key, isExtended))
            {
                c.SetZero(false);
                c.Ax = key;
                return;
            }

            c.SetDataWord(Bda.KeyHead, Next(head));
        }
    }

    private static bool TryConvert(ref ushort key, bool isExtended)
    {
        if (isExtended)
        {
            // F0h marks keys that the older service leaves out.
            key = (key & 0xFF) == 0xF0 && key >> 8 != 0 ? (ushort)(key & 0xFF00) : key;
            return true;
        }

        int scan = key >> 8;
        int character = key & 0xFF;
        if (scan == 0xE0)
        {
            key = (ushort)((character is 0x0D or 0x0A ? 0x1C00 : 0x3500) | character);
            return true;
        }

        if (character == 0xE0 && scan != 0)
        {
            key = (ushort)(scan << 8);
            return true;
        }

        return scan <= 0x84 && !(character == 0xF0 && scan != 0);
    }

    private void TellShifts()
    {
        byte second = c.Data(Bda.Shift2);
        byte mode = c.Data(Bda.KeyMode);
        c.Al = c.Data(Bda.Shift);
        c.Ah = (byte)((second & 0x73) | ((second & SystemRequest) << 5) | (mode & (RightControl | RightAlt)));
    }

    private void Poll()
    {
        if (c.DataWord(Bda.KeyHead) == c.DataWord(Bda.KeyTail))
        {
            terminal.Show(c.Data(Bda.Cursors + 1), c.Data(Bda.Cursors));
        }

        // No more than the buffer holds.
        while (Next(c.DataWord(Bda.KeyTail)) != c.DataWord(Bda.KeyHead) && terminal.TryRead(out ushort key))
        {
            if (key != 0)
            {
                Store(key);
            }
        }
    }

    private ushort Next(ushort place)
    {
        ushort next = (ushort)(place + 2);
        return next >= c.DataWord(Bda.KeyEnd) ? c.DataWord(Bda.KeyStart) : next;
    }

    private bool Store(ushort key)
    {
        ushort tail = c.DataWord(Bda.KeyTail);
        ushort next = Next(tail);
        if (next == c.DataWord(Bda.KeyHead))
        {
            return false;
        }

        c.SetDataWord(tail, key);
        c.SetDataWord(Bda.KeyTail, next);
        return true;
    }

    private byte Pause()
    {
        if ((c.Data(Bda.Shift) & Control) != 0)
        {
            return Break();
        }

        c.SetData(Bda.Shift2, (byte)(c.Data(Bda.Shift2) | Paused));
        return DoPause;
    }

    private byte Break()
    {
        c.SetData(Bda.Break, 0x80);
        c.SetDataWord(Bda.KeyHead, c.DataWord(Bda.KeyStart));
        c.SetDataWord(Bda.KeyTail, c.DataWord(Bda.KeyStart));
        Store(0);
        return DoBreak;
    }

    private byte Down(byte scan, bool isExtended)
    {
        byte shift = c.Data(Bda.Shift);
        byte second = c.Data(Bda.Shift2);
        if ((second & Paused) != 0 && scan is not (0x1D or 0x2A or 0x36 or 0x38 or 0x3A or 0x45 or 0x46))
        {
            c.SetData(Bda.Shift2, (byte)(second & ~Paused));
            return DoNothing;
        }

        switch (scan)
        {
            case 0x2A when !isExtended:
                SetShift(shift | LeftShift);
                return DoNothing;
            case 0x36 when !isExtended:
                SetShift(shift | RightShift);
                return DoNothing;
            case 0x2A or 0x36:
                // The keyboard's own, around grey keys.
                return DoNothing;
            case 0x1D:
                SetShift(shift | Control);
                Side(isExtended, LeftControl, RightControl, isDown: true);
                return DoNothing;
            case 0x38:
                SetShift(shift | Alt);
                Side(isExtended, LeftAlt, RightAlt, isDown: true);
                return DoNothing;
            case 0x3A:
                return Toggle(Caps);
            case 0x45 when !isExtended:
                return Toggle(Num);
            case 0x46 when isExtended || (shift & Control) != 0:
                return Break();
            case 0x46:
                return Toggle(Scroll);
            case 0x54:
                c.SetData(Bda.Shift2, (byte)(second | SystemRequest));
                c.Al = 0;
                return DoSystemRequest;
            case 0x37 when isExtended && (shift & Alt) == 0:
                return DoPrint;
            case 0x37 when !isExtended && (shift & (LeftShift | RightShift)) != 0:
                return DoPrint;
            case 0x53 when (shift & (Control | Alt)) == (Control | Alt):
                c.SetDataWord(Bda.ResetFlag, 0x1234);
                c.Board.Signals.RequestExit(new MachineExit(MachineExitKind.ResetRequested));
                return DoNothing;
            case >= 0x47 and <= 0x52 when !isExtended && (shift & Alt) != 0 && scan is not (0x4A or 0x4E):
                ReadOnlySpan<byte> digits = [7, 8, 9, 0, 4, 5, 6, 0, 1, 2, 3, 0];
                c.SetData(Bda.AltNumber, (byte)((c.Data(Bda.AltNumber) * 10) + digits[scan - 0x47]));
                return DoNothing;
            default:
                break;
        }

        if (scan == 0x52 && (shift & Insert) == 0)
        {
            SetShift(shift ^ Insert);
        }

        ushort key = KeyTable.Of(scan, isExtended, shift);
        if (key != KeyTable.None)
        {
            Store(key);
        }

        return DoNothing;
    }

    private byte Up(byte scan, bool isExtended)
    {
        byte shift = c.Data(Bda.Shift);
        byte second = c.Data(Bda.Shift2);
        switch (scan)
        {
            case 0x2A when !isExtended:
                SetShift(shift & ~LeftShift);
                break;
            case 0x36 when !isExtended:
                SetShift(shift & ~RightShift);
                break;
            case 0x1D:
                Side(isExtended, LeftControl, RightControl, isDown: false);
                bool stays = (c.Data(Bda.Shift2) & LeftControl) != 0 || (c.Data(Bda.KeyMode) & RightControl) != 0;
                SetShift(stays ? shift | Control : shift & ~Control);
                break;
            case 0x38:
                Side(isExtended, LeftAlt, RightAlt, isDown: false);
                bool isStillDown = (c.Data(Bda.Shift2) & LeftAlt) != 0 || (c.Data(Bda.KeyMode) & RightAlt) != 0;
                SetShift(isStillDown ? shift | Alt : shift & ~Alt);
                byte number = c.Data(Bda.AltNumber);
                if (!isStillDown && number != 0)
                {
                    c.SetData(Bda.AltNumber, 0);
                    Store(number);
                }

                break;
            case 0x3A:
                c.SetData(Bda.Shift2, (byte)(second & ~Caps));
                break;
            case 0x45:
                c.SetData(Bda.Shift2, (byte)(second & ~Num));
                break;
            case 0x46:
                c.SetData(Bda.Shift2, (byte)(second & ~Scroll));
                break;
            case 0x52:
                c.SetData(Bda.Shift2, (byte)(second & ~Insert));
                break;
            case 0x54:
                c.SetData(Bda.Shift2, (byte)(second & ~SystemRequest));
                c.Al = 1;
                return DoSystemRequest;
            default:
                break;
        }

        return DoNothing;
    }

    private void Side(bool isRight, byte left, byte right, bool isDown)
    {
        int place = isRight ? Bda.KeyMode : Bda.Shift2;
        byte bit = isRight ? right : left;
        byte before = c.Data(place);
        c.SetData(place, (byte)(isDown ? before | bit : before & ~bit));
    }

    // While the key is held down its further codes change nothing.
    private byte Toggle(byte bit)
    {
        byte second = c.Data(Bda.Shift2);
        if ((second & bit) == 0)
        {
            c.SetData(Bda.Shift2, (byte)(second | bit));
            byte shift = (byte)(c.Data(Bda.Shift) ^ bit);
            c.SetData(Bda.Shift, shift);
            c.SetData(Bda.KeyLeds, (byte)((c.Data(Bda.KeyLeds) & ~7) | ((shift >> 4) & 7)));
        }

        return DoNothing;
    }

    private void SetShift(int value) => c.SetData(Bda.Shift, (byte)value);
}
