using System;
using System.Buffers.Binary;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.FirmwareConfig;

/// <summary>
/// The firmware configuration device of virtual PCs (QEMU, docs/specs/fw_cfg): a selector at port 510h, data at 511h, and a DMA interface
/// at 514h, whose registers are big-endian. Items are read only.
/// </summary>
internal sealed class FwCfg : IDevice, IPortHandler
{
    public const ushort SelectorPort = 0x510;
    public const int SelectorPortCount = 2;
    public const ushort DmaPort = 0x514;
    public const int DmaPortCount = 8;

    private const ushort DataPort = 0x511;
    private const ushort DmaLowPort = DmaPort + 4;
    private const int DescriptorLength = 16;

    // "QEMU CFG", which the address register reads as.
    private const ulong DmaSignature = 0x5145_4D55_2043_4647;

    // Bits of a descriptor's control word; the item is in its upper half.
    private const uint DmaError = 1 << 0;
    private const uint DmaRead = 1 << 1;
    private const uint DmaSkip = 1 << 2;
    private const uint DmaSelect = 1 << 3;
    private const uint DmaWrite = 1 << 4;

    // An item reads as zeros behind its end. No more of them are written in a transfer than are in the longest item that there may be:
    // what a guest asks for beyond is refused.
    private const uint LongestTransfer = 1 << 20;

    // Runtime glue.
    private readonly PhysicalMemory _memory;
    private readonly FwCfgItems _items;
    [NotState("Of what is selected; looked up when it is asked for.")]
    private byte[]? _content;

    // Saved state.
    private ushort _selected;
    private uint _offset;
    private uint _addressHigh;

    public FwCfg(IoBus bus, PhysicalMemory memory, FwCfgItems items)
    {
        _memory = memory;
        _items = items;
        bus.MapPorts(SelectorPort, SelectorPortCount, this, accessWidth: 2);
        bus.MapPorts(DmaPort, DmaPortCount, this, accessWidth: 4);
    }

    public string Name => "fw-cfg";

    private byte[] Content => _content ??= _items.Find(_selected);

    public void Reset()
    {
        Select(0);
        _addressHigh = 0;
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Value("selected", ref _selected);
        visitor.Value("offset", ref _offset);
        visitor.Value("address-high", ref _addressHigh);
        if (visitor.IsLoading)
        {
            _content = null;
        }
    }

    public uint ReadPort(ushort port, int size)
    {
        if (port < DmaPort)
        {
            return port == DataPort && size == 1 ? Next() : 0xFFFFu;
        }

        uint value = 0;
        for (int i = 0; i < size; i++)
        {
            value |= (uint)(byte)(DmaSignature >> (8 * (7 - (port - DmaPort + i)))) << (8 * i);
        }

        return value;
    }

    public void WritePort(ushort port, int size, uint value)
    {
        if (port == SelectorPort && size == 2)
        {
            Select((ushort)value);
        }
        else if (size == 4 && port == DmaPort)
        {
            _addressHigh = BinaryPrimitives.ReverseEndianness(value);
        }
        else if (size == 4 && port == DmaLowPort)
        {
            ulong address = ((ulong)_addressHigh << 32) | BinaryPrimitives.ReverseEndianness(value);
            _addressHigh = 0;
            Transfer(address);
        }
    }

    private void Select(ushort key)
    {
        _selected = key;
        _offset = 0;
        _content = null;
    }

    private byte Next()
    {
        byte[] content = Content;
        return _offset < (uint)content.Length ? content[_offset++] : (byte)0;
    }

    private void Transfer(ulong address)
    {
        Span<byte> descriptor = stackalloc byte[DescriptorLength];
        _memory.Read(address, descriptor);
        uint control = BinaryPrimitives.ReadUInt32BigEndian(descriptor);
        uint length = BinaryPrimitives.ReadUInt32BigEndian(descriptor[4..]);
        ulong target = BinaryPrimitives.ReadUInt64BigEndian(descriptor[8..]);
        if ((control & DmaSelect) != 0)
        {
            Select((ushort)(control >> 16));
        }

        bool isDone = (control & (DmaRead | DmaWrite | DmaSkip)) switch
        {
            uint what when (what & DmaRead) != 0 => TryRead(target, length),
            uint what when (what & DmaWrite) != 0 => false,
            uint what => what == 0 || TrySkip(length),
        };
        Span<byte> result = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(result, isDone ? 0 : DmaError);
        _memory.Write(address, result);
    }

    private bool TrySkip(uint length)
    {
        _offset = (uint)Math.Min((ulong)_offset + length, uint.MaxValue);
        return true;
    }

    private bool TryRead(ulong target, uint length)
    {
        if (length > LongestTransfer)
        {
            return false;
        }

        byte[] content = Content;
        ReadOnlySpan<byte> left = _offset < (uint)content.Length ? content.AsSpan((int)_offset) : default;
        ReadOnlySpan<byte> given = left.Length > length ? left[..(int)length] : left;
        bool isDone = _memory.Write(target, given);
        Span<byte> zeros = stackalloc byte[512];
        zeros.Clear();
        for (uint at = (uint)given.Length; at < length; at += (uint)zeros.Length)
        {
            isDone &= _memory.Write(unchecked(target + at), zeros[..(int)Math.Min((uint)zeros.Length, length - at)]);
        }

        TrySkip((uint)given.Length);
        return isDone;
    }
}
