using System;
using System.Globalization;
using System.IO;

namespace VirtShell.Machine.Bios;

/// <summary>The characters of code page 437, 8 pixels wide and 8, 14 or 16 high; Fonts/spleen-437.txt says whose they are.</summary>
internal static class BiosFont
{
    public const int Characters = 256;
    private const int LargeHeight = 16;
    private const int MiddleHeight = 14;
    private const int SmallHeight = 8;

    /// <summary>Puts the three fonts into the ROM, and the first half of the small one where the IBM PC has it.</summary>
    public static void Place(Span<byte> rom)
    {
        using Stream stream = typeof(BiosFont).Assembly.GetManifestResourceStream("spleen-437.txt")
            ?? throw new InvalidOperationException("The font is missing from the assembly.");
        using StreamReader reader = new(stream);
        int character = 0;
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith('#'))
            {
                continue;
            }

            Span<byte> large = rom.Slice(BiosRom.Font16 + (character * LargeHeight), LargeHeight);
            Read(line, large);
            Read(line[((2 * LargeHeight) + 1)..], rom.Slice(BiosRom.Font8 + (character * SmallHeight), SmallHeight));

            // Characters leave the first and the last row free, and lines that go through them do not mind.
            large[1..(1 + MiddleHeight)].CopyTo(rom[(BiosRom.Font14 + (character * MiddleHeight))..]);
            character++;
        }

        rom.Slice(BiosRom.Font8, Characters / 2 * SmallHeight).CopyTo(rom[BiosRom.LowFont..]);
    }

    private static void Read(string digits, Span<byte> rows)
    {
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = byte.Parse(digits.AsSpan(2 * i, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        }
    }
}
