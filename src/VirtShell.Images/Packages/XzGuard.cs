using System;
using System.Globalization;
using System.IO;

namespace VirtShell.Images.Packages;

/// <summary>
/// Looks through an .xz file for how much memory it takes to unpack, without unpacking it: each block of it names the size of its
/// dictionary, up to 4 GiB, and decompressors take that much at once. Blocks are found as a decompressor finds them, by the chunks of
/// their LZMA2 data, so that no index can tell otherwise.
/// </summary>
/// <remarks>The .xz file format 1.2.1, sections 2 to 5; LZMA2's chunks as liblzma's lzma2_decoder.c reads them.</remarks>
internal static class XzGuard
{
    /// <summary>The largest dictionary, in bytes: that of <c>xz -9</c>.</summary>
    public const long LargestDictionary = 64 << 20;

    private const int StreamHeaderSize = 12;
    private const int CheckTypeAt = 7;
    private const int Alignment = 4;
    private const int FilterMask = 0x03;
    private const int HasPackedSize = 0x40;
    private const int HasUnpackedSize = 0x80;
    private const ulong Lzma2 = 0x21;
    private const int LargestDictionaryCode = 40;
    private const int LongestNumber = 9;

    private static ReadOnlySpan<byte> Magic => [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0];

    // Bytes of a block's check by its type (section 2.1.1.2).
    private static readonly byte[] s_checkSizes = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];

    /// <summary>Reads from where the file stands up to <paramref name="end"/>, and puts it back to where it stood.</summary>
    /// <exception cref="InvalidDataException">A dictionary is too large, or this is no .xz file.</exception>
    /// <exception cref="EndOfStreamException">It ends too soon.</exception>
    public static void Check(FileStream file, long end)
    {
        var start = file.Position;
        try
        {
            while (end - file.Position >= StreamHeaderSize)
            {
                CheckStream(file);
                SkipPadding(file, end);
            }
        }
        finally
        {
            file.Position = start;
        }
    }

    private static void CheckStream(FileStream file)
    {
        var start = file.Position;
        Span<byte> header = stackalloc byte[StreamHeaderSize];
        file.ReadExactly(header);
        if (!header.StartsWith(Magic))
        {
            throw new InvalidDataException("it is no .xz file");
        }

        var checkSize = s_checkSizes[header[CheckTypeAt] & 0x0F];
        while (Byte(file) is not 0 and var size)
        {
            CheckBlockHeader(file, file.Position - 1 + ((size + 1L) * Alignment));
            SkipChunks(file);
            Align(file, start);
            Skip(file, checkSize);
        }

        // The index, of which the first byte is read, then the footer.
        for (var records = Number(file); records > 0; records--)
        {
            _ = Number(file);
            _ = Number(file);
        }

        Align(file, start);
        Skip(file, Alignment + StreamHeaderSize);
    }

    private static void CheckBlockHeader(FileStream file, long end)
    {
        var flags = Byte(file);
        if ((flags & HasPackedSize) != 0)
        {
            _ = Number(file);
        }

        if ((flags & HasUnpackedSize) != 0)
        {
            _ = Number(file);
        }

        for (var left = (flags & FilterMask) + 1; left > 0; left--)
        {
            var filter = Number(file);
            var properties = Number(file);
            if (left == 1)
            {
                if (filter != Lzma2 || properties != 1)
                {
                    throw new InvalidDataException("it is packed in a way that is not known");
                }

                CheckDictionary(Byte(file));
            }
            else
            {
                Skip(file, (long)Math.Min(properties, (ulong)(end - file.Position)));
            }
        }

        if (file.Position > end - Alignment)
        {
            throw new InvalidDataException("the header of one of its blocks is too short");
        }

        file.Position = end;
    }

    // Section 5.3.1: 2 or 3, shifted.
    private static void CheckDictionary(int code)
    {
        var size = code <= LargestDictionaryCode ? (2L | (code & 1)) << ((code / 2) + 11) : long.MaxValue;
        if (size > LargestDictionary)
        {
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"to unpack it takes a dictionary of {(size == long.MaxValue ? "an unknown size" : $"{size >> 20:N0} MiB")}, and {LargestDictionary >> 20} MiB are the most"));
        }
    }

    private static void SkipChunks(FileStream file)
    {
        while (Byte(file) is not 0 and var control)
        {
            switch (control)
            {
                case 1 or 2:
                    Skip(file, Size(file) + 1);
                    break;
                case >= 0x80:
                    // The size unpacked, the size packed, and where the coder is set anew its properties.
                    _ = Size(file);
                    var packed = Size(file) + 1;
                    Skip(file, packed + (control >= 0xC0 ? 1 : 0));
                    break;
                default:
                    throw new InvalidDataException("its data is no LZMA2");
            }
        }
    }

    private static int Byte(FileStream file)
    {
        var value = file.ReadByte();
        return value >= 0 ? value : throw new EndOfStreamException("it ends too soon");
    }

    private static int Size(FileStream file) => (Byte(file) << 8) | Byte(file);

    // Section 1.2: seven bits a byte, least significant first.
    private static ulong Number(FileStream file)
    {
        ulong value = 0;
        for (var i = 0; i < LongestNumber; i++)
        {
            var part = Byte(file);
            value |= (ulong)(part & 0x7F) << (7 * i);
            if (part < 0x80)
            {
                return value;
            }
        }

        throw new InvalidDataException("one of its numbers is too long");
    }

    private static void Align(FileStream file, long start) => Skip(file, -(file.Position - start) & (Alignment - 1));

    private static void Skip(FileStream file, long count)
    {
        if (count > file.Length - file.Position)
        {
            throw new EndOfStreamException("it ends too soon");
        }

        file.Position += count;
    }

    // Zeros may stand between streams, and a member of an archive is padded to an even length.
    private static void SkipPadding(FileStream file, long end)
    {
        while (file.Position < end && Byte(file) is var value)
        {
            if (value != 0)
            {
                file.Position--;
                return;
            }
        }
    }
}
