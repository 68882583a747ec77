using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.CompilerServices;

namespace VirtShell.Cpu.Memory;

/// <summary>
/// Guest-physical memory: RAM and ROM pages in one reserved range of host address space, so that host address =
/// <see cref="Base"/> + guest-physical address. RAM above <see cref="LowLimit"/> continues at 4 GiB.
/// </summary>
/// <remarks>
/// Unsafe code is sound here because every page is looked up in <see cref="Kinds"/> before its host address is used,
/// and nothing outside the reserved range ever has a kind.
/// </remarks>
public sealed unsafe partial class PhysicalMemory : IDisposable
{
    public const ulong PageSize = 4096;

    /// <summary>RAM below 4 GiB ends here at most; above it stands the hole for PCI, IOAPIC, LAPIC and firmware.</summary>
    public const ulong LowLimit = 0xC000_0000;

    private const ulong FourGiB = 0x1_0000_0000;

    private byte* _base;
    private byte* _kinds;
    private IMemorySubscriber[] _subscribers = [];

    /// <summary>Creates RAM of <paramref name="ramBytes"/>, a multiple of 4 KiB from 64 KiB to 1 TiB.</summary>
    public PhysicalMemory(ulong ramBytes)
    {
        if (ramBytes < 0x10000 || ramBytes > 1UL << 40 || ramBytes % PageSize != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(ramBytes), ramBytes, "RAM is a multiple of 4 KiB from 64 KiB to 1 TiB.");
        }

        HostLimits.ReserveMappings(HostLimits.MappingsOfMachine);
        RamBytes = ramBytes;
        LowRamBytes = Math.Min(ramBytes, LowLimit);
        HighRamBytes = ramBytes - LowRamBytes;
        Top = FourGiB + HighRamBytes;
        _base = HostMemory.Reserve(Top);
        _kinds = HostMemory.Reserve(Top / PageSize);
        HostMemory.PreferLargePages(_base, LowRamBytes);
        HostMemory.PreferLargePages(_base + FourGiB, HighRamBytes);
        SetKind(0, LowRamBytes, PageKinds.Ram);
        SetKind(FourGiB, HighRamBytes, PageKinds.Ram);
    }

    ~PhysicalMemory() => Release();

    public ulong RamBytes { get; }

    public ulong LowRamBytes { get; }

    /// <summary>RAM from 4 GiB upwards, in bytes.</summary>
    public ulong HighRamBytes { get; }

    /// <summary>End of the guest-physical range that can hold memory, exclusive.</summary>
    public ulong Top { get; }

    /// <summary>Host address of guest-physical 0.</summary>
    public byte* Base => _base;

    /// <summary>One <see cref="PageKinds"/> byte for each page below <see cref="Top"/>.</summary>
    public byte* Kinds => _kinds;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public PageKinds KindOf(ulong physical) => physical < Top ? (PageKinds)_kinds[physical >> 12] : PageKinds.None;

    /// <summary>Takes pages out of memory, so that accesses reach the bus (the VGA window, for example); from the running instruction's next access on.</summary>
    public void Unmap(ulong physical, ulong length) => Change(physical, length, PageKinds.None);

    /// <summary>Makes pages RAM (shadow RAM, for example); their content stays.</summary>
    public void MapRam(ulong physical, ulong length) => Change(physical, length, PageKinds.Ram);

    /// <summary>Makes pages such that writes go to the bus (shadow RAM that is locked, for example); their content stays.</summary>
    public void MapReadOnly(ulong physical, ulong length) => Change(physical, length, PageKinds.Rom);

    /// <summary>Puts a ROM image at <paramref name="physical"/> (page-aligned), padded with zeros to whole pages.</summary>
    public void MapRom(ulong physical, ReadOnlySpan<byte> image)
    {
        ulong length = ((ulong)image.Length + PageSize - 1) & ~(PageSize - 1);
        SetKind(physical, length, PageKinds.Rom);
        image.CopyTo(new Span<byte>(_base + physical, image.Length));
        TellMappingChanged(physical, length);
    }

    /// <summary>Has a subscriber told of every change from now on.</summary>
    public void Subscribe(IMemorySubscriber subscriber)
    {
        ArgumentNullException.ThrowIfNull(subscriber);
        _subscribers = [.. _subscribers, subscriber];
    }

    /// <summary>Ends what <see cref="Subscribe"/> began.</summary>
    public void Unsubscribe(IMemorySubscriber subscriber) => _subscribers = [.. _subscribers.Where(each => each != subscriber)];

    /// <summary>Says that code was decoded from a page: from now on every subscriber hears of stores to it.</summary>
    public void WatchCode(ulong physicalPage)
    {
        ref byte kind = ref _kinds[physicalPage / PageSize];
        if ((kind & (byte)PageKinds.Code) == 0)
        {
            kind |= (byte)PageKinds.Code;
            foreach (IMemorySubscriber subscriber in _subscribers)
            {
                subscriber.StoresWatched(physicalPage);
            }
        }
    }

    /// <summary>Says that a subscriber holds no more code of a page; stores are fast again where nobody does.</summary>
    public void ForgetCode(ulong physicalPage, IMemorySubscriber subscriber)
    {
        foreach (IMemorySubscriber other in _subscribers)
        {
            if (other != subscriber && other.HoldsCode(physicalPage))
            {
                return;
            }
        }

        _kinds[physicalPage / PageSize] &= unchecked((byte)~PageKinds.Code);
    }

    /// <summary>After a store to RAM, of at most a page, where its kind is <see cref="PageKinds.Watched"/>.</summary>
    public void NoteStore(ulong physical, ulong length)
    {
        ref byte kind = ref _kinds[physical / PageSize];
        kind &= unchecked((byte)~PageKinds.Clean);
        if ((kind & (byte)PageKinds.Code) != 0)
        {
            foreach (IMemorySubscriber subscriber in _subscribers)
            {
                subscriber.CodeWritten(physical, length);
            }
        }
    }

    /// <summary>Reads memory for a device (DMA). Bytes outside RAM, ROM and devices' memory read as 0xFF. Gives false where any did.</summary>
    public bool Read(ulong physical, Span<byte> destination)
    {
        bool complete = true;
        int done = 0;
        while (done < destination.Length)
        {
            ulong at = unchecked(physical + (ulong)done);
            int part = (int)Math.Min((ulong)(destination.Length - done), PageSize - (at & (PageSize - 1)));
            if ((KindOf(at) & (PageKinds.Ram | PageKinds.Rom)) != 0)
            {
                new ReadOnlySpan<byte>(_base + at, part).CopyTo(destination[done..]);
            }
            else if (DeviceAt(at) is { } device)
            {
                device.Device.Read(at - device.Start, destination.Slice(done, part));
            }
            else
            {
                destination.Slice(done, part).Fill(0xFF);
                complete = false;
            }

            done += part;
        }

        return complete;
    }

    /// <summary>Writes memory for a device (DMA), telling subscribers. Bytes outside RAM and devices' memory are dropped. Gives false where any were.</summary>
    public bool Write(ulong physical, ReadOnlySpan<byte> source)
    {
        bool complete = true;
        int done = 0;
        while (done < source.Length)
        {
            ulong at = unchecked(physical + (ulong)done);
            int part = (int)Math.Min((ulong)(source.Length - done), PageSize - (at & (PageSize - 1)));
            PageKinds kind = KindOf(at);
            if ((kind & PageKinds.Ram) != 0)
            {
                source.Slice(done, part).CopyTo(new Span<byte>(_base + at, part));
                if ((kind & PageKinds.Watched) != 0)
                {
                    NoteStore(at, (ulong)part);
                }
            }
            else if (DeviceAt(at) is { } device)
            {
                device.Device.Write(at - device.Start, source.Slice(done, part));
            }
            else
            {
                complete = false;
            }

            done += part;
        }

        return complete;
    }

    public ushort ReadUInt16(ulong physical)
    {
        ushort value;
        Read(physical, new Span<byte>(&value, 2));
        return value;
    }

    public uint ReadUInt32(ulong physical)
    {
        uint value;
        Read(physical, new Span<byte>(&value, 4));
        return value;
    }

    public ulong ReadUInt64(ulong physical)
    {
        ulong value;
        Read(physical, new Span<byte>(&value, 8));
        return value;
    }

    public void WriteUInt16(ulong physical, ushort value) => Write(physical, new ReadOnlySpan<byte>(&value, 2));

    public void WriteUInt32(ulong physical, uint value) => Write(physical, new ReadOnlySpan<byte>(&value, 4));

    public void WriteUInt64(ulong physical, ulong value) => Write(physical, new ReadOnlySpan<byte>(&value, 8));

    /// <summary>A 64-bit FNV-1a-like hash of all RAM, for comparing runs. Memory of devices is their state, and not in it.</summary>
    public ulong Hash()
    {
        ulong hash = 0xCBF29CE484222325;
        for (ulong page = 0; page < Top; page += PageSize)
        {
            if ((KindOf(page) & PageKinds.Ram) == 0 || DeviceAt(page) is not null || IsZero(_base + page, PageSize))
            {
                continue;
            }

            hash = (hash ^ page) * 0x100000001B3;
            ulong* words = (ulong*)(_base + page);
            for (int i = 0; i < 512; i++)
            {
                hash = (hash ^ words[i]) * 0x100000001B3;
                hash ^= hash >> 29;
            }
        }

        return hash;
    }

    /// <summary>Makes all RAM read as zeros, as after a power cycle; ROM and devices' memory stay.</summary>
    public void ClearRam()
    {
        if (_image is not null)
        {
            LeaveImage();
        }

        for (ulong page = 0; page < Top; page += PageSize)
        {
            ulong start = page;
            while (page < Top && (KindOf(page) & PageKinds.Ram) != 0 && DeviceAt(page) is null)
            {
                page += PageSize;
            }

            if (page > start)
            {
                HostMemory.Discard(_base + start, page - start);
                foreach (ref byte kind in new Span<byte>(_kinds + (start / PageSize), (int)((page - start) / PageSize)))
                {
                    kind &= unchecked((byte)~PageKinds.Clean);
                }
            }
        }

        TellMappingChanged(0, Top);
    }

    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    internal static bool IsZero(byte* start, ulong length) => !new ReadOnlySpan<ulong>(start, (int)(length / 8)).ContainsAnyExcept(0UL);

    private void Change(ulong physical, ulong length, PageKinds kind)
    {
        SetKind(physical, length, kind);
        TellMappingChanged(physical, length);
    }

    private void TellMappingChanged(ulong physical, ulong length)
    {
        foreach (IMemorySubscriber subscriber in _subscribers)
        {
            subscriber.MappingChanged(physical, length);
        }
    }

    private void SetKind(ulong physical, ulong length, PageKinds kind)
    {
        CheckRange(physical, length);
        new Span<byte>(_kinds + (physical / PageSize), checked((int)(length / PageSize))).Fill((byte)kind);
    }

    private void CheckRange(ulong physical, ulong length)
    {
        if (physical % PageSize != 0 || length % PageSize != 0 || physical > Top || length > Top - physical)
        {
            throw new ArgumentOutOfRangeException(nameof(physical), $"Pages {physical:x}+{length:x} do not lie in guest-physical memory, which ends at {Top:x}.");
        }
    }

    private void Release()
    {
        if (_base != null)
        {
            HostMemory.Release(_base, Top);
            HostMemory.Release(_kinds, Top / PageSize);
            ReleaseNotes();
            _base = null;
            _kinds = null;
        }
    }
}
