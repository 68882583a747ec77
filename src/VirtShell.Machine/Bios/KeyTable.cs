using System;

namespace VirtShell.Machine.Bios;

/// <summary>What keys give by scan code of set 1, for a US keyboard of 102 keys: scan code in the high byte, character in the low (INT 16h).</summary>
internal static class KeyTable
{
    /// <summary>The key gives nothing.</summary>
    public const ushort None = 0;

    private const int Rows = 0x59;

    // For each scan code: plain, Shift, Ctrl, Alt. FFFFh gives nothing.
    private const ushort No = 0xFFFF;

    private static readonly ushort[] s_keys = Build();

    private enum Column
    {
        Plain,
        Shift,
        Control,
        Alt,
    }

    /// <summary>What a key gives with the keys that are down.</summary>
    /// <param name="scan">Its scan code, without bit 7.</param>
    /// <param name="isExtended">Whether E0h came before it.</param>
    /// <param name="shift">The shift flags at 40:17h.</param>
    public static ushort Of(byte scan, bool isExtended, byte shift)
    {
        const byte AnyShift = 0x03;
        const byte Control = 0x04;
        const byte Alt = 0x08;
        const byte Num = 0x20;
        const byte Caps = 0x40;
        if (scan >= Rows)
        {
            return None;
        }

        bool shifted = (shift & AnyShift) != 0;
        if (!isExtended && scan is >= 0x47 and <= 0x53 && (shift & Num) != 0)
        {
            shifted = !shifted;
        }
        else if (isExtended)
        {
            shifted = false;
        }

        Column column = (shift & Alt) != 0 ? Column.Alt : (shift & Control) != 0 ? Column.Control : shifted ? Column.Shift : Column.Plain;
        ushort key = s_keys[(scan * 4) + (int)column];
        if (key == No)
        {
            return None;
        }

        char character = (char)(key & 0xFF);
        if ((shift & Caps) != 0 && column is Column.Plain or Column.Shift && char.IsAsciiLetter(character))
        {
            key ^= 0x20;
        }

        if (!isExtended)
        {
            return key;
        }

        return scan switch
        {
            // The second Enter and slash are told from the first by their scan code, the grey keys by E0h in place of a character.
            0x1C => (ushort)(column == Column.Alt ? 0xA600 : 0xE000 | (key & 0xFF)),
            0x35 => (ushort)(column switch { Column.Control => 0x9500, Column.Alt => 0xA400, _ => 0xE02F }),
            >= 0x47 and <= 0x53 => column == Column.Alt ? (ushort)((scan + 0x50) << 8) : (ushort)((key & 0xFF00) | 0xE0),
            _ => key,
        };
    }

    /// <summary>The key that types a character.</summary>
    public static ushort OfCharacter(byte character)
    {
        if (character == 0)
        {
            return 0x0300;
        }

        for (int at = 0; at < s_keys.Length; at++)
        {
            if (s_keys[at] != No && (s_keys[at] & 0xFF) == character && (at & 3) != (int)Column.Alt && at / 4 is not (>= 0x47 and <= 0x53) and not 0x37)
            {
                return s_keys[at];
            }
        }

        return character;
    }

    /// <summary>Alt and the key that types a character.</summary>
    public static ushort OfAlt(byte character)
    {
        ushort key = OfCharacter(character);
        int row = key >> 8;
        return row < Rows && s_keys[(row * 4) + (int)Column.Alt] is var alt && alt != No ? alt : key;
    }

    private static ushort[] Build()
    {
        ushort[] keys = new ushort[Rows * 4];
        Array.Fill(keys, No);
        void Set(int scan, int plain, int shift, int control, int alt)
        {
            (keys[scan * 4], keys[(scan * 4) + 1], keys[(scan * 4) + 2], keys[(scan * 4) + 3]) = ((ushort)plain, (ushort)shift, (ushort)control, (ushort)alt);
        }

        Set(0x01, 0x011B, 0x011B, 0x011B, 0x0100);
        const string Digits = "1234567890-=";
        const string Shifted = "!@#$%^&*()_+";
        for (int i = 0; i < Digits.Length; i++)
        {
            int scan = 2 + i;
            int control = Digits[i] switch { '2' => 0x0300, '6' => 0x071E, '-' => 0x0C1F, _ => No };
            Set(scan, (scan << 8) | Digits[i], (scan << 8) | Shifted[i], control, (0x78 + i) << 8);
        }

        Set(0x0E, 0x0E08, 0x0E08, 0x0E7F, 0x0E00);
        Set(0x0F, 0x0F09, 0x0F00, 0x9400, 0xA500);
        foreach ((int first, string letters) in new[] { (0x10, "qwertyuiop"), (0x1E, "asdfghjkl"), (0x2C, "zxcvbnm") })
        {
            for (int i = 0; i < letters.Length; i++)
            {
                int scan = first + i;
                Set(scan, (scan << 8) | letters[i], (scan << 8) | (letters[i] - 32), (scan << 8) | (letters[i] & 0x1F), scan << 8);
            }
        }

        foreach ((int scan, char plain, char shift, int control) in new[]
        {
            (0x1A, '[', '{', 0x1A1B), (0x1B, ']', '}', 0x1B1D), (0x27, ';', ':', No), (0x28, '\'', '"', No), (0x29, '`', '~', No),
            (0x2B, '\\', '|', 0x2B1C), (0x33, ',', '<', No), (0x34, '.', '>', No), (0x35, '/', '?', No), (0x56, '\\', '|', No),
        })
        {
            Set(scan, (scan << 8) | plain, (scan << 8) | shift, control, scan << 8);
        }

        Set(0x1C, 0x1C0D, 0x1C0D, 0x1C0A, 0x1C00);
        Set(0x39, 0x3920, 0x3920, 0x3920, 0x3920);
        Set(0x37, 0x372A, 0x372A, 0x9600, 0x3700);
        for (int i = 0; i < 10; i++)
        {
            Set(0x3B + i, (0x3B + i) << 8, (0x54 + i) << 8, (0x5E + i) << 8, (0x68 + i) << 8);
        }

        Set(0x57, 0x8500, 0x8700, 0x8900, 0x8B00);
        Set(0x58, 0x8600, 0x8800, 0x8A00, 0x8C00);

        // The keypad: Alt enters characters by number, digit by digit, and gives no key.
        Set(0x47, 0x4700, 0x4737, 0x7700, No);
        Set(0x48, 0x4800, 0x4838, 0x8D00, No);
        Set(0x49, 0x4900, 0x4939, 0x8400, No);
        Set(0x4A, 0x4A2D, 0x4A2D, 0x8E00, 0x4A00);
        Set(0x4B, 0x4B00, 0x4B34, 0x7300, No);
        Set(0x4C, 0x4C00, 0x4C35, 0x8F00, No);
        Set(0x4D, 0x4D00, 0x4D36, 0x7400, No);
        Set(0x4E, 0x4E2B, 0x4E2B, 0x9000, 0x4E00);
        Set(0x4F, 0x4F00, 0x4F31, 0x7500, No);
        Set(0x50, 0x5000, 0x5032, 0x9100, No);
        Set(0x51, 0x5100, 0x5133, 0x7600, No);
        Set(0x52, 0x5200, 0x5230, 0x9200, No);
        Set(0x53, 0x5300, 0x532E, 0x9300, No);
        return keys;
    }
}
