using System;
using System.Buffers.Binary;
using System.Globalization;
using System.IO;
using System.IO.Compression;
using System.Numerics;

namespace VirtShell.Machine.Display;

/// <summary>A picture: three bytes (red, green, blue) for each dot, line by line from the top.</summary>
/// <param name="Width">Dots of a line.</param>
/// <param name="Height">Lines.</param>
/// <param name="Rgb">The dots.</param>
public sealed record ScreenPicture(int Width, int Height, byte[] Rgb)
{
    /// <summary>Bits of <see cref="PerceptualHash"/>.</summary>
    public const int HashBits = 256;

    private const int HashSide = 16;
    private const uint CrcPolynomial = 0xEDB8_8320;
    private const byte UpFilter = 2;

    private static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    /// <summary>The picture as a PNG file of 8 bits for each colour (W3C, PNG Specification).</summary>
    /// <remarks>Written here: it is three chunks around what the framework compresses, and a library would bring its readers along, which are what goes wrong with pictures.</remarks>
    public byte[] ToPng()
    {
        using MemoryStream png = new();
        png.Write(Signature);
        Span<byte> header = stackalloc byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, Width);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], Height);
        header[8] = 8;
        header[9] = 2;
        header[10..].Clear();
        WriteChunk(png, "IHDR"u8, header);
        using (MemoryStream data = new())
        {
            using (ZLibStream compressed = new(data, CompressionLevel.Optimal, leaveOpen: true))
            {
                // Each line as its difference from the one above, which on screens is mostly nothing.
                byte[] line = new byte[(Width * 3) + 1];
                line[0] = UpFilter;
                for (int y = 0; y < Height; y++)
                {
                    ReadOnlySpan<byte> row = Rgb.AsSpan(y * Width * 3, Width * 3);
                    ReadOnlySpan<byte> above = y == 0 ? default : Rgb.AsSpan((y - 1) * Width * 3, Width * 3);
                    for (int i = 0; i < row.Length; i++)
                    {
                        line[i + 1] = (byte)(row[i] - (y == 0 ? 0 : above[i]));
                    }

                    compressed.Write(line);
                }
            }

            WriteChunk(png, "IDAT"u8, data.GetBuffer().AsSpan(0, (int)data.Length));
        }

        WriteChunk(png, "IEND"u8, default);
        return png.ToArray();
    }

    /// <summary>A hash that is near for pictures that look alike: of 17 by 16 fields, whether each is brighter than the one to its left. 64 hexadecimal digits.</summary>
    public string PerceptualHash()
    {
        Span<long> row = stackalloc long[HashSide + 1];
        Span<byte> bits = stackalloc byte[HashBits / 8];
        bits.Clear();
        for (int y = 0; y < HashSide; y++)
        {
            for (int x = 0; x < row.Length; x++)
            {
                row[x] = Brightness(x * Width / row.Length, (x + 1) * Width / row.Length, y * Height / HashSide, (y + 1) * Height / HashSide);
            }

            for (int x = 0; x < HashSide; x++)
            {
                int bit = (y * HashSide) + x;
                bits[bit / 8] |= (byte)((row[x + 1] > row[x] ? 1 : 0) << (bit % 8));
            }
        }

        return Convert.ToHexStringLower(bits);
    }

    /// <summary>In how many of its bits one hash differs from another; <see cref="HashBits"/> where one is no hash.</summary>
    public static int Distance(string first, string second)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        const int Digits = HashBits / 4;
        if (first.Length != Digits || second.Length != Digits)
        {
            return HashBits;
        }

        int distance = 0;
        for (int i = 0; i < Digits; i++)
        {
            if (!int.TryParse(first.AsSpan(i, 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int one)
                || !int.TryParse(second.AsSpan(i, 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int other))
            {
                return HashBits;
            }

            distance += BitOperations.PopCount((uint)(one ^ other));
        }

        return distance;
    }

    // The mean of a field, in sixteenths of a step, so that fields of other sizes compare.
    private long Brightness(int left, int right, int top, int bottom)
    {
        long sum = 0;
        for (int y = top; y < bottom; y++)
        {
            for (int x = left; x < right; x++)
            {
                int at = ((y * Width) + x) * 3;
                sum += (2 * Rgb[at]) + (5 * Rgb[at + 1]) + Rgb[at + 2];
            }
        }

        return sum * 16 / Math.Max(1, (right - left) * (bottom - top));
    }

    private static void WriteChunk(Stream png, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        png.Write(number);
        png.Write(type);
        png.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, ~Crc(Crc(uint.MaxValue, type), data));
        png.Write(number);
    }

    private static uint Crc(uint crc, ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc >> 1) ^ ((crc & 1) != 0 ? CrcPolynomial : 0);
            }
        }

        return crc;
    }
}
