using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using VirtShell.Machine.Virtio;

namespace VirtShell.Machine.Tests;

/// <summary>A small virtio 1.x PCI driver that finds and drives a device as a guest's does, by configuration ports and MMIO only.</summary>
internal sealed class VirtioTestDriver
{
    public const ulong RingFeatures = VirtioFeature.RingIndirectDescriptors | VirtioFeature.RingEventIndex;
    public const ulong MessageBase = 0xFEE0_0000;

    private readonly Dictionary<int, (ulong Address, uint Length)> _regions = [];
    private uint _notifyMultiplier;

    public VirtioTestDriver(PciTestMachine machine, int slot, ulong memoryStart = 0x10000)
    {
        Machine = machine;
        Slot = slot;
        NextFree = memoryStart;
        Probe();
    }

    public PciTestMachine Machine { get; }

    public int Slot { get; }

    /// <summary>Next free guest-physical address for rings and buffers.</summary>
    public ulong NextFree { get; set; }

    public int PciAccessCapability { get; private set; }

    public int MsixCapability { get; private set; }

    public bool HasRegion(int type) => _regions.ContainsKey(type);

    public ulong Region(int type) => _regions[type].Address;

    public uint RegionLength(int type) => _regions[type].Length;

    public ulong Read(int offset, int size) => Machine.Bus.ReadMmio(Region(1) + (ulong)offset, size);

    public void Write(int offset, int size, ulong value) => Machine.Bus.WriteMmio(Region(1) + (ulong)offset, size, value);

    public byte Status
    {
        get => (byte)Read(0x14, 1);
        set => Write(0x14, 1, value);
    }

    public byte ReadIsr() => (byte)Machine.Bus.ReadMmio(Region(3), 1);

    public ulong ReadDeviceConfig(int offset, int size) => Machine.Bus.ReadMmio(Region(4) + (ulong)offset, size);

    public ulong DeviceFeatures
    {
        get
        {
            Write(0, 4, 0);
            ulong low = Read(4, 4);
            Write(0, 4, 1);
            return low | (Read(4, 4) << 32);
        }
    }

    public ulong DriverFeatures
    {
        get
        {
            Write(8, 4, 0);
            ulong low = Read(12, 4);
            Write(8, 4, 1);
            return low | (Read(12, 4) << 32);
        }

        set
        {
            Write(8, 4, 0);
            Write(12, 4, (uint)value);
            Write(8, 4, 1);
            Write(12, 4, value >> 32);
        }
    }

    /// <summary>3.1.1 up to FEATURES_OK; gives whether the device agreed.</summary>
    public bool Negotiate(ulong features)
    {
        Machine.WriteConfig(Slot, 0, 4, 2, 6);
        Status = 0;
        Status = VirtioStatus.Acknowledge;
        Status = VirtioStatus.Acknowledge | VirtioStatus.Driver;
        DriverFeatures = features;
        Status = VirtioStatus.Acknowledge | VirtioStatus.Driver | VirtioStatus.FeaturesOk;
        return (Status & VirtioStatus.FeaturesOk) != 0;
    }

    public void Start() => Status = (byte)(Status | VirtioStatus.DriverOk);

    public VirtioTestQueue SetUpQueue(int index, int size, int vector = -1)
    {
        Write(0x16, 2, (ulong)index);
        Write(0x18, 2, (ulong)size);
        VirtioTestQueue queue = new(this, index, size);
        Write(0x20, 8, queue.Descriptors);
        Write(0x28, 4, (uint)queue.Available);
        Write(0x2C, 4, queue.Available >> 32);
        Write(0x30, 8, queue.Used);
        if (vector >= 0)
        {
            Write(0x1A, 2, (ulong)vector);
        }

        Write(0x1C, 2, 1);
        return queue;
    }

    /// <summary>Turns MSI-X on, each vector's data being its number plus 40h.</summary>
    public void EnableMsix(int vectors)
    {
        ulong table = Machine.ReadConfig(Slot, 0, 0x14, 4);
        for (int i = 0; i < vectors; i++)
        {
            Machine.Bus.WriteMmio(table + (ulong)(16 * i), 8, MessageBase);
            Machine.Bus.WriteMmio(table + (ulong)(16 * i) + 8, 4, (ulong)(0x40 + i));
            Machine.Bus.WriteMmio(table + (ulong)(16 * i) + 12, 4, 0);
        }

        Machine.WriteConfig(Slot, 0, MsixCapability + 2, 2, 0x8000);
    }

    public void Notify(int queue)
    {
        Write(0x16, 2, (ulong)queue);
        Machine.Bus.WriteMmio(Region(2) + (Read(0x1E, 2) * _notifyMultiplier), 2, (ulong)queue);
    }

    public ulong Allocate(int bytes)
    {
        ulong at = (NextFree + 63) & ~63UL;
        NextFree = at + (ulong)bytes;
        return at;
    }

    public ulong Place(ReadOnlySpan<byte> content)
    {
        ulong at = Allocate(Math.Max(1, content.Length));
        Machine.Memory.Write(at, content);
        return at;
    }

    public byte[] Fetch(ulong address, int length)
    {
        byte[] bytes = new byte[length];
        Machine.Memory.Read(address, bytes);
        return bytes;
    }

    private void Probe()
    {
        int at = (int)Machine.ReadConfig(Slot, 0, 0x34, 1);
        for (int i = 0; at != 0 && i < 48; i++)
        {
            if (Machine.ReadConfig(Slot, 0, at, 1) == 0x11)
            {
                MsixCapability = at;
            }
            else if (Machine.ReadConfig(Slot, 0, at, 1) == 0x09)
            {
                int type = (int)Machine.ReadConfig(Slot, 0, at + 3, 1);
                int bar = (int)Machine.ReadConfig(Slot, 0, at + 4, 1);
                if (type == 5)
                {
                    PciAccessCapability = at;
                }
                else
                {
                    _regions[type] = (Machine.ReadConfig(Slot, 0, 0x10 + (4 * bar), 4) + Machine.ReadConfig(Slot, 0, at + 8, 4), Machine.ReadConfig(Slot, 0, at + 12, 4));
                }

                if (type == 2)
                {
                    _notifyMultiplier = Machine.ReadConfig(Slot, 0, at + 16, 4);
                }
            }

            at = (int)Machine.ReadConfig(Slot, 0, at + 1, 1);
        }
    }
}

/// <summary>One buffer of a request.</summary>
internal readonly record struct TestBuffer(ulong Address, uint Length, bool Writable);

/// <summary>The driver's side of a split virtqueue.</summary>
internal sealed class VirtioTestQueue
{
    private readonly VirtioTestDriver _driver;
    private ushort _nextDescriptor;
    private ushort _lastUsed;

    public VirtioTestQueue(VirtioTestDriver driver, int index, int size)
    {
        _driver = driver;
        Index = index;
        Size = size;
        Descriptors = driver.Allocate(16 * size);
        Available = driver.Allocate(6 + (2 * size));
        Used = driver.Allocate(6 + (8 * size));
    }

    public int Index { get; }

    public int Size { get; }

    public ulong Descriptors { get; }

    public ulong Available { get; }

    public ulong Used { get; }

    public ushort AvailableIndex { get; set; }

    public ushort UsedIndex => _driver.Machine.Memory.ReadUInt16(Used + 2);

    public ushort AvailableEvent => _driver.Machine.Memory.ReadUInt16(Used + 4 + (8 * (ulong)Size));

    public void SetUsedEvent(ushort value) => _driver.Machine.Memory.WriteUInt16(Available + 4 + (2 * (ulong)Size), value);

    public void SetAvailableFlags(ushort value) => _driver.Machine.Memory.WriteUInt16(Available, value);

    public void WriteDescriptor(ulong table, int index, ulong address, uint length, ushort flags, ushort next)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, address);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[8..], length);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[12..], flags);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[14..], next);
        _driver.Machine.Memory.Write(table + (16 * (ulong)index), bytes);
    }

    /// <summary>Makes a chain available; gives its head.</summary>
    public ushort Add(params ReadOnlySpan<TestBuffer> buffers)
    {
        ushort head = _nextDescriptor;
        WriteChain(Descriptors, head, buffers);
        _nextDescriptor = (ushort)((_nextDescriptor + buffers.Length) % Size);
        MakeAvailable(head);
        return head;
    }

    /// <summary>The same through one indirect descriptor.</summary>
    public ushort AddIndirect(params ReadOnlySpan<TestBuffer> buffers)
    {
        ulong table = _driver.Allocate(16 * buffers.Length);
        for (int i = 0; i < buffers.Length; i++)
        {
            WriteOne(table, i, buffers[i], i + 1 < buffers.Length, i + 1);
        }

        ushort head = _nextDescriptor;
        WriteDescriptor(Descriptors, head, table, (uint)(16 * buffers.Length), 4, 0);
        _nextDescriptor = (ushort)((_nextDescriptor + 1) % Size);
        MakeAvailable(head);
        return head;
    }

    public void MakeAvailable(ushort head)
    {
        _driver.Machine.Memory.WriteUInt16(Available + 4 + (2 * (ulong)(AvailableIndex % Size)), head);
        _driver.Machine.Memory.WriteUInt16(Available + 2, ++AvailableIndex);
    }

    public void Kick() => _driver.Notify(Index);

    /// <summary>Takes the next used element.</summary>
    public bool TryTake(out uint id, out uint length)
    {
        id = length = 0;
        if (UsedIndex == _lastUsed)
        {
            return false;
        }

        ulong at = Used + 4 + (8 * (ulong)(_lastUsed++ % Size));
        id = _driver.Machine.Memory.ReadUInt32(at);
        length = _driver.Machine.Memory.ReadUInt32(at + 4);
        return true;
    }

    /// <summary>Carries on where another queue object over the same rings is, in a machine restored from saved state.</summary>
    public void ContinueFrom(VirtioTestQueue other)
    {
        _nextDescriptor = other._nextDescriptor;
        _lastUsed = other._lastUsed;
        AvailableIndex = other.AvailableIndex;
    }

    private void WriteChain(ulong table, int first, ReadOnlySpan<TestBuffer> buffers)
    {
        for (int i = 0; i < buffers.Length; i++)
        {
            WriteOne(table, (first + i) % Size, buffers[i], i + 1 < buffers.Length, (first + i + 1) % Size);
        }
    }

    private void WriteOne(ulong table, int at, TestBuffer buffer, bool more, int next) =>
        WriteDescriptor(table, at, buffer.Address, buffer.Length, (ushort)((more ? 1 : 0) | (buffer.Writable ? 2 : 0)), (ushort)next);
}
