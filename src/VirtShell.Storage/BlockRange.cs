using System;

namespace VirtShell.Storage;

/// <summary>What every block device shares: the sector size, range checks and a piece of zeros.</summary>
public static class BlockRange
{
    /// <summary>Disk sizes are multiples of this many bytes.</summary>
    public const int SectorSize = 512;

    private static readonly byte[] s_zeroBytes = new byte[64 << 10];

    /// <summary>64 KiB of zeros.</summary>
    internal static ReadOnlySpan<byte> Zeros => s_zeroBytes;

    /// <exception cref="ArgumentOutOfRangeException">The range does not lie in a device of <paramref name="size"/> bytes.</exception>
    public static void Check(long offset, long length, long size)
    {
        if (offset < 0 || length < 0 || offset > size || length > size - offset)
        {
            throw new ArgumentOutOfRangeException(nameof(offset), $"Bytes {offset} to {unchecked(offset + length)} do not lie on a disk of {size} bytes.");
        }
    }

    /// <exception cref="ArgumentOutOfRangeException">The size is not a positive multiple of 512 bytes.</exception>
    internal static void CheckSize(long size)
    {
        if (size <= 0 || size % SectorSize != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(size), size, "A disk's size is a positive multiple of 512 bytes.");
        }
    }
}
