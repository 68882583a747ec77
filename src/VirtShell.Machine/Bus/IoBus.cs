using System;
using System.Collections.Generic;
using VirtShell.State;

namespace VirtShell.Machine.Bus;

/// <summary>
/// Routes port and MMIO accesses to the devices that claim them. Unclaimed reads give all ones, unclaimed writes are
/// dropped. Where claims overlap (a guest may place a PCI BAR anywhere), the older one answers.
/// </summary>
[NotState("Devices claim their ranges anew as they load.")]
internal sealed class IoBus
{
    private const int PortCount = 0x10000;

    // Index into _ports plus one for each port; 0 is unclaimed.
    private readonly ushort[] _portOwner = new ushort[PortCount];
    private readonly List<PortMapping?> _ports = [];
    private readonly List<MmioMapping> _mmio = [];
    private MmioSegment[] _segments = [];
    private int _lastSegment;

    /// <summary>Looks at each range that is claimed from now on; null once parts are built, when only guests move ranges.</summary>
    [NotState("Only while parts are built.")]
    internal IRangeGuard? Guard { get; set; }

    /// <summary>Claims <paramref name="count"/> ports from <paramref name="first"/>. Accesses wider than <paramref name="accessWidth"/> (1, 2 or 4) reach the handler as several, lowest address first.</summary>
    /// <param name="first">The first port.</param>
    /// <param name="count">How many.</param>
    /// <param name="handler">What answers.</param>
    /// <param name="accessWidth">The widest access that the handler takes, in bytes.</param>
    /// <param name="overhang">By how many ports an access that begins in the range may end behind it and still be the handler's alone.</param>
    public void MapPorts(ushort first, int count, IPortHandler handler, int accessWidth = 1, int overhang = 0)
    {
        ArgumentNullException.ThrowIfNull(handler);
        if (count < 1 || first + count > PortCount)
        {
            throw new ArgumentOutOfRangeException(nameof(count), count, "Ports lie between 0 and FFFFh.");
        }

        if (accessWidth is not (1 or 2 or 4))
        {
            throw new ArgumentOutOfRangeException(nameof(accessWidth), accessWidth, "A port access is 1, 2 or 4 bytes wide.");
        }

        Guard?.CheckPorts(first, count);
        PortMapping mapping = new(first, first + count - 1, handler, accessWidth, Math.Min(first + count - 1 + overhang, PortCount - 1));
        int slot = _ports.IndexOf(null);
        if (slot < 0)
        {
            slot = _ports.Count;
            _ports.Add(mapping);
        }
        else
        {
            _ports[slot] = mapping;
        }

        Claim(slot);
    }

    /// <summary>Gives up a claim made with the same arguments; does nothing where there is none.</summary>
    public void UnmapPorts(ushort first, int count, IPortHandler handler)
    {
        int slot = _ports.FindIndex(m => m is not null && m.First == first && m.Last == first + count - 1 && m.Handler == handler);
        if (slot < 0)
        {
            return;
        }

        _ports[slot] = null;
        for (int port = first; port < first + count; port++)
        {
            if (_portOwner[port] == slot + 1)
            {
                _portOwner[port] = 0;
            }
        }

        for (int other = 0; other < _ports.Count; other++)
        {
            Claim(other);
        }
    }

    /// <summary>Claims <paramref name="length"/> bytes of physical address space from <paramref name="start"/>.</summary>
    public void MapMmio(ulong start, ulong length, IMmioHandler handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        if (length == 0 || length - 1 > ulong.MaxValue - start)
        {
            throw new ArgumentOutOfRangeException(nameof(length), length, "An MMIO range is not empty and does not wrap.");
        }

        Guard?.CheckMmio(start, length);
        _mmio.Add(new MmioMapping(start, length, handler));
        RebuildSegments();
    }

    /// <summary>Gives up a claim made with the same arguments; does nothing where there is none.</summary>
    public void UnmapMmio(ulong start, ulong length, IMmioHandler handler)
    {
        int index = _mmio.FindIndex(m => m.Start == start && m.Length == length && m.Handler == handler);
        if (index >= 0)
        {
            _mmio.RemoveAt(index);
            RebuildSegments();
        }
    }

    /// <summary>Whether a handler alone answers all of a range: no older claim lies within.</summary>
    public bool Owns(ulong start, ulong length, IMmioHandler handler)
    {
        int index = FindSegment(start);
        return index >= 0 && _segments[index].Mapping.Handler == handler && length - 1 <= _segments[index].Last - start;
    }

    /// <summary>The claimed port ranges (first, count), for tests that exercise every device.</summary>
    public IEnumerable<(ushort First, int Count)> PortRanges()
    {
        foreach (PortMapping? mapping in _ports)
        {
            if (mapping is not null)
            {
                yield return ((ushort)mapping.First, mapping.Last - mapping.First + 1);
            }
        }
    }

    /// <summary>The claimed MMIO ranges (start, length), for tests that exercise every device.</summary>
    public IEnumerable<(ulong Start, ulong Length)> MmioRanges()
    {
        foreach (MmioMapping mapping in _mmio)
        {
            yield return (mapping.Start, mapping.Length);
        }
    }

    public uint ReadPort(ushort port, int size)
    {
        int owner = _portOwner[port];
        if (owner != 0)
        {
            PortMapping mapping = _ports[owner - 1]!;
            if (size <= mapping.AccessWidth && port + size - 1 <= mapping.LastReached)
            {
                return mapping.Handler.ReadPort(port, size) & Mask(size);
            }
        }
        else if (size == 1)
        {
            return 0xFF;
        }

        return ReadPortSplit(port, size);
    }

    public void WritePort(ushort port, int size, uint value)
    {
        int owner = _portOwner[port];
        if (owner != 0)
        {
            PortMapping mapping = _ports[owner - 1]!;
            if (size <= mapping.AccessWidth && port + size - 1 <= mapping.LastReached)
            {
                mapping.Handler.WritePort(port, size, value & Mask(size));
                return;
            }
        }
        else if (size == 1)
        {
            return;
        }

        WritePortSplit(port, size, value);
    }

    public ulong ReadMmio(ulong address, int size)
    {
        int index = FindSegment(address);
        if (index >= 0)
        {
            ref readonly MmioSegment segment = ref _segments[index];
            if ((ulong)(size - 1) <= segment.Last - address)
            {
                return segment.Mapping.Handler.ReadMmio(address - segment.Mapping.Start, size) & LongMask(size);
            }
        }

        // The access leaves the range it starts in, or starts in none: byte by byte.
        ulong value = 0;
        for (int i = 0; i < size; i++)
        {
            ulong at = unchecked(address + (ulong)i);
            int part = FindSegment(at);
            ulong piece = 0xFF;
            if (part >= 0)
            {
                MmioMapping mapping = _segments[part].Mapping;
                piece = mapping.Handler.ReadMmio(at - mapping.Start, 1) & 0xFF;
            }

            value |= piece << (8 * i);
        }

        return value;
    }

    public void WriteMmio(ulong address, int size, ulong value)
    {
        int index = FindSegment(address);
        if (index >= 0)
        {
            ref readonly MmioSegment segment = ref _segments[index];
            if ((ulong)(size - 1) <= segment.Last - address)
            {
                segment.Mapping.Handler.WriteMmio(address - segment.Mapping.Start, size, value & LongMask(size));
                return;
            }
        }

        for (int i = 0; i < size; i++)
        {
            ulong at = unchecked(address + (ulong)i);
            int part = FindSegment(at);
            if (part >= 0)
            {
                MmioMapping mapping = _segments[part].Mapping;
                mapping.Handler.WriteMmio(at - mapping.Start, 1, (value >> (8 * i)) & 0xFF);
            }
        }
    }

    private static uint Mask(int size) => size == 4 ? uint.MaxValue : (1u << (8 * size)) - 1;

    private static ulong LongMask(int size) => size == 8 ? ulong.MaxValue : (1UL << (8 * size)) - 1;

    private uint ReadPortSplit(int port, int size)
    {
        uint value = 0;
        for (int done = 0; done < size;)
        {
            PortMapping? mapping = OwnerOf(port + done);
            int piece = PieceSize(mapping, port + done, size - done);
            uint part = mapping is null ? 0xFF : mapping.Handler.ReadPort((ushort)(port + done), piece) & Mask(piece);
            value |= part << (8 * done);
            done += piece;
        }

        return value;
    }

    private void WritePortSplit(int port, int size, uint value)
    {
        for (int done = 0; done < size;)
        {
            PortMapping? mapping = OwnerOf(port + done);
            int piece = PieceSize(mapping, port + done, size - done);
            mapping?.Handler.WritePort((ushort)(port + done), piece, (value >> (8 * done)) & Mask(piece));
            done += piece;
        }
    }

    private PortMapping? OwnerOf(int port) => port < PortCount && _portOwner[port] != 0 ? _ports[_portOwner[port] - 1] : null;

    private static int PieceSize(PortMapping? mapping, int port, int left)
    {
        if (mapping is null)
        {
            return 1;
        }

        int most = Math.Min(Math.Min(mapping.AccessWidth, left), mapping.LastReached - port + 1);
        return most >= 4 ? 4 : most >= 2 ? 2 : 1;
    }

    private void Claim(int slot)
    {
        if (_ports[slot] is PortMapping mapping)
        {
            for (int port = mapping.First; port <= mapping.Last; port++)
            {
                if (_portOwner[port] == 0)
                {
                    _portOwner[port] = checked((ushort)(slot + 1));
                }
            }
        }
    }

    private int FindSegment(ulong address)
    {
        MmioSegment[] segments = _segments;
        int last = _lastSegment;
        if ((uint)last < (uint)segments.Length && address >= segments[last].First && address <= segments[last].Last)
        {
            return last;
        }

        int low = 0;
        int high = segments.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >> 1;
            if (address < segments[middle].First)
            {
                high = middle - 1;
            }
            else if (address > segments[middle].Last)
            {
                low = middle + 1;
            }
            else
            {
                _lastSegment = middle;
                return middle;
            }
        }

        return -1;
    }

    // Cuts the claims into ranges that do not overlap, older claims first, and sorts them.
    private void RebuildSegments()
    {
        List<MmioSegment> segments = [];
        List<(ulong First, ulong Last)> open = [];
        foreach (MmioMapping mapping in _mmio)
        {
            open.Clear();
            open.Add((mapping.Start, mapping.Start + (mapping.Length - 1)));
            foreach (MmioSegment taken in segments)
            {
                for (int i = open.Count - 1; i >= 0; i--)
                {
                    (ulong first, ulong last) = open[i];
                    if (taken.Last < first || taken.First > last)
                    {
                        continue;
                    }

                    open.RemoveAt(i);
                    if (first < taken.First)
                    {
                        open.Add((first, taken.First - 1));
                    }

                    if (last > taken.Last)
                    {
                        open.Add((taken.Last + 1, last));
                    }
                }
            }

            foreach ((ulong first, ulong last) in open)
            {
                segments.Add(new MmioSegment(first, last, mapping));
            }
        }

        segments.Sort(static (a, b) => a.First.CompareTo(b.First));
        _segments = [.. segments];
        _lastSegment = 0;
    }

    private sealed record PortMapping(int First, int Last, IPortHandler Handler, int AccessWidth, int LastReached);

    private sealed record MmioMapping(ulong Start, ulong Length, IMmioHandler Handler);

    private readonly record struct MmioSegment(ulong First, ulong Last, MmioMapping Mapping);
}
