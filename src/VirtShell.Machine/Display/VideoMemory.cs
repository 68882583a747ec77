using System;
using System.Runtime.CompilerServices;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Pci;
using VirtShell.State;

namespace VirtShell.Machine.Display;

/// <summary>
/// A display's memory, and the linear view of it in a base address register. The first 256 KiB are the four planes of a VGA,
/// a doubleword for each address with plane 0 lowest; linear modes see the same bytes in order.
/// </summary>
/// <remarks>
/// Guests reach the linear view at the speed of RAM: the content lies in guest-physical memory at the register's address, and its
/// pages are mapped as RAM at the first access to each chunk. Where the register moves, chunks follow at their next access, so
/// that a move costs nothing by itself. Sound: chunks lie within guest-physical memory, and offsets are checked or masked.
/// </remarks>
internal sealed unsafe class VideoMemory : IMmioHandler, IMovedRange, IDeviceMemory, IStateful
{
    /// <summary>Bytes that move at once.</summary>
    public const int ChunkSize = 64 << 10;

    /// <summary>Addresses of a plane.</summary>
    public const int PlaneSize = 64 << 10;

    // Where the content lies before the register has ever been set; no RAM is there, and nothing else has memory of its own there.
    private const ulong FirstHome = 0xD000_0000;
    private const int ChunkShift = 16;
    private const int AddressShift = ChunkShift - 2;
    private const int AddressMask = (1 << AddressShift) - 1;

    // Of the four planes.
    private const int PlaneChunks = 4 * PlaneSize / ChunkSize;

    // Runtime glue.
    private readonly IoBus _bus;
    private readonly PhysicalMemory _memory;

    // Where chunks are, and which may hold anything but zeros, follows from accesses and is nothing that a guest sees.
    [NotState("Where the host keeps content.")]
    private readonly ulong[] _home;
    [NotState("Where the host keeps content.")]
    private readonly bool[] _used;
    [NotState("Where the host keeps content.")]
    private readonly bool[] _mapped;
    [NotState("Follows from configuration space.")]
    private ulong? _aperture;
    [NotState("Follows from configuration space.")]
    private ulong _range;

    /// <param name="bus">The bus that the linear view is on.</param>
    /// <param name="memory">Guest-physical memory, in which content lies.</param>
    /// <param name="size">Bytes: a multiple of 64 KiB, from 1 MiB to 128 MiB.</param>
    public VideoMemory(IoBus bus, PhysicalMemory memory, int size)
    {
        _bus = bus;
        _memory = memory;
        Size = size;
        int chunks = size / ChunkSize;
        _home = new ulong[chunks];
        _used = new bool[chunks];
        _mapped = new bool[chunks];
        SetFirstHome();
    }

    /// <summary>Bytes.</summary>
    public int Size { get; }

    /// <summary>Called before the bytes of the planes are reached in the linear view, where they are not mapped.</summary>
    [NotState("Wiring.")]
    public Action? PlanesReached { get; set; }

    /// <summary>The four planes at an address, plane 0 in the lowest byte. The address must be below a quarter of <see cref="Size"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint ReadPlanes(int address) => *(uint*)(_memory.Base + _home[address >> AddressShift] + ((uint)(address & AddressMask) << 2));

    /// <summary>Writes the four planes at an address below a quarter of <see cref="Size"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void WritePlanes(int address, uint value)
    {
        int chunk = address >> AddressShift;
        _used[chunk] = true;
        *(uint*)(_memory.Base + _home[chunk] + ((uint)(address & AddressMask) << 2)) = value;
    }

    /// <summary>The bytes of the chunk that an offset lies in, from there on.</summary>
    public ReadOnlySpan<byte> From(int offset)
    {
        int within = offset & (ChunkSize - 1);
        return new(_memory.Base + _home[offset >> ChunkShift] + (uint)within, ChunkSize - within);
    }

    /// <summary>Copies from the linear view; the range must lie in it.</summary>
    public void CopyTo(int offset, Span<byte> destination)
    {
        while (destination.Length > 0)
        {
            ReadOnlySpan<byte> part = From(offset);
            part = part[..Math.Min(part.Length, destination.Length)];
            part.CopyTo(destination);
            destination = destination[part.Length..];
            offset += part.Length;
        }
    }

    /// <summary>Makes all bytes zero. Costs what was used since the last time.</summary>
    public void Clear()
    {
        PlanesReached?.Invoke();
        for (int chunk = 0; chunk < _home.Length; chunk++)
        {
            if (_used[chunk])
            {
                Unmap(chunk);
                _memory.DiscardDevicePages(_home[chunk], ChunkSize);
                _used[chunk] = false;
            }
        }
    }

    /// <summary>Power-on: all zeros, at no address.</summary>
    public void Reset()
    {
        for (int chunk = 0; chunk < _home.Length; chunk++)
        {
            _used[chunk] = true;
        }

        Clear();
        SetFirstHome();
    }

    void IMovedRange.Moved(ulong? address)
    {
        if (_aperture is not null)
        {
            _memory.RemoveDevice(_range, this);
            Array.Clear(_mapped);
        }

        // RAM wins over ranges that a guest puts into it, and the controllers stand above the window: there it is reached by the bus alone.
        _aperture = address is { } at && at >= PhysicalMemory.LowLimit && at + (ulong)Size <= PciBus.MemoryWindowEnd ? at : null;
        if (_aperture is { } start)
        {
            _range = start;
            _memory.AddDevice(start, (ulong)Size, this);
        }
    }

    public ulong ReadMmio(ulong offset, int size)
    {
        ulong value = 0;
        for (int i = 0; i < size; i++)
        {
            value |= (ulong)ReadByte(offset + (ulong)i) << (8 * i);
        }

        return value;
    }

    public void WriteMmio(ulong offset, int size, ulong value)
    {
        for (int i = 0; i < size; i++)
        {
            WriteByte(offset + (ulong)i, (byte)(value >> (8 * i)));
        }
    }

    void IDeviceMemory.Read(ulong offset, Span<byte> destination)
    {
        for (int i = 0; i < destination.Length; i++)
        {
            destination[i] = ReadByte(offset + (ulong)i);
        }
    }

    void IDeviceMemory.Write(ulong offset, ReadOnlySpan<byte> source)
    {
        for (int i = 0; i < source.Length; i++)
        {
            WriteByte(offset + (ulong)i, source[i]);
        }
    }

    /// <summary>A byte of the linear view; all ones behind its end.</summary>
    public byte ReadByte(ulong offset)
    {
        if (offset >= (ulong)Size)
        {
            return 0xFF;
        }

        Reach((int)(offset >> ChunkShift));
        return *(_memory.Base + _home[offset >> ChunkShift] + (offset & (ChunkSize - 1)));
    }

    /// <summary>Writes a byte of the linear view; dropped behind its end.</summary>
    public void WriteByte(ulong offset, byte value)
    {
        if (offset < (ulong)Size)
        {
            int chunk = (int)(offset >> ChunkShift);
            Reach(chunk);
            _used[chunk] = true;
            *(_memory.Base + _home[chunk] + (offset & (ChunkSize - 1))) = value;
        }
    }

    /// <summary>Content alone, last in the section of the display.</summary>
    public void Describe(StateVisitor visitor)
    {
        if (visitor.IsLoading && !visitor.IsAbsent)
        {
            Clear();
        }

        visitor.Blocks("at-", new Chunks(this), hexadecimal: true);
    }

    /// <summary>Has the next access to the planes in the linear view come by the bus.</summary>
    public void UnmapPlanes()
    {
        for (int chunk = 0; chunk < PlaneChunks; chunk++)
        {
            Unmap(chunk);
        }
    }

    // Brings a chunk to where the register says, and lets guests reach it there directly.
    private void Reach(int chunk)
    {
        if (_mapped[chunk])
        {
            return;
        }

        if (chunk < PlaneChunks)
        {
            PlanesReached?.Invoke();
        }

        if (_aperture is not { } aperture)
        {
            return;
        }

        ulong at = aperture + ((ulong)chunk << ChunkShift);
        if (!_bus.Owns(at, ChunkSize, this))
        {
            return;
        }

        if (_home[chunk] != at)
        {
            _memory.MoveDevicePages(_home[chunk], at, ChunkSize);
            _home[chunk] = at;
        }

        _mapped[chunk] = true;
        _used[chunk] = true;
        _memory.MapRam(at, ChunkSize);
    }

    private void Unmap(int chunk)
    {
        if (_mapped[chunk])
        {
            _mapped[chunk] = false;
            _memory.Unmap(_home[chunk], ChunkSize);
        }
    }

    private void SetFirstHome()
    {
        for (int chunk = 0; chunk < _home.Length; chunk++)
        {
            _home[chunk] = FirstHome + ((ulong)chunk << ChunkShift);
        }
    }

    // By their offsets in the linear view.
    private sealed class Chunks(VideoMemory memory) : StateBlocks
    {
        public override long Next(long number)
        {
            for (long at = (number + ChunkSize - 1) & ~(long)(ChunkSize - 1); at < memory.Size; at += ChunkSize)
            {
                if (memory._used[at >> ChunkShift] && memory.From((int)at).ContainsAnyExcept((byte)0))
                {
                    return at;
                }
            }

            return -1;
        }

        public override ReadOnlySpan<byte> Read(long number) => memory.From((int)number);

        public override Span<byte> Room(long number, long length)
        {
            if (number < 0 || number % ChunkSize != 0 || number >= memory.Size)
            {
                return default;
            }

            int chunk = (int)(number >> ChunkShift);
            memory._used[chunk] = true;
            return new(memory._memory.Base + memory._home[chunk], ChunkSize);
        }
    }
}
