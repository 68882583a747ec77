using System;
using VirtShell.State;

namespace VirtShell.Machine.Display;

/// <summary>
/// The registers of a VGA: miscellaneous output, sequencer, CRT controller, graphics and attribute controllers and the DAC
/// (IBM PS/2 Hardware Interface Technical Reference, Video Subsystem). What they mean to accesses and to the picture is
/// worked out where it is needed.
/// </summary>
internal sealed class VgaRegisters : IStateful
{
    public const int SequencerCount = 5;
    public const int CrtCount = 25;
    public const int GraphicsCount = 9;
    public const int AttributeCount = 21;
    public const int DacBytes = 768;

    /// <summary>Miscellaneous output: the CRT controller stands at 3D4h, not 3B4h.</summary>
    private const byte MiscColorAddress = 1 << 0;
    private const byte MiscRamEnable = 1 << 1;

    private const byte AttributeIndexMask = 0x3F;
    private const byte PaletteOn = 0x20;
    private const byte CrtProtect = 0x80;
    private const int FirstUnprotectedCrt = 8;
    private const int CrtOverflow = 7;
    private const int CrtRetraceEnd = 0x11;

    // Bits that registers hold.
    private static ReadOnlySpan<byte> SequencerMasks => [0x03, 0x3F, 0x0F, 0x3F, 0x0E];

    private static ReadOnlySpan<byte> GraphicsMasks => [0x0F, 0x0F, 0x0F, 0x1F, 0x03, 0x7B, 0x0F, 0x0F, 0xFF];

    private static ReadOnlySpan<byte> AttributeMasks => [0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0xEF, 0xFF, 0x3F, 0x0F, 0x0F];

    // Saved state.
    private readonly byte[] _sequencer = new byte[SequencerCount];
    private readonly byte[] _crt = new byte[CrtCount];
    private readonly byte[] _graphics = new byte[GraphicsCount];
    private readonly byte[] _attributes = new byte[AttributeCount];
    private readonly byte[] _dac = new byte[DacBytes];
    private byte _misc;
    private byte _feature;
    private byte _enable;
    private byte _sequencerIndex;
    private byte _crtIndex;
    private byte _graphicsIndex;
    private byte _attributeIndex;
    private bool _attributeTakesData;
    private byte _pelMask;
    private byte _dacState;
    private byte _dacReadIndex;
    private byte _dacWriteIndex;
    private byte _dacComponent;
    private bool _hasWideDac;

    /// <summary>Called after a register that tells how display memory is accessed has changed.</summary>
    [NotState("Wiring.")]
    public Action? ModeChanged { get; set; }

    public ReadOnlySpan<byte> Sequencer => _sequencer;

    public ReadOnlySpan<byte> Crt => _crt;

    public ReadOnlySpan<byte> Graphics => _graphics;

    public ReadOnlySpan<byte> Attributes => _attributes;

    public byte Misc => _misc;

    public byte PelMask => _pelMask;

    /// <summary>Whether the palette drives the screen; a screen whose palette the processor has open is dark.</summary>
    public bool IsScreenOn => (_attributeIndex & PaletteOn) != 0 && (_sequencer[1] & 0x20) == 0;

    /// <summary>Whether the CRT controller's ports are those of a colour adapter.</summary>
    public bool IsColor => (_misc & MiscColorAddress) != 0;

    /// <summary>Read map select.</summary>
    public int ReadMap => _graphics[4];

    public uint ColorCompare => VgaWindow.Expand(_graphics[2]);

    public uint ColorDontCare => VgaWindow.Expand(_graphics[7]);

    /// <summary>How display memory is accessed.</summary>
    public VgaMode Mode
    {
        get
        {
            byte memoryMode = _sequencer[4];
            byte mode = _graphics[5];
            byte miscellaneous = _graphics[6];
            (int start, int length) = ((miscellaneous >> 2) & 3) switch
            {
                0 => (0, VgaWindow.Length),
                1 => (0, 64 << 10),
                2 => (64 << 10, 32 << 10),
                _ => (96 << 10, 32 << 10),
            };
            bool isPlain = (mode & 3) == 0 && _graphics[1] == 0 && _graphics[3] == 0 && _graphics[8] == 0xFF;
            return new VgaMode(
                _sequencer[2],
                Chain4: (memoryMode & 8) != 0,
                OddEvenWrite: (memoryMode & 4) == 0,
                OddEvenRead: (mode & 0x10) != 0,
                DropsLowBit: (miscellaneous & 2) != 0,
                start,
                (_misc & MiscRamEnable) != 0 ? length : 0,
                (byte)(mode & 3),
                (byte)((mode >> 3) & 1),
                isPlain);
        }
    }

    /// <summary>The red, green and blue of a DAC entry, 0 to 255 each, as 0xRRGGBB.</summary>
    public uint Color(int index)
    {
        int at = (index & 0xFF) * 3;
        return (Widen(_dac[at]) << 16) | (Widen(_dac[at + 1]) << 8) | Widen(_dac[at + 2]);
    }

    /// <summary>Whether DAC components have 8 bits instead of 6.</summary>
    public bool HasWideDac
    {
        get => _hasWideDac;
        set => _hasWideDac = value;
    }

    /// <summary>Dark, with all registers zero, as before firmware has set a mode.</summary>
    public void Reset()
    {
        foreach (byte[] registers in new[] { _sequencer, _crt, _graphics, _attributes, _dac })
        {
            Array.Clear(registers);
        }

        _misc = _feature = _sequencerIndex = _crtIndex = _graphicsIndex = _attributeIndex = 0;
        _dacState = _dacReadIndex = _dacWriteIndex = _dacComponent = 0;
        _enable = 1;
        _pelMask = 0xFF;
        _attributeTakesData = _hasWideDac = false;
    }

    /// <summary>What one byte of processor data becomes in the four planes, by write mode, rotation, set/reset, function and bit mask.</summary>
    public uint Combine(byte value, uint latches)
    {
        int mode = _graphics[5] & 3;
        if (mode == 1)
        {
            return latches;
        }

        int rotation = _graphics[3] & 7;
        byte rotated = (byte)((value >> rotation) | (value << (8 - rotation)));
        uint bits = _graphics[8] * 0x0101_0101u;
        uint data;
        switch (mode)
        {
            case 0:
                uint replaced = VgaWindow.Expand(_graphics[1]);
                data = ((rotated * 0x0101_0101u) & ~replaced) | (VgaWindow.Expand(_graphics[0]) & replaced);
                break;
            case 2:
                data = VgaWindow.Expand(value & 0xF);
                break;
            default:
                bits &= rotated * 0x0101_0101u;
                data = VgaWindow.Expand(_graphics[0]);
                break;
        }

        data = (_graphics[3] >> 3) switch
        {
            1 => data & latches,
            2 => data | latches,
            3 => data ^ latches,
            _ => data,
        };
        return (data & bits) | (latches & ~bits);
    }

    /// <summary>Reads a port from 3B0h to 3DFh, <paramref name="status"/> being input status 1 now.</summary>
    public byte Read(ushort port, byte status)
    {
        switch (port)
        {
            case 0x3C0:
                return _attributeIndex;
            case 0x3C1:
                return (_attributeIndex & 0x1F) < AttributeCount ? _attributes[_attributeIndex & 0x1F] : (byte)0;
            case 0x3C2:
                // Switch sense: a monitor is there.
                return 0x10;
            case 0x3C3:
                return _enable;
            case 0x3C4:
                return _sequencerIndex;
            case 0x3C5:
                return _sequencerIndex < SequencerCount ? _sequencer[_sequencerIndex] : (byte)0;
            case 0x3C6:
                return _pelMask;
            case 0x3C7:
                return _dacState;
            case 0x3C8:
                return _dacWriteIndex;
            case 0x3C9:
                return ReadDac();
            case 0x3CA:
                return _feature;
            case 0x3CC:
                return _misc;
            case 0x3CE:
                return _graphicsIndex;
            case 0x3CF:
                return _graphicsIndex < GraphicsCount ? _graphics[_graphicsIndex] : (byte)0;
            case 0x3B4 or 0x3D4 when IsCrtPort(port):
                return _crtIndex;
            case 0x3B5 or 0x3D5 when IsCrtPort(port):
                return _crtIndex < CrtCount ? _crt[_crtIndex] : (byte)0;
            case 0x3BA or 0x3DA when IsCrtPort(port):
                _attributeTakesData = false;
                return status;
            default:
                return 0xFF;
        }
    }

    /// <summary>Writes a port from 3B0h to 3DFh.</summary>
    public void Write(ushort port, byte value)
    {
        switch (port)
        {
            case 0x3C0:
                WriteAttribute(value);
                break;
            case 0x3C2:
                _misc = (byte)(value & 0xEF);
                ModeChanged?.Invoke();
                break;
            case 0x3C3:
                _enable = (byte)(value & 1);
                break;
            case 0x3C4:
                _sequencerIndex = (byte)(value & 7);
                break;
            case 0x3C5 when _sequencerIndex < SequencerCount:
                _sequencer[_sequencerIndex] = (byte)(value & SequencerMasks[_sequencerIndex]);
                ModeChanged?.Invoke();
                break;
            case 0x3C6:
                _pelMask = value;
                break;
            case 0x3C7:
                _dacReadIndex = value;
                _dacState = 3;
                _dacComponent = 0;
                break;
            case 0x3C8:
                _dacWriteIndex = value;
                _dacState = 0;
                _dacComponent = 0;
                break;
            case 0x3C9:
                WriteDac(value);
                break;
            case 0x3CE:
                _graphicsIndex = (byte)(value & 0xF);
                break;
            case 0x3CF when _graphicsIndex < GraphicsCount:
                _graphics[_graphicsIndex] = (byte)(value & GraphicsMasks[_graphicsIndex]);
                ModeChanged?.Invoke();
                break;
            case 0x3B4 or 0x3D4 when IsCrtPort(port):
                _crtIndex = (byte)(value & 0x1F);
                break;
            case 0x3B5 or 0x3D5 when IsCrtPort(port) && _crtIndex < CrtCount:
                WriteCrt(value);
                break;
            case 0x3BA or 0x3DA when IsCrtPort(port):
                _feature = (byte)(value & 3);
                break;
            default:
                break;
        }
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Array("sequencer", _sequencer.AsSpan());
        visitor.Array("crt", _crt.AsSpan());
        visitor.Array("graphics", _graphics.AsSpan());
        visitor.Array("attributes", _attributes.AsSpan());
        visitor.Array("dac", _dac.AsSpan());
        visitor.Value("misc", ref _misc);
        visitor.Value("feature", ref _feature);
        visitor.Value("enable", ref _enable);
        visitor.Value("sequencer-index", ref _sequencerIndex, 7);
        visitor.Value("crt-index", ref _crtIndex, 0x1F);
        visitor.Value("graphics-index", ref _graphicsIndex, 0xF);
        visitor.Value("attribute-index", ref _attributeIndex, AttributeIndexMask);
        visitor.Value("attribute-takes-data", ref _attributeTakesData);
        visitor.Value("pel-mask", ref _pelMask);
        visitor.Value("dac-state", ref _dacState, 3);
        visitor.Value("dac-read-index", ref _dacReadIndex);
        visitor.Value("dac-write-index", ref _dacWriteIndex);
        int component = _dacComponent;
        visitor.Clamped("dac-component", ref component, 0, 2);
        _dacComponent = (byte)component;
        visitor.Value("wide-dac", ref _hasWideDac);
        if (visitor.IsLoading)
        {
            Cut(_sequencer, SequencerMasks);
            Cut(_graphics, GraphicsMasks);
            Cut(_attributes, AttributeMasks);
        }
    }

    private static void Cut(Span<byte> values, ReadOnlySpan<byte> masks)
    {
        for (int i = 0; i < values.Length; i++)
        {
            values[i] &= masks[i];
        }
    }

    private bool IsCrtPort(ushort port) => (port & 0xFFF0) == (IsColor ? 0x3D0 : 0x3B0);

    private void WriteAttribute(byte value)
    {
        if (!_attributeTakesData)
        {
            _attributeIndex = (byte)(value & AttributeIndexMask);
        }
        else
        {
            int index = _attributeIndex & 0x1F;

            // The palette takes writes while it does not drive the screen; other registers always do.
            if (index < AttributeCount && (index >= 16 || (_attributeIndex & PaletteOn) == 0))
            {
                _attributes[index] = (byte)(value & AttributeMasks[index]);
            }
        }

        _attributeTakesData = !_attributeTakesData;
    }

    private void WriteCrt(byte value)
    {
        if (_crtIndex >= FirstUnprotectedCrt || (_crt[CrtRetraceEnd] & CrtProtect) == 0)
        {
            _crt[_crtIndex] = value;
        }
        else if (_crtIndex == CrtOverflow)
        {
            // Line compare's bit is never protected.
            _crt[CrtOverflow] = (byte)((_crt[CrtOverflow] & ~0x10) | (value & 0x10));
        }
    }

    private byte ReadDac()
    {
        byte value = _dac[(_dacReadIndex * 3) + _dacComponent];
        if (++_dacComponent == 3)
        {
            _dacComponent = 0;
            _dacReadIndex++;
        }

        return value;
    }

    private void WriteDac(byte value)
    {
        _dac[(_dacWriteIndex * 3) + _dacComponent] = (byte)(_hasWideDac ? value : value & 0x3F);
        if (++_dacComponent == 3)
        {
            _dacComponent = 0;
            _dacWriteIndex++;
        }
    }

    private uint Widen(byte component) => _hasWideDac ? component : (uint)(((component & 0x3F) << 2) | ((component & 0x3F) >> 4));
}
