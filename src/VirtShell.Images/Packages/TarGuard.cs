using System;
using System.IO;

namespace VirtShell.Images.Packages;

/// <summary>
/// Looks at the headers of a tar stream as they pass by: a long name or extended header claims its own size, and the
/// reader behind allocates what is claimed (ustar in POSIX.1-2024, pax; GNU tar manual, "Basic Tar Format").
/// </summary>
internal sealed class TarGuard(Stream inner) : Stream
{
    private const int BlockSize = 512;
    private const int SizeOffset = 124;
    private const int SizeLength = 12;
    private const int TypeOffset = 156;
    private const long LargestName = 1 << 20;

    private readonly byte[] _header = new byte[BlockSize];
    private int _filled;
    private long _data;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        var count = inner.Read(buffer);
        Look(buffer[..count]);
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private void Look(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            if (_data > 0)
            {
                var part = (int)Math.Min(_data, bytes.Length);
                _data -= part;
                bytes = bytes[part..];
                continue;
            }

            var taken = Math.Min(BlockSize - _filled, bytes.Length);
            bytes[..taken].CopyTo(_header.AsSpan(_filled));
            _filled += taken;
            bytes = bytes[taken..];
            if (_filled == BlockSize)
            {
                _filled = 0;
                CheckHeader();
            }
        }
    }

    private void CheckHeader()
    {
        var size = ReadSize(_header.AsSpan(SizeOffset, SizeLength));
        var type = (char)_header[TypeOffset];
        if (type is 'L' or 'K' or 'x' or 'g' && size > LargestName)
        {
            throw new InvalidDataException($"the name of one of its files has {size} bytes");
        }

        // Links, devices and folders have no data, whatever their size field says.
        _data = type is >= '1' and <= '6' ? 0 : (size + BlockSize - 1) / BlockSize * BlockSize;
    }

    /// <summary>Octal digits, or base 256 where the first bit is set; what is neither counts as none, and the reader behind refuses it.</summary>
    private static long ReadSize(ReadOnlySpan<byte> field)
    {
        const long largest = long.MaxValue >> 10;
        long size = 0;
        if ((field[0] & 0x80) != 0)
        {
            foreach (var value in field[4..])
            {
                size = size > largest ? largest : (size << 8) | value;
            }

            return Math.Min(size, largest);
        }

        foreach (var digit in field)
        {
            if (digit is >= (byte)'0' and <= (byte)'7')
            {
                size = (size << 3) | (uint)(digit - '0');
            }
            else if (digit is not (byte)' ' and not 0)
            {
                return 0;
            }
        }

        return size;
    }
}
