using System;
using VirtShell.State;

namespace VirtShell.Machine.Pci;

/// <summary>
/// A function's 256 bytes of configuration space, each bit read-only, writable, or cleared by writing one. Offsets and sizes
/// from the guest are within one aligned doubleword, as configuration mechanism #1 makes them.
/// </summary>
internal sealed class PciConfigSpace : IStateful
{
    public const int Size = 256;

    // Fixed configuration.
    [NotState("Fixed when built.")]
    private readonly byte[] _reset = new byte[Size];
    [NotState("Fixed when built.")]
    private readonly byte[] _writable = new byte[Size];
    [NotState("Fixed when built.")]
    private readonly byte[] _writeOneToClear = new byte[Size];
    [NotState("Fixed when built.")]
    private int _nextCapability = PciRegister.DeviceSpecific;
    [NotState("Fixed when built.")]
    private int _lastCapability = -1;

    // Volatile (saved) state.
    private readonly byte[] _values = new byte[Size];

    /// <summary>Reads 1, 2 or 4 bytes as the guest sees them.</summary>
    public uint Read(int offset, int size)
    {
        uint value = 0;
        for (int i = 0; i < size; i++)
        {
            value |= (uint)_values[(offset + i) & (Size - 1)] << (8 * i);
        }

        return value;
    }

    /// <summary>Writes 1, 2 or 4 bytes as the guest does: only bits that are writable change.</summary>
    public void Write(int offset, int size, uint value)
    {
        for (int i = 0; i < size; i++)
        {
            int at = (offset + i) & (Size - 1);
            byte piece = (byte)(value >> (8 * i));
            byte old = _values[at];
            byte mask = _writable[at];
            _values[at] = (byte)(((old & ~mask) | (piece & mask)) & ~(piece & _writeOneToClear[at]));
        }
    }

    /// <summary>Changes a register from the device's side, whatever the guest may write.</summary>
    public void Set(int offset, int size, uint value)
    {
        for (int i = 0; i < size; i++)
        {
            _values[offset + i] = (byte)(value >> (8 * i));
        }
    }

    /// <summary>Gives a register its value at reset and the bits that the guest can write.</summary>
    public void Define(int offset, int size, uint resetValue, uint writable = 0, uint writeOneToClear = 0)
    {
        for (int i = 0; i < size; i++)
        {
            _reset[offset + i] = (byte)(resetValue >> (8 * i));
            _writable[offset + i] = (byte)(writable >> (8 * i));
            _writeOneToClear[offset + i] = (byte)(writeOneToClear >> (8 * i));
        }

        Set(offset, size, resetValue);
    }

    /// <summary>Adds a capability of <paramref name="length"/> bytes (header included) at the end of the list; gives its offset.</summary>
    public int AddCapability(byte id, int length)
    {
        int offset = _nextCapability;
        if (length < 2 || offset + length > Size)
        {
            throw new ArgumentOutOfRangeException(nameof(length), length, "Configuration space has no room for this capability.");
        }

        Define(offset, 1, id);
        Define(offset + 1, 1, 0);
        int link = _lastCapability < 0 ? PciRegister.CapabilitiesPointer : _lastCapability + 1;
        Define(link, 1, (uint)offset);
        Define(PciRegister.Status, 2, PciStatus.CapabilitiesList, 0, PciStatus.WriteOneToClear);
        _lastCapability = offset;
        _nextCapability = (offset + length + 3) & ~3;
        return offset;
    }

    public void Reset() => _reset.CopyTo(_values, 0);

    /// <summary>Of what is loaded only bits that can change are taken; what is fixed by this device stays.</summary>
    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        byte[] saved = (byte[])_values.Clone();
        visitor.Array("config", saved.AsSpan());
        for (int i = 0; visitor.IsLoading && i < Size; i++)
        {
            byte changes = (byte)(_writable[i] | _writeOneToClear[i]);
            _values[i] = (byte)((_reset[i] & ~changes) | (saved[i] & changes));
        }
    }
}
