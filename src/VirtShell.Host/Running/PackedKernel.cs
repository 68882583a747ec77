using System;
using System.Buffers.Binary;
using System.IO;
using System.IO.Compression;

namespace VirtShell.Host.Running;

/// <summary>Kernels that are kept compressed and that boot loaders unpack, as Xen's is (gzip).</summary>
internal static class PackedKernel
{
    private const int LargestKernel = 256 << 20;
    private const int Step = 1 << 20;
    private const int SizeBytes = 4;

    /// <summary>What is in a gzip file, if that is an ELF file; else the file itself, of which <see cref="KernelFormat"/> says what it is.</summary>
    public static byte[] Unpack(byte[] image)
    {
        if (image is not [0x1F, 0x8B, ..])
        {
            return image;
        }

        try
        {
            using GZipStream packed = new(new MemoryStream(image, writable: false), CompressionMode.Decompress);
            byte[] start = new byte[4];
            if (packed.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) < start.Length || start is not [0x7F, (byte)'E', (byte)'L', (byte)'F'])
            {
                return image;
            }

            using MemoryStream unpacked = new();
            unpacked.Write(start);
            byte[] buffer = new byte[Step];
            for (int read = packed.Read(buffer); read > 0; read = packed.Read(buffer))
            {
                if (unpacked.Length + read > LargestKernel)
                {
                    return image;
                }

                unpacked.Write(buffer, 0, read);
            }

            // The file ends with how much is in it (RFC 1952, 2.3.1); one that is cut short reads like one that is whole.
            return image.Length > SizeBytes && BinaryPrimitives.ReadUInt32LittleEndian(image.AsSpan(image.Length - SizeBytes)) == unpacked.Length ? unpacked.ToArray() : image;
        }
        catch (InvalidDataException)
        {
            return image;
        }
    }
}
