using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;

namespace VirtShell.Images.Tests;

internal sealed record CpioEntry(uint Inode, uint Mode, uint Owner, uint Links, uint Time, byte[] Data, uint Major, uint Minor)
{
    public string Text => Encoding.UTF8.GetString(Data);
}

/// <summary>An independent reader of newc archives.</summary>
internal static class CpioReader
{
    public static Dictionary<string, CpioEntry> Read(string path)
    {
        var bytes = File.ReadAllBytes(path);
        Dictionary<string, CpioEntry> entries = new(StringComparer.Ordinal);
        for (var at = 0; ;)
        {
            if (Encoding.ASCII.GetString(bytes, at, 6) != "070701")
            {
                throw new InvalidDataException($"No header at {at}.");
            }

            uint Field(int index) => uint.Parse(Encoding.ASCII.GetString(bytes, at + 6 + (index * 8), 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            var nameLength = (int)Field(11);
            var size = (int)Field(6);
            var name = Encoding.UTF8.GetString(bytes, at + 110, nameLength - 1);
            var data = Align(at + 110 + nameLength);
            if (name == "TRAILER!!!")
            {
                return entries;
            }

            entries.Add(name, new CpioEntry(Field(0), Field(1), Field(2) | Field(3), Field(4), Field(5), bytes[data..(data + size)], Field(9), Field(10)));
            at = Align(data + size);
        }

        static int Align(int value) => (value + 3) & ~3;
    }
}
