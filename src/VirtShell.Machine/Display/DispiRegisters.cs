using System;
using VirtShell.State;

namespace VirtShell.Machine.Display;

/// <summary>
/// The Bochs VBE interface ("dispi"): linear modes of any size by an index and a data register, or the same registers in memory
/// (QEMU, docs/specs/standard-vga). What is out of bounds is moved to the next that the memory holds.
/// </summary>
internal sealed class DispiRegisters : IStateful
{
    public const int Count = 11;
    public const int MostWidth = 4096;
    public const int MostHeight = 4096;

    public const int Id = 0;
    public const int XResolution = 1;
    public const int YResolution = 2;
    public const int BitsPerPixel = 3;
    public const int Enable = 4;
    public const int Bank = 5;
    public const int VirtualWidth = 6;
    public const int VirtualHeight = 7;
    public const int XOffset = 8;
    public const int YOffset = 9;
    public const int Memory64K = 10;

    public const ushort Enabled = 0x01;
    public const ushort GetCapabilities = 0x02;
    public const ushort WideDac = 0x20;
    public const ushort Linear = 0x40;
    public const ushort KeepsMemory = 0x80;

    private const ushort FirstId = 0xB0C0;
    private const ushort LastId = 0xB0C5;
    private const int BankSize = 64 << 10;
    private const int MostBits = 32;
    private const ushort EnableMask = Enabled | GetCapabilities | WideDac | Linear | KeepsMemory;

    // Runtime glue.
    private readonly VideoMemory _memory;

    // Saved state.
    private readonly ushort[] _values = new ushort[Count];
    private ushort _index;

    public DispiRegisters(VideoMemory memory)
    {
        _memory = memory;
        Reset();
    }

    /// <summary>Called after anything changed.</summary>
    [NotState("Wiring.")]
    public Action? Changed { get; set; }

    public ushort Index
    {
        get => _index;
        set => _index = value;
    }

    /// <summary>Whether a linear mode is on, and the VGA's own picture is not shown.</summary>
    public bool IsEnabled => (_values[Enable] & Enabled) != 0;

    /// <summary>Whether the window at A0000h shows bytes in order, a bank at a time, instead of planes.</summary>
    public bool IsLinear => IsEnabled && _values[BitsPerPixel] != 4;

    public bool HasWideDac => (_values[Enable] & WideDac) != 0;

    /// <summary>Where the window begins in the linear view; of a planar mode, in addresses of a plane.</summary>
    public int BankOffset => IsEnabled ? _values[Bank] * BankSize : 0;

    public int Width => _values[XResolution];

    public int Height => _values[YResolution];

    /// <summary>4, 8, 15, 16, 24 or 32.</summary>
    public int Bits => _values[BitsPerPixel];

    /// <summary>Bytes from a line to the next.</summary>
    public int LineBytes => BytesOf(_values[VirtualWidth]);

    /// <summary>Offset of the first byte that is shown.</summary>
    public int FirstByte => (_values[YOffset] * LineBytes) + BytesOf(_values[XOffset]);

    public void Reset()
    {
        Array.Clear(_values);
        _index = 0;
        _values[Id] = LastId;
        _values[Memory64K] = (ushort)(_memory.Size / BankSize);
    }

    /// <summary>Reads a register by its number; those that do not exist read zero.</summary>
    public ushort Read(int index)
    {
        if ((uint)index >= Count)
        {
            return 0;
        }

        if ((_values[Enable] & GetCapabilities) != 0)
        {
            switch (index)
            {
                case XResolution:
                    return MostWidth;
                case YResolution:
                    return MostHeight;
                case BitsPerPixel:
                    return MostBits;
                default:
                    break;
            }
        }

        return _values[index];
    }

    /// <summary>Writes a register by its number.</summary>
    public void Write(int index, ushort value)
    {
        switch (index)
        {
            case Id when value is >= FirstId and <= LastId:
                _values[Id] = value;
                break;
            case XResolution or YResolution or BitsPerPixel or VirtualWidth or XOffset or YOffset:
                _values[index] = value;
                if (IsEnabled)
                {
                    Settle();
                }

                break;
            case Bank:
                _values[Bank] = (ushort)Math.Min(value, _values[Memory64K] - 1);
                break;
            case Enable:
                WriteEnable((ushort)(value & EnableMask));
                break;
            default:
                return;
        }

        Changed?.Invoke();
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Array("registers", _values.AsSpan());
        visitor.Value("index", ref _index);
        if (visitor.IsLoading)
        {
            _values[Memory64K] = (ushort)(_memory.Size / BankSize);
            _values[Bank] = (ushort)Math.Min(_values[Bank], _values[Memory64K] - 1);
            _values[Enable] &= EnableMask;
            if (IsEnabled)
            {
                Settle();
            }
        }
    }

    private void WriteEnable(ushort value)
    {
        bool begins = !IsEnabled && (value & Enabled) != 0;
        _values[Enable] = value;
        if (!begins)
        {
            return;
        }

        // A mode begins unscrolled, as wide as it is shown.
        _values[VirtualWidth] = _values[XResolution];
        _values[XOffset] = _values[YOffset] = _values[Bank] = 0;
        Settle();
        if ((value & KeepsMemory) == 0)
        {
            _memory.Clear();
        }
    }

    // Whatever was written becomes a mode that memory holds.
    private void Settle()
    {
        ref ushort bits = ref _values[BitsPerPixel];
        bits = bits is 4 or 8 or 15 or 16 or 24 or 32 ? bits : (ushort)8;
        ref ushort width = ref _values[XResolution];
        width = (ushort)Math.Clamp(width & ~7, 8, MostWidth);
        ref ushort pitch = ref _values[VirtualWidth];
        pitch = (ushort)Math.Clamp(pitch & ~7, width, MostWidth);
        int most = _memory.Size / BytesOf(pitch);
        ref ushort height = ref _values[YResolution];
        height = (ushort)Math.Clamp((int)height, 1, Math.Min(most, MostHeight));
        _values[VirtualHeight] = (ushort)Math.Min(most, ushort.MaxValue);
        ref ushort x = ref _values[XOffset];
        x = (ushort)Math.Min(x, pitch - width);
        ref ushort y = ref _values[YOffset];
        y = (ushort)Math.Min(y, most - height);
    }

    // Four planes of a bit each take as much as half a byte for each pixel.
    private int BytesOf(int pixels) => _values[BitsPerPixel] switch
    {
        4 => pixels / 2,
        15 or 16 => pixels * 2,
        24 => pixels * 3,
        32 => pixels * 4,
        _ => pixels,
    };
}
