using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;

namespace VirtShell.Images.Initramfs;

/// <summary>
/// What a kernel module says of itself in its ELF section .modinfo: zero-terminated "key=value" strings.
/// (ELF: System V ABI, chapter 4.)
/// </summary>
/// <param name="Depends">Modules that must be loaded before.</param>
/// <param name="SoftDepends">Modules that should be, where there are any.</param>
internal sealed record ModuleInfo(IReadOnlyList<string> Depends, IReadOnlyList<string> SoftDepends)
{
    private const int Class64 = 2;
    private const int LittleEndian = 1;

    /// <exception cref="ImageException">Not an ELF file with a .modinfo section.</exception>
    public static ModuleInfo Read(ReadOnlySpan<byte> elf, string name)
    {
        List<string> depends = [];
        List<string> soft = [];
        try
        {
            foreach (var text in Encoding.ASCII.GetString(Section(elf, ".modinfo")).Split('\0', StringSplitOptions.RemoveEmptyEntries))
            {
                if (text.StartsWith("depends=", StringComparison.Ordinal))
                {
                    depends.AddRange(text["depends=".Length..].Split(',', StringSplitOptions.RemoveEmptyEntries));
                }
                else if (text.StartsWith("softdep=", StringComparison.Ordinal))
                {
                    AddSoft(text["softdep=".Length..], soft);
                }
            }
        }
        catch (Exception e) when (e is ArgumentOutOfRangeException or OverflowException)
        {
            throw NotModule(name);
        }

        return new ModuleInfo(depends, soft);

        ReadOnlySpan<byte> Section(ReadOnlySpan<byte> file, string wanted)
        {
            if (file.Length < 64 || !file[..4].SequenceEqual("\u007FELF"u8) || file[5] != LittleEndian)
            {
                throw NotModule(name);
            }

            var is64 = file[4] == Class64;
            var table = is64 ? Offset(file, 40, is64) : Offset(file, 32, is64);
            var size = Half(file, is64 ? 58 : 46);
            var count = Half(file, is64 ? 60 : 48);
            var names = Header(file, Half(file, is64 ? 62 : 50));
            var strings = Content(file, names, is64);
            for (var i = 0; i < count; i++)
            {
                var header = Header(file, i);
                var title = strings[BinaryPrimitives.ReadInt32LittleEndian(header)..];
                if (title.IndexOf((byte)0) is >= 0 and var end && Encoding.ASCII.GetString(title[..end]) == wanted)
                {
                    return Content(file, header, is64);
                }
            }

            throw NotModule(name);

            ReadOnlySpan<byte> Header(ReadOnlySpan<byte> file, int index) => file.Slice(checked(table + (index * size)), size);
        }
    }

    private static ReadOnlySpan<byte> Content(ReadOnlySpan<byte> file, ReadOnlySpan<byte> header, bool is64) =>
        file.Slice(Offset(header, is64 ? 24 : 16, is64), Offset(header, is64 ? 32 : 20, is64));

    /// <summary>An address-sized field; what does not fit a file in memory becomes out of range.</summary>
    private static int Offset(ReadOnlySpan<byte> bytes, int at, bool is64)
    {
        var value = is64 ? BinaryPrimitives.ReadUInt64LittleEndian(bytes[at..]) : BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value, (ulong)int.MaxValue, nameof(at));
        return (int)value;
    }

    private static int Half(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static void AddSoft(string text, List<string> soft)
    {
        // "pre: a b post: c": only what comes before matters here.
        var before = false;
        foreach (var word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (word.EndsWith(':'))
            {
                before = word == "pre:";
            }
            else if (before)
            {
                soft.Add(word);
            }
        }
    }

    private static ImageException NotModule(string name) => new($"{name} is not a kernel module (an ELF file with a .modinfo section).");
}
