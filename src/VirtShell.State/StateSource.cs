using System;
using System.Buffers.Binary;
using System.IO;
using System.Text;

namespace VirtShell.State;

/// <summary>A stream of state as it is read: forward only, never further than asked for, lengths believed only as far as bytes follow.</summary>
internal sealed class StateSource(Stream input)
{
    private const int Piece = 1 << 20;
    private readonly byte[] _scratch = new byte[4096];

    /// <summary>Bytes read so far.</summary>
    public long Position { get; private set; }

    /// <summary>Reads what is there, up to the length of <paramref name="destination"/>.</summary>
    public int Read(Span<byte> destination)
    {
        int count = input.ReadAtLeast(destination, destination.Length, throwOnEndOfStream: false);
        Position += count;
        return count;
    }

    public bool TryFill(Span<byte> destination) => Read(destination) == destination.Length;

    public bool TryReadInt64(out long value)
    {
        Span<byte> bytes = stackalloc byte[8];
        bool there = TryFill(bytes);
        value = BinaryPrimitives.ReadInt64LittleEndian(bytes);
        return there;
    }

    public bool TryReadInt32(out int value)
    {
        Span<byte> bytes = stackalloc byte[4];
        bool there = TryFill(bytes);
        value = BinaryPrimitives.ReadInt32LittleEndian(bytes);
        return there;
    }

    /// <summary>Reads a length byte and that many bytes of text.</summary>
    public bool TryReadName(out string name)
    {
        Span<byte> bytes = stackalloc byte[StateFormat.LongestName];
        Span<byte> count = stackalloc byte[1];
        bool there = TryFill(count) && TryFill(bytes[..count[0]]);
        name = there ? Encoding.UTF8.GetString(bytes[..count[0]]) : string.Empty;
        return there;
    }

    /// <summary>Reads <paramref name="length"/> bytes, taking memory as they come.</summary>
    public bool TryRead(long length, out byte[] value)
    {
        value = new byte[Math.Min(length, Piece)];
        int filled = 0;
        while (true)
        {
            int count = Read(value.AsSpan(filled));
            filled += count;
            if (filled < value.Length)
            {
                return false;
            }

            if (filled == length)
            {
                return true;
            }

            Array.Resize(ref value, (int)Math.Min(length, Math.Min(2L * filled, Array.MaxLength)));
        }
    }

    /// <summary>Reads over <paramref name="length"/> bytes; gives their digest too.</summary>
    public bool TrySkip(long length, ref StateDigest digest)
    {
        while (length > 0)
        {
            Span<byte> part = _scratch.AsSpan(0, (int)Math.Min(length, _scratch.Length));
            if (!TryFill(part))
            {
                return false;
            }

            digest.Add(part);
            length -= part.Length;
        }

        return true;
    }
}
