using System;
using System.IO;
using System.IO.Compression;
using System.Numerics;
using SharpCompress.Compressors.Xz;
using ZstdSharp.Unsafe;

namespace VirtShell.Images.Packages;

/// <summary>Opens compressed files, each kind with bounded memory: what a file names as its dictionary or window is at most <see cref="XzGuard.LargestDictionary"/>.</summary>
internal static class Decompressor
{
    // gzip's window is 32 KiB and needs no bound.
    private static readonly int s_largestWindowLog = BitOperations.Log2((ulong)XzGuard.LargestDictionary);

    /// <summary>A file from where it stands to its end, unpacked; as it is where <paramref name="extension"/> is none of .gz, .xz and .zst.</summary>
    /// <exception cref="InvalidDataException">It is damaged, or takes too much memory.</exception>
    public static Stream Open(FileStream file, string extension)
    {
        try
        {
            switch (extension)
            {
                case ".gz":
                    return new GZipStream(file, CompressionMode.Decompress);
                case ".xz":
                    XzGuard.Check(file, file.Length);
                    return new XZStream(file);
                case ".zst":
                    var stream = new ZstdSharp.DecompressionStream(file);
                    stream.SetParameter(ZSTD_dParameter.ZSTD_d_windowLogMax, s_largestWindowLog);
                    return stream;
                default:
                    return file;
            }
        }
        catch (Exception e) when (e is SharpCompress.Common.SharpCompressException or ZstdSharp.ZstdException)
        {
            throw new InvalidDataException(e.Message, e);
        }
    }
}
