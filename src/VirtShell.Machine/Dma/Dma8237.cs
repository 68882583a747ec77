using System;
using VirtShell.State;

namespace VirtShell.Machine.Dma;

/// <summary>
/// One 8237A DMA controller (Intel datasheet 231466) with its four channels: the registers, and how an address and a count
/// go on. The pair, its page registers and its ports are <see cref="Dma8237Pair"/>.
/// </summary>
internal sealed class Dma8237 : IStateful
{
    public const int ChannelCount = 4;

    // Registers (datasheet, figure 6). Below them, address and count of each channel.
    public const int Command = 8;
    public const int Request = 9;
    public const int SingleMask = 10;
    public const int Mode = 11;
    public const int ClearFlipFlop = 12;
    public const int MasterClear = 13;
    public const int ClearMask = 14;
    public const int AllMask = 15;
    private const int StatusRegister = Command;
    private const int Temporary = MasterClear;

    private const byte CommandDisable = 0x04;

    // Request and single mask register: which channel, and set or clear.
    private const byte ChannelBits = 0x03;
    private const byte SetBit = 0x04;
    private const byte AllChannels = 0x0F;

    // Mode register.
    private const byte ModeTransfer = 0x0C;
    private const byte ModeWrite = 0x04;
    private const byte ModeRead = 0x08;
    private const byte ModeAutoInitialize = 0x10;
    private const byte ModeDecrement = 0x20;
    private const byte ModeSelect = 0xC0;
    private const byte ModeCascade = 0xC0;

    // Reading what can only be written gives what an idle bus does.
    private const byte Nothing = 0xFF;

    // Saved state.
    private readonly ushort[] _baseAddress = new ushort[ChannelCount];
    private readonly ushort[] _baseCount = new ushort[ChannelCount];
    private readonly ushort[] _address = new ushort[ChannelCount];
    private readonly ushort[] _count = new ushort[ChannelCount];
    private readonly byte[] _mode = new byte[ChannelCount];
    private byte _command;
    private byte _mask;
    private byte _terminalCounts;
    private byte _softRequests;
    private byte _lines;
    private bool _highByte;

    public void Reset()
    {
        Array.Clear(_baseAddress);
        Array.Clear(_baseCount);
        Array.Clear(_address);
        Array.Clear(_count);
        Array.Clear(_mode);
        _lines = 0;
        Clear();
    }

    public byte Read(int register)
    {
        switch (register)
        {
            case < Command:
                return ReadHalf(((register & 1) == 0 ? _address : _count)[register >> 1]);
            case StatusRegister:
                // Bits 7:4 who requests; bits 3:0 who has come to the end since the last reading.
                byte status = (byte)(((_softRequests | _lines) << 4) | _terminalCounts);
                _terminalCounts = 0;
                return status;
            case Temporary:
                // Memory to memory, which would leave something here, is not wired on a PC.
                return 0;
            case AllMask:
                return _mask;
            default:
                return Nothing;
        }
    }

    public void Write(int register, byte value)
    {
        int channel = value & ChannelBits;
        byte bit = (byte)(1 << channel);
        switch (register)
        {
            case < Command:
                WriteHalf(register, value);
                break;
            case Command:
                _command = value;
                break;
            case Request:
                _softRequests = (byte)((value & SetBit) != 0 ? _softRequests | bit : _softRequests & ~bit);
                break;
            case SingleMask:
                _mask = (byte)((value & SetBit) != 0 ? _mask | bit : _mask & ~bit);
                break;
            case Mode:
                _mode[channel] = (byte)(value & ~ChannelBits);
                break;
            case ClearFlipFlop:
                _highByte = false;
                break;
            case MasterClear:
                Clear();
                break;
            case ClearMask:
                _mask = 0;
                break;
            default:
                _mask = (byte)(value & AllChannels);
                break;
        }
    }

    /// <summary>Sets the level of a channel's DREQ.</summary>
    public void SetRequest(int channel, bool asserted)
    {
        byte bit = (byte)(1 << channel);
        _lines = (byte)(asserted ? _lines | bit : _lines & ~bit);
    }

    /// <summary>Whether a channel may have the bus.</summary>
    public bool IsOpen(int channel) => (_command & CommandDisable) == 0 && (_mask & (1 << channel)) == 0;

    /// <summary>Whether a channel passes on the requests of another controller.</summary>
    public bool IsCascade(int channel) => (_mode[channel] & ModeSelect) == ModeCascade;

    /// <summary>Whether a channel takes data from memory.</summary>
    public bool Reads(int channel) => (_mode[channel] & ModeTransfer) == ModeRead;

    /// <summary>Whether a channel puts data into memory.</summary>
    public bool Writes(int channel) => (_mode[channel] & ModeTransfer) == ModeWrite;

    /// <summary>The current address of a channel.</summary>
    public ushort Address(int channel) => _address[channel];

    /// <summary>Goes on by one unit; gives whether that was the last (the count has gone below 0, and EOP is asserted).</summary>
    public bool Advance(int channel)
    {
        _address[channel] += (ushort)((_mode[channel] & ModeDecrement) != 0 ? ushort.MaxValue : 1);
        if (_count[channel]-- != 0)
        {
            return false;
        }

        byte bit = (byte)(1 << channel);
        _terminalCounts |= bit;
        _softRequests &= (byte)~bit;
        if ((_mode[channel] & ModeAutoInitialize) != 0)
        {
            _address[channel] = _baseAddress[channel];
            _count[channel] = _baseCount[channel];
        }
        else
        {
            _mask |= bit;
        }

        return true;
    }

    public void Describe(StateVisitor visitor)
    {
        visitor.Array("base-addresses", _baseAddress.AsSpan());
        visitor.Array("base-counts", _baseCount.AsSpan());
        visitor.Array("addresses", _address.AsSpan());
        visitor.Array("counts", _count.AsSpan());
        visitor.Array("modes", _mode.AsSpan());
        visitor.Value("command", ref _command);
        visitor.Value("mask", ref _mask, AllChannels);
        visitor.Value("terminal-counts", ref _terminalCounts, AllChannels);
        visitor.Value("requests", ref _softRequests, AllChannels);
        visitor.Value("lines", ref _lines, AllChannels);
        visitor.Value("high-byte", ref _highByte);
    }

    // Master clear: as a reset, but addresses, counts and modes stay.
    private void Clear()
    {
        _command = _terminalCounts = _softRequests = 0;
        _mask = AllChannels;
        _highByte = false;
    }

    private byte ReadHalf(ushort value)
    {
        byte half = (byte)(_highByte ? value >> 8 : value);
        _highByte = !_highByte;
        return half;
    }

    // A write goes to the current register and to the one that auto-initialization takes it from.
    private void WriteHalf(int register, byte value)
    {
        int channel = register >> 1;
        (ushort[] current, ushort[] start) = (register & 1) == 0 ? (_address, _baseAddress) : (_count, _baseCount);
        int shift = _highByte ? 8 : 0;
        start[channel] = (ushort)((start[channel] & ~(0xFF << shift)) | (value << shift));
        current[channel] = (ushort)((current[channel] & ~(0xFF << shift)) | (value << shift));
        _highByte = !_highByte;
    }
}
