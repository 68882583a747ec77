using System;
using System.Buffers.Binary;
using System.Numerics;
using VirtShell.Cpu.Memory;
using VirtShell.State;

namespace VirtShell.Machine.Virtio;

/// <summary>
/// The device's side of a split virtqueue (virtio 1.2, 2.7). Everything in it is the guest's: each index, length and address
/// is checked, and what does not hold makes the device need a reset.
/// </summary>
internal sealed class Virtqueue : IStateful
{
    // Fixed configuration.
    private readonly VirtioDevice _device;
    private readonly PhysicalMemory _memory;

    // Volatile (saved) state, besides the properties.
    private ushort _lastAvailable;
    private ushort _usedIndex;
    private ushort _signalledUsed;

    internal Virtqueue(VirtioDevice device, PhysicalMemory memory, int index, int maximumSize)
    {
        if (!BitOperations.IsPow2(maximumSize) || maximumSize > 32768)
        {
            throw new ArgumentOutOfRangeException(nameof(maximumSize), maximumSize, "A split virtqueue's size is a power of two up to 32768.");
        }

        _device = device;
        _memory = memory;
        Index = index;
        MaximumSize = maximumSize;
        Size = maximumSize;
    }

    public int Index { get; }

    public int MaximumSize { get; }

    /// <summary>Entries, as the driver chose: a power of two up to <see cref="MaximumSize"/>.</summary>
    public int Size { get; private set; }

    public bool IsEnabled { get; private set; }

    /// <summary>Physical address of the descriptor table.</summary>
    public ulong DescriptorArea { get; internal set; }

    /// <summary>Physical address of the available ring.</summary>
    public ulong DriverArea { get; internal set; }

    /// <summary>Physical address of the used ring.</summary>
    public ulong DeviceArea { get; internal set; }

    internal void TrySetSize(int size)
    {
        if (!IsEnabled && size > 0 && size <= MaximumSize && BitOperations.IsPow2(size))
        {
            Size = size;
        }
    }

    internal void Enable()
    {
        if (IsEnabled)
        {
            return;
        }

        // 2.7: alignment of the three areas.
        if (DescriptorArea % 16 != 0 || DriverArea % 2 != 0 || DeviceArea % 4 != 0)
        {
            _device.Fail($"queue {Index}: its rings are not aligned");
            return;
        }

        IsEnabled = true;
    }

    /// <summary>Puts the three areas where the legacy layout has them (2.7.2): one behind the other, the used ring on a page of its own.</summary>
    internal void EnableLegacy(uint page)
    {
        DescriptorArea = (ulong)page * SplitRing.LegacyAlignment;
        DriverArea = DescriptorArea + (SplitRing.DescriptorSize * (ulong)Size);
        ulong end = DriverArea + SplitRing.AvailableRing + (2 * (ulong)Size) + 2;
        DeviceArea = (end + SplitRing.LegacyAlignment - 1) / SplitRing.LegacyAlignment * SplitRing.LegacyAlignment;
        IsEnabled = true;
    }

    internal void Reset()
    {
        Size = MaximumSize;
        IsEnabled = false;
        DescriptorArea = 0;
        DriverArea = 0;
        DeviceArea = 0;
        _lastAvailable = 0;
        _usedIndex = 0;
        _signalledUsed = 0;
    }

    /// <summary>Takes the next request that the driver made available, as the number of its first descriptor.</summary>
    public bool TryPop(out ushort head)
    {
        head = 0;
        if (!IsEnabled || !_device.IsRunning)
        {
            return false;
        }

        if (!TryReadUInt16(DriverArea + SplitRing.AvailableIndex, out ushort available))
        {
            return false;
        }

        ushort waiting = (ushort)(available - _lastAvailable);
        if (waiting == 0)
        {
            return false;
        }

        if (waiting > Size)
        {
            _device.Fail($"queue {Index}: the available index jumped by {waiting} in a ring of {Size}");
            return false;
        }

        if (!TryReadUInt16(DriverArea + SplitRing.AvailableRing + (2 * (ulong)(_lastAvailable & (Size - 1))), out head))
        {
            return false;
        }

        if (head >= Size)
        {
            _device.Fail($"queue {Index}: descriptor {head} is outside the table of {Size}");
            return false;
        }

        _lastAvailable++;
        return true;
    }

    /// <summary>Under RING_EVENT_IDX, asks the driver to notify of the next request (2.7.10).</summary>
    public void RequestNotification()
    {
        if (IsEnabled && _device.IsRunning && _device.Has(VirtioFeature.RingEventIndex))
        {
            WriteUInt16(DeviceArea + SplitRing.UsedRing + (SplitRing.UsedElementSize * (ulong)Size), _lastAvailable);
        }
    }

    /// <summary>Reads a request's buffers from its first descriptor; false (the device then needs a reset) where they make no sense.</summary>
    public bool TryReadChain(ushort head, DescriptorChain chain)
    {
        ArgumentNullException.ThrowIfNull(chain);
        chain.Clear();
        ulong table = DescriptorArea;
        int tableSize = Size;
        int index = head;
        bool indirect = false;
        Span<byte> descriptor = stackalloc byte[SplitRing.DescriptorSize];
        for (int visited = 0; ; visited++)
        {
            // A chain of more descriptors than its table holds runs in a circle.
            if (index >= tableSize || visited >= tableSize)
            {
                _device.Fail($"queue {Index}: a descriptor chain leaves its table or runs in a circle");
                return false;
            }

            if (!_memory.Read(table + ((ulong)index * SplitRing.DescriptorSize), descriptor))
            {
                _device.Fail($"queue {Index}: a descriptor table is outside RAM");
                return false;
            }

            ulong address = BinaryPrimitives.ReadUInt64LittleEndian(descriptor);
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(descriptor[SplitRing.DescriptorLength..]);
            ushort flags = BinaryPrimitives.ReadUInt16LittleEndian(descriptor[SplitRing.DescriptorFlags..]);
            if ((flags & SplitRing.DescriptorFlagIndirect) != 0)
            {
                bool allowed = !indirect && _device.Has(VirtioFeature.RingIndirectDescriptors) && (flags & SplitRing.DescriptorFlagNext) == 0;
                if (!allowed || length == 0 || length % SplitRing.DescriptorSize != 0 || length / SplitRing.DescriptorSize > DescriptorChain.MaximumSegments)
                {
                    _device.Fail($"queue {Index}: an indirect descriptor is not allowed here or is malformed");
                    return false;
                }

                indirect = true;
                table = address;
                tableSize = (int)(length / SplitRing.DescriptorSize);
                index = 0;
                visited = -1;
                continue;
            }

            string? wrong = chain.Add(address, length, (flags & SplitRing.DescriptorFlagWrite) != 0);
            if (wrong is null && chain.ReadableBytes + chain.WritableBytes > _device.MaximumChainBytes)
            {
                wrong = $"a request is longer than {_device.MaximumChainBytes} bytes";
            }

            if (wrong is not null)
            {
                _device.Fail($"queue {Index}: {wrong}");
                return false;
            }

            if ((flags & SplitRing.DescriptorFlagNext) == 0)
            {
                return true;
            }

            index = BinaryPrimitives.ReadUInt16LittleEndian(descriptor[SplitRing.DescriptorNext..]);
        }
    }

    /// <summary>Gives a request back to the driver, <paramref name="written"/> bytes of it written.</summary>
    public void Push(ushort head, uint written)
    {
        if (!IsEnabled || !_device.IsRunning)
        {
            return;
        }

        Span<byte> element = stackalloc byte[SplitRing.UsedElementSize];
        BinaryPrimitives.WriteUInt32LittleEndian(element, head);
        BinaryPrimitives.WriteUInt32LittleEndian(element[4..], written);
        ulong at = DeviceArea + SplitRing.UsedRing + (SplitRing.UsedElementSize * (ulong)(_usedIndex & (Size - 1)));
        if (!_memory.Write(at, element))
        {
            _device.Fail($"queue {Index}: the used ring is outside RAM");
            return;
        }

        WriteUInt16(DeviceArea + SplitRing.UsedIndex, ++_usedIndex);
    }

    /// <summary>Interrupts the driver for what was pushed since the last call, unless it asked not to be (2.7.7).</summary>
    public void Signal()
    {
        ushort before = _signalledUsed;
        _signalledUsed = _usedIndex;
        if (before == _usedIndex || !IsEnabled || !_device.IsRunning)
        {
            return;
        }

        bool wanted;
        if (_device.Has(VirtioFeature.RingEventIndex))
        {
            if (!TryReadUInt16(DriverArea + SplitRing.AvailableRing + (2 * (ulong)Size), out ushort usedEvent))
            {
                return;
            }

            wanted = (ushort)(_usedIndex - usedEvent - 1) < (ushort)(_usedIndex - before);
        }
        else
        {
            if (!TryReadUInt16(DriverArea, out ushort flags))
            {
                return;
            }

            wanted = (flags & SplitRing.AvailableFlagNoInterrupt) == 0;
        }

        if (wanted)
        {
            _device.Transport?.InterruptQueue(Index);
        }
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        int size = visitor.Value("size", Size);
        if (visitor.IsLoading && (size <= 0 || size > MaximumSize || !BitOperations.IsPow2(size)))
        {
            throw visitor.Damaged($"'{visitor.Path}/size' is {size}, no size of a queue of at most {MaximumSize}.");
        }

        Size = size;
        IsEnabled = visitor.Value("enabled", IsEnabled);
        DescriptorArea = visitor.Value("descriptor-area", DescriptorArea);
        DriverArea = visitor.Value("driver-area", DriverArea);
        DeviceArea = visitor.Value("device-area", DeviceArea);
        visitor.Value("last-available", ref _lastAvailable);
        visitor.Value("used", ref _usedIndex);
        visitor.Value("signalled-used", ref _signalledUsed);
    }

    private bool TryReadUInt16(ulong address, out ushort value)
    {
        Span<byte> bytes = stackalloc byte[2];
        if (_memory.Read(address, bytes))
        {
            value = BinaryPrimitives.ReadUInt16LittleEndian(bytes);
            return true;
        }

        value = 0;
        _device.Fail($"queue {Index}: the available ring is outside RAM");
        return false;
    }

    private void WriteUInt16(ulong address, ushort value)
    {
        Span<byte> bytes = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, value);
        if (!_memory.Write(address, bytes))
        {
            _device.Fail($"queue {Index}: the used ring is outside RAM");
        }
    }
}
