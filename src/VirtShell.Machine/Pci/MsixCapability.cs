using System;
using System.Buffers.Binary;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Pci;

/// <summary>
/// MSI-X (PCI 3.0, 6.8.2): a table of messages, one per vector, each of which can be masked; a masked vector's request waits
/// in the pending bit array.
/// </summary>
internal sealed class MsixCapability : IMmioHandler, IStateful
{
    /// <summary>The memory BAR: the table at 0, the pending bits at <see cref="PbaOffset"/>.</summary>
    internal const uint BarSize = 4096;

    internal const int PbaOffset = 2048;
    private const int Length = 12;
    private const int MessageControl = 2;
    private const int TableOffset = 4;
    private const int PendingOffset = 8;
    private const ushort ControlEnable = 1 << 15;
    private const ushort ControlFunctionMask = 1 << 14;
    private const int EntrySize = 16;
    private const int EntryData = 8;
    private const int EntryVectorControl = 12;
    private const byte VectorMask = 1;
    private const int MaximumVectors = 64;

    // Fixed configuration.
    private readonly PciDevice _device;
    private readonly int _offset;
    private readonly int _vectors;

    // Runtime glue.
    [NotState("Wiring.")]
    private IMsiSink? _sink;

    // Volatile (saved) state.
    private readonly byte[] _table;
    private ulong _pending;

    internal MsixCapability(PciDevice device, int barIndex, int vectors)
    {
        if (vectors is < 1 or > MaximumVectors)
        {
            throw new ArgumentOutOfRangeException(nameof(vectors), vectors, $"MSI-X here has 1 to {MaximumVectors} vectors.");
        }

        _device = device;
        _vectors = vectors;
        _table = new byte[vectors * EntrySize];
        _offset = device.Config.AddCapability(PciCapabilityId.Msix, Length);
        device.Config.Define(_offset + MessageControl, 2, (uint)(vectors - 1), ControlEnable | ControlFunctionMask);
        device.Config.Define(_offset + TableOffset, 4, (uint)barIndex);
        device.Config.Define(_offset + PendingOffset, 4, PbaOffset | (uint)barIndex);
        Reset();
    }

    public int Vectors => _vectors;

    /// <summary>Whether the guest has switched from the interrupt pin to messages.</summary>
    public bool IsEnabled => (Control & ControlEnable) != 0;

    private ushort Control => (ushort)_device.Config.Read(_offset + MessageControl, 2);

    /// <summary>Sends a vector's message, or keeps it pending while it is masked. Vectors outside the table do nothing.</summary>
    public void Raise(int vector)
    {
        if ((uint)vector >= (uint)_vectors || !IsEnabled)
        {
            return;
        }

        if (IsMasked(vector))
        {
            _pending |= 1UL << vector;
        }
        else
        {
            Send(vector);
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
        for (int i = 0; i < size && offset + (ulong)i < (ulong)_table.Length; i++)
        {
            _table[(int)offset + i] = (byte)(value >> (8 * i));
        }

        FlushPending();
    }

    internal void Attach(IMsiSink sink) => _sink = sink;

    /// <summary>The enable or mask bits, or the bus master bit, may have changed.</summary>
    internal void ConfigWritten() => FlushPending();

    internal void Reset()
    {
        Array.Clear(_table);
        for (int vector = 0; vector < _vectors; vector++)
        {
            _table[(vector * EntrySize) + EntryVectorControl] = VectorMask;
        }

        _pending = 0;
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Array("table", _table.AsSpan());
        visitor.Value("pending", ref _pending);
    }

    private bool IsMasked(int vector) =>
        (Control & ControlFunctionMask) != 0 || !_device.IsBusMaster || (_table[(vector * EntrySize) + EntryVectorControl] & VectorMask) != 0;

    private void FlushPending()
    {
        if (_pending == 0 || !IsEnabled)
        {
            return;
        }

        for (int vector = 0; vector < _vectors; vector++)
        {
            if ((_pending & (1UL << vector)) != 0 && !IsMasked(vector))
            {
                _pending &= ~(1UL << vector);
                Send(vector);
            }
        }
    }

    private void Send(int vector)
    {
        ReadOnlySpan<byte> entry = _table.AsSpan(vector * EntrySize, EntrySize);
        ulong address = BinaryPrimitives.ReadUInt64LittleEndian(entry);
        _sink?.DeliverMsi(address & ~3UL, BinaryPrimitives.ReadUInt32LittleEndian(entry[EntryData..]));
    }

    private byte ReadByte(ulong offset)
    {
        if (offset < (ulong)_table.Length)
        {
            return _table[(int)offset];
        }

        ulong pendingByte = offset - PbaOffset;
        return pendingByte < 8 ? (byte)(_pending >> (8 * (int)pendingByte)) : (byte)0;
    }
}
