using System;
using System.Collections.Generic;
using VirtShell.State;

namespace VirtShell.Cpu.Memory;

/// <summary>
/// Ranges in which devices have memory of their own. Pages there may be mapped as RAM, so that guests reach them at full
/// speed, but they are the device's: neither saved, hashed, cleared nor counted with the machine's RAM.
/// </summary>
public sealed unsafe partial class PhysicalMemory
{
    [NotState("Devices give and take their ranges as they are made and load.")]
    private readonly List<DeviceRange> _devices = [];

    /// <summary>Gives a range of whole pages to a device. Pages stay as they are until they are mapped.</summary>
    public void AddDevice(ulong physical, ulong length, IDeviceMemory device)
    {
        ArgumentNullException.ThrowIfNull(device);
        CheckRange(physical, length);
        _devices.Add(new DeviceRange(physical, length, device));
    }

    /// <summary>Takes back what <see cref="AddDevice"/> gave, and unmaps it; its content stays until it is moved or discarded.</summary>
    public void RemoveDevice(ulong physical, IDeviceMemory device)
    {
        int index = _devices.FindIndex(range => range.Start == physical && range.Device == device);
        if (index >= 0)
        {
            DeviceRange range = _devices[index];
            _devices.RemoveAt(index);
            Unmap(range.Start, range.Length);
        }
    }

    /// <summary>Moves the content of whole pages that belong to a device; where it was, there are zeros.</summary>
    public void MoveDevicePages(ulong from, ulong to, ulong length)
    {
        CheckRange(from, length);
        CheckRange(to, length);
        Buffer.MemoryCopy(_base + from, _base + to, length, length);
        HostMemory.Discard(_base + from, length);
    }

    /// <summary>Makes whole pages that belong to a device read as zeros, and gives their memory back to the host.</summary>
    public void DiscardDevicePages(ulong physical, ulong length)
    {
        CheckRange(physical, length);
        HostMemory.Discard(_base + physical, length);
    }

    // What devices have in their pages, for when everything below is mapped anew.
    private List<(ulong Page, byte[] Content)> ContentOfDevices()
    {
        List<(ulong Page, byte[] Content)> pages = [];
        foreach (DeviceRange range in _devices)
        {
            for (ulong page = range.Start; page < range.Start + range.Length; page += PageSize)
            {
                if (!IsZero(_base + page, PageSize))
                {
                    pages.Add((page, new ReadOnlySpan<byte>(_base + page, (int)PageSize).ToArray()));
                }
            }
        }

        return pages;
    }

    private void PutBack(List<(ulong Page, byte[] Content)> pages)
    {
        foreach ((ulong page, byte[] content) in pages)
        {
            content.CopyTo(new Span<byte>(_base + page, (int)PageSize));
        }
    }

    private DeviceRange? DeviceAt(ulong physical)
    {
        foreach (DeviceRange range in _devices)
        {
            if (physical - range.Start < range.Length)
            {
                return range;
            }
        }

        return null;
    }

    private readonly record struct DeviceRange(ulong Start, ulong Length, IDeviceMemory Device);
}
