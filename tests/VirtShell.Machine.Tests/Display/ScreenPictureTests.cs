using System;
using System.Buffers.Binary;
using System.IO;
using System.IO.Compression;
using System.Linq;
using VirtShell.Machine.Display;
using Xunit;

namespace VirtShell.Machine.Tests.Display;

/// <summary>Pictures as files, and as hashes.</summary>
public sealed class ScreenPictureTests
{
    /// <summary>Read back chunk by chunk, as the specification of PNG has them.</summary>
    [Fact]
    public void A_PNG_file_holds_every_dot()
    {
        byte[] rgb = new byte[37 * 11 * 3];
        new Random(3).NextBytes(rgb);
        byte[] png = new ScreenPicture(37, 11, rgb).ToPng();
        Assert.Equal("89504E470D0A1A0A", Convert.ToHexString(png, 0, 8));
        int at = 8;
        byte[] header = Chunk(png, ref at, "IHDR");
        Assert.Equal("000000250000000B0802000000", Convert.ToHexString(header));
        using ZLibStream data = new(new MemoryStream(Chunk(png, ref at, "IDAT")), CompressionMode.Decompress);
        byte[] above = new byte[37 * 3];
        for (int y = 0; y < 11; y++)
        {
            Assert.Equal(2, data.ReadByte());
            byte[] line = new byte[37 * 3];
            data.ReadExactly(line);
            above = [.. line.Zip(above, (difference, over) => (byte)(difference + over))];
            Assert.Equal(rgb.Skip(y * 37 * 3).Take(37 * 3), above);
        }

        Assert.Equal(-1, data.ReadByte());
        Assert.Empty(Chunk(png, ref at, "IEND"));
        Assert.Equal(png.Length, at);
    }

    [Fact]
    public void Hashes_are_near_for_pictures_that_look_alike()
    {
        ScreenPicture picture = Shades(640, 400, 1, noise: 0);
        Assert.Equal(64, picture.PerceptualHash().Length);
        Assert.InRange(ScreenPicture.Distance(picture.PerceptualHash(), Shades(640, 400, 1, noise: 4).PerceptualHash()), 0, 10);
        Assert.InRange(ScreenPicture.Distance(picture.PerceptualHash(), Shades(1280, 800, 1, noise: 0).PerceptualHash()), 0, 10);
        Assert.InRange(ScreenPicture.Distance(picture.PerceptualHash(), Shades(640, 400, 2, noise: 0).PerceptualHash()), 60, 200);
        Assert.Equal(ScreenPicture.HashBits, ScreenPicture.Distance(picture.PerceptualHash(), "zz"));
    }

    private static byte[] Chunk(byte[] png, ref int at, string type)
    {
        int length = BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(at));
        Assert.Equal(type, System.Text.Encoding.ASCII.GetString(png, at + 4, 4));

        // The polynomial's remainder over type, data and check value is always the same.
        uint crc = uint.MaxValue;
        foreach (byte value in png.AsSpan(at + 4, length + 4))
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xEDB88320 : crc >> 1;
            }
        }

        Assert.Equal(~crc, BinaryPrimitives.ReadUInt32BigEndian(png.AsSpan(at + 8 + length)));
        byte[] data = png.AsSpan(at + 8, length).ToArray();
        at += length + 12;
        return data;
    }

    private static ScreenPicture Shades(int width, int height, int seed, int noise)
    {
        Random random = new(seed);
        int[] light = [.. Enumerable.Range(0, 17 * 16).Select(_ => random.Next(8, 240))];
        byte[] rgb = new byte[width * height * 3];
        for (int i = 0; i < width * height; i++)
        {
            int field = (i / width * 16 / height * 17) + (i % width * 17 / width);
            rgb.AsSpan(i * 3, 3).Fill((byte)(light[field] + random.Next(noise + 1)));
        }

        return new ScreenPicture(width, height, rgb);
    }
}
