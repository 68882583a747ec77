using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Virtio;

namespace VirtShell.Machine.Tests;

/// <summary>
/// A small virtio PCI driver that finds and drives a device as a guest's does, by configuration ports, and by the 1.x
/// interface's MMIO or the legacy interface's ports only.
/// </summary>
internal sealed class VirtioTestDriver
{
    public const ulong RingFeatures = VirtioFeature.RingIndirectDescriptors | VirtioFeature.RingEventIndex;
    public const ulong MessageBase = 0xFEE0_0000;

    private readonly Dictionary<int, (ulong Address, uint Length)> _regions = [];
    private uint _notifyMultiplier;

    public VirtioTestDriver(PciTestMachine machine, int slot, ulong memoryStart = 0x10000, bool legacy = false)
        : this(machine.Bus, machine.Memory, slot, memoryStart, legacy)
    {
    }

    public VirtioTestDriver(IoBus bus, PhysicalMemory memory, int slot, ulong memoryStart = 0x10000, bool legacy = false)
    {
        Bus = bus;
        Memory = memory;
        Slot = slot;
        NextFree = memoryStart;
        IsLegacy = legacy;
        Probe();
    }

    public IoBus Bus { get; }

    public PhysicalMemory Memory { get; }

    public int Slot { get; }

    /// <summary>Whether this is a driver from before virtio 1.0. The raw registers stay those of 1.x.</summary>
    public bool IsLegacy { get; }

    /// <summary>First port of the legacy interface.</summary>
    public ushort Ports => (ushort)(ReadConfig(0x10, 4) & ~3u);

    /// <summary>What a driver of this kind asks for of the features that do not belong to a device type.</summary>
    public ulong RequiredFeatures => IsLegacy ? 0 : VirtioFeature.Version1;

    /// <summary>Next free guest-physical address for rings and buffers.</summary>
    public ulong NextFree { get; set; }

    public int PciAccessCapability { get; private set; }

    public int MsixCapability { get; private set; }

    public bool HasRegion(int type) => _regions.ContainsKey(type);

    public ulong Region(int type) => _regions[type].Address;

    public uint RegionLength(int type) => _regions[type].Length;

    public uint ReadConfig(int offset, int size) => PciTestMachine.ReadConfig(Bus, Slot, 0, offset, size);

    public void WriteConfig(int offset, int size, uint value) => PciTestMachine.WriteConfig(Bus, Slot, 0, offset, size, value);

    public uint ReadLegacy(int offset, int size) => Bus.ReadPort((ushort)(Ports + offset), size);

    public void WriteLegacy(int offset, int size, uint value) => Bus.WritePort((ushort)(Ports + offset), size, value);

    public ulong Read(int offset, int size) => Bus.ReadMmio(Region(1) + (ulong)offset, size);

    public void Write(int offset, int size, ulong value) => Bus.WriteMmio(Region(1) + (ulong)offset, size, value);

    public byte Status
    {
        get => IsLegacy ? (byte)ReadLegacy(0x12, 1) : (byte)Read(0x14, 1);

        set
        {
            if (IsLegacy)
            {
                WriteLegacy(0x12, 1, value);
            }
            else
            {
                Write(0x14, 1, value);
            }
        }
    }

    public byte ReadIsr() => IsLegacy ? (byte)ReadLegacy(0x13, 1) : (byte)Bus.ReadMmio(Region(3), 1);

    /// <summary>Reads device configuration; what ports cannot do at once is read by doubleword.</summary>
    public ulong ReadDeviceConfig(int offset, int size)
    {
        if (!IsLegacy)
        {
            return Bus.ReadMmio(Region(4) + (ulong)offset, size);
        }

        int at = LegacyConfig + offset;
        return size == 8 ? ReadLegacy(at, 4) | ((ulong)ReadLegacy(at + 4, 4) << 32) : ReadLegacy(at, size);
    }

    public void WriteDeviceConfig(int offset, int size, uint value)
    {
        if (IsLegacy)
        {
            WriteLegacy(LegacyConfig + offset, size, value);
        }
        else
        {
            Bus.WriteMmio(Region(4) + (ulong)offset, size, value);
        }
    }

    public ulong DeviceFeatures
    {
        get
        {
            if (IsLegacy)
            {
                return ReadLegacy(0, 4);
            }

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

    /// <summary>3.1.1 up to FEATURES_OK; gives whether the device agreed, which the legacy interface does not ask.</summary>
    public bool Negotiate(ulong features)
    {
        WriteConfig(4, 2, 7);
        Status = 0;
        Status = VirtioStatus.Acknowledge;
        Status = VirtioStatus.Acknowledge | VirtioStatus.Driver;
        if (IsLegacy)
        {
            WriteLegacy(4, 4, (uint)features);
            return ReadLegacy(4, 4) == features;
        }

        DriverFeatures = features;
        Status = VirtioStatus.Acknowledge | VirtioStatus.Driver | VirtioStatus.FeaturesOk;
        return (Status & VirtioStatus.FeaturesOk) != 0;
    }

    public void Start() => Status = (byte)(Status | VirtioStatus.DriverOk);

    public VirtioTestQueue SetUpQueue(int index, int size, int vector = -1)
    {
        if (IsLegacy)
        {
            return SetUpLegacyQueue(index, vector);
        }

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

    /// <summary>Chooses the vector of configuration changes.</summary>
    public void SetConfigVector(int vector)
    {
        if (IsLegacy)
        {
            WriteLegacy(0x14, 2, (uint)vector);
        }
        else
        {
            Write(0x10, 2, (ulong)vector);
        }
    }

    /// <summary>Turns MSI-X on, each vector's data being its number plus 40h.</summary>
    public void EnableMsix(int vectors)
    {
        ulong table = ReadConfig(0x14, 4);
        for (int i = 0; i < vectors; i++)
        {
            Bus.WriteMmio(table + (ulong)(16 * i), 8, MessageBase);
            Bus.WriteMmio(table + (ulong)(16 * i) + 8, 4, (ulong)(0x40 + i));
            Bus.WriteMmio(table + (ulong)(16 * i) + 12, 4, 0);
        }

        WriteConfig(MsixCapability + 2, 2, 0x8000);
    }

    public void Notify(int queue)
    {
        if (IsLegacy)
        {
            WriteLegacy(0x10, 2, (uint)queue);
            return;
        }

        Write(0x16, 2, (ulong)queue);
        Bus.WriteMmio(Region(2) + (Read(0x1E, 2) * _notifyMultiplier), 2, (ulong)queue);
    }

    public ulong Allocate(int bytes, int alignment = 64)
    {
        ulong at = (NextFree + (ulong)alignment - 1) & ~((ulong)alignment - 1);
        NextFree = at + (ulong)bytes;
        return at;
    }

    public ulong Place(ReadOnlySpan<byte> content)
    {
        ulong at = Allocate(Math.Max(1, content.Length));
        Memory.Write(at, content);
        return at;
    }

    public byte[] Fetch(ulong address, int length)
    {
        byte[] bytes = new byte[length];
        Memory.Read(address, bytes);
        return bytes;
    }

    // The device says how large its queues are.
    private VirtioTestQueue SetUpLegacyQueue(int index, int vector)
    {
        WriteLegacy(0x0E, 2, (uint)index);
        VirtioTestQueue queue = new(this, index, (int)ReadLegacy(0x0C, 2));
        if (vector >= 0)
        {
            WriteLegacy(0x16, 2, (uint)vector);
        }

        WriteLegacy(8, 4, (uint)(queue.Descriptors / 4096));
        return queue;
    }

    private int LegacyConfig => (ReadConfig(MsixCapability + 2, 2) & 0x8000) != 0 ? 0x18 : 0x14;

    private void Probe()
    {
        int at = (int)ReadConfig(0x34, 1);
        for (int i = 0; at != 0 && i < 48; i++)
        {
            if (ReadConfig(at, 1) == 0x11)
            {
                MsixCapability = at;
            }
            else if (ReadConfig(at, 1) == 0x09)
            {
                int type = (int)ReadConfig(at + 3, 1);
                int bar = (int)ReadConfig(at + 4, 1);
                if (type == 5)
                {
                    PciAccessCapability = at;
                }
                else
                {
                    _regions[type] = (ReadConfig(0x10 + (4 * bar), 4) + ReadConfig(at + 8, 4), ReadConfig(at + 12, 4));
                }

                if (type == 2)
                {
                    _notifyMultiplier = ReadConfig(at + 16, 4);
                }
            }

            at = (int)ReadConfig(at + 1, 1);
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
        if (driver.IsLegacy)
        {
            // One behind the other, the used ring from the next page on.
            int first = (16 * size) + 6 + (2 * size);
            Descriptors = driver.Allocate(((first + 4095) & ~4095) + 6 + (8 * size), alignment: 4096);
            Available = Descriptors + (16 * (ulong)size);
            Used = (Descriptors + (ulong)first + 4095) & ~4095UL;
            return;
        }

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

    public ushort UsedIndex => _driver.Memory.ReadUInt16(Used + 2);

    public ushort AvailableEvent => _driver.Memory.ReadUInt16(Used + 4 + (8 * (ulong)Size));

    public void SetUsedEvent(ushort value) => _driver.Memory.WriteUInt16(Available + 4 + (2 * (ulong)Size), value);

    public void SetAvailableFlags(ushort value) => _driver.Memory.WriteUInt16(Available, value);

    public void WriteDescriptor(ulong table, int index, ulong address, uint length, ushort flags, ushort next)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, address);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[8..], length);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[12..], flags);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[14..], next);
        _driver.Memory.Write(table + (16 * (ulong)index), bytes);
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
        _driver.Memory.WriteUInt16(Available + 4 + (2 * (ulong)(AvailableIndex % Size)), head);
        _driver.Memory.WriteUInt16(Available + 2, ++AvailableIndex);
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
        id = _driver.Memory.ReadUInt32(at);
        length = _driver.Memory.ReadUInt32(at + 4);
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
