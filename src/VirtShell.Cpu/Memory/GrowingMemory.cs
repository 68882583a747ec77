using System;

namespace VirtShell.Cpu.Memory;

/// <summary>
/// Memory that is filled from its start: address space at once, memory a step at a time. The host brings a step's pages in one go,
/// which costs it a small part of what as many page faults do.
/// </summary>
internal sealed unsafe class GrowingMemory : IDisposable
{
    /// <summary>Taken from the host at a time.</summary>
    private const ulong Step = 64 << 10;

    /// <summary>What is taken in small pages first, so that little use takes little memory.</summary>
    private const ulong SmallPart = 128 << 10;

    private readonly byte* _reserved;
    private readonly ulong _reservedLength;
    private readonly ulong _length;
    private byte* _taken;

    /// <param name="length">Bytes that it can hold, a multiple of the page size.</param>
    /// <param name="largePages">Whether most of it is used where much of it is: large pages, then.</param>
    /// <exception cref="OutOfMemoryException">The host has no such address space.</exception>
    public GrowingMemory(ulong length, bool largePages = false)
    {
        _length = length;
        _reservedLength = largePages ? length + HostMemory.LargePage : length;
        _reserved = HostMemory.Reserve(_reservedLength);
        Start = _reserved;
        if (largePages)
        {
            // Large pages begin where the small part ends.
            Start = (byte*)((((ulong)_reserved + SmallPart + HostMemory.LargePage - 1) & ~(HostMemory.LargePage - 1)) - SmallPart);
            HostMemory.UseLargePages(Start + SmallPart, length - Math.Min(length, SmallPart));
        }

        _taken = Start;
    }

    ~GrowingMemory() => Release();

    public byte* Start { get; private set; }

    /// <summary>Says that the bytes below an address are about to be written.</summary>
    public void Take(void* end)
    {
        while (_taken < end && _taken < Start + _length)
        {
            ulong length = Math.Min(Step, (ulong)(Start + _length - _taken));
            HostMemory.Populate(_taken, length);
            _taken += length;
        }
    }

    /// <summary>What the host has had to give of it, in bytes. From any thread.</summary>
    public ulong ResidentBytes() => Start != null ? HostMemory.Resident(_reserved, _reservedLength) : 0;

    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    private void Release()
    {
        if (Start != null)
        {
            HostMemory.Release(_reserved, _reservedLength);
            Start = null;
        }
    }
}
