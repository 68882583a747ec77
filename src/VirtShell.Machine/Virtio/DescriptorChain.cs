using System;
using VirtShell.Cpu.Memory;
using VirtShell.State;

namespace VirtShell.Machine.Virtio;

/// <summary>
/// One request's buffers, as <see cref="Virtqueue.TryReadChain"/> found them: first those that the device reads, then those
/// that it writes. Reused from request to request. Every access is checked; one outside RAM gives false.
/// </summary>
[NotState("Read anew from guest memory for each piece of a request.")]
internal sealed class DescriptorChain
{
    /// <summary>Buffers in a chain at most, indirect ones included.</summary>
    public const int MaximumSegments = 1024;

    private readonly Segment[] _segments = new Segment[MaximumSegments];
    private readonly PhysicalMemory _memory;
    private int _readable;
    private int _count;

    public DescriptorChain(PhysicalMemory memory)
    {
        ArgumentNullException.ThrowIfNull(memory);
        _memory = memory;
    }

    /// <summary>Buffers in the chain.</summary>
    public int Count => _count;

    /// <summary>Bytes that the device reads.</summary>
    public long ReadableBytes { get; private set; }

    /// <summary>Bytes that the device writes.</summary>
    public long WritableBytes { get; private set; }

    /// <summary>Copies from the readable bytes; false where the range leaves them or RAM.</summary>
    public bool Read(long offset, Span<byte> destination)
    {
        if (offset < 0 || destination.Length > ReadableBytes - offset)
        {
            return false;
        }

        bool complete = true;
        for (int i = 0; i < _readable && destination.Length > 0; i++)
        {
            Segment segment = _segments[i];
            if (offset >= segment.Length)
            {
                offset -= segment.Length;
                continue;
            }

            int part = (int)Math.Min(destination.Length, segment.Length - offset);
            complete &= _memory.Read(segment.Address + (ulong)offset, destination[..part]);
            destination = destination[part..];
            offset = 0;
        }

        return complete;
    }

    /// <summary>Copies to the writable bytes; false where the range leaves them or RAM.</summary>
    public bool Write(long offset, ReadOnlySpan<byte> source)
    {
        if (offset < 0 || source.Length > WritableBytes - offset)
        {
            return false;
        }

        bool complete = true;
        for (int i = _readable; i < _count && source.Length > 0; i++)
        {
            Segment segment = _segments[i];
            if (offset >= segment.Length)
            {
                offset -= segment.Length;
                continue;
            }

            int part = (int)Math.Min(source.Length, segment.Length - offset);
            complete &= _memory.Write(segment.Address + (ulong)offset, source[..part]);
            source = source[part..];
            offset = 0;
        }

        return complete;
    }

    internal void Clear()
    {
        _readable = 0;
        _count = 0;
        ReadableBytes = 0;
        WritableBytes = 0;
    }

    /// <summary>Appends a buffer; gives what is wrong with it, or null.</summary>
    internal string? Add(ulong address, uint length, bool writable)
    {
        if (_count == MaximumSegments)
        {
            return "a descriptor chain is longer than 1024 buffers";
        }

        if (length == 0)
        {
            return "a descriptor has length 0";
        }

        if (length - 1 > ulong.MaxValue - address)
        {
            return "a descriptor's buffer wraps around the address space";
        }

        if (!writable && WritableBytes > 0)
        {
            return "a descriptor for reading follows one for writing";
        }

        _segments[_count++] = new Segment(address, length);
        if (writable)
        {
            WritableBytes += length;
        }
        else
        {
            _readable = _count;
            ReadableBytes += length;
        }

        return null;
    }

    private readonly record struct Segment(ulong Address, uint Length);
}
