using System;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Dma;

/// <summary>
/// The PC/AT's two 8237A DMA controllers: bytes on channels 0 to 3 (ports 00h to 0Fh), words on 5 to 7 (C0h to DFh, a register
/// at every other port); channel 4 passes on what the first asks for. The page registers (80h to 8Fh) hold the address bits from
/// 16 on (82371SB datasheet, 2.5.1); no carry goes into them. Those of no channel hold what is written; 80h is the POST code.
/// </summary>
internal sealed class Dma8237Pair : IDevice, IPortHandler, IDmaController
{
    public const ushort BytePort = 0x00;
    public const int BytePortCount = 16;
    public const ushort WordPort = 0xC0;
    public const int WordPortCount = 32;
    public const ushort PagePort = 0x80;
    public const int PageCount = 16;
    public const int CascadeChannel = 4;

    // The page register of each channel, as an offset from PagePort.
    private static readonly byte[] s_pageOf = [0x7, 0x3, 0x1, 0x2, 0xF, 0xB, 0x9, 0xA];

    // Runtime glue.
    private readonly PhysicalMemory _memory;

    // Saved state.
    private readonly Dma8237 _bytes = new();
    private readonly Dma8237 _words = new();
    private readonly byte[] _pages = new byte[PageCount];

    /// <param name="bus">Where the ports are claimed.</param>
    /// <param name="memory">What is read and written.</param>
    public Dma8237Pair(IoBus bus, PhysicalMemory memory)
    {
        ArgumentNullException.ThrowIfNull(bus);
        _memory = memory;
        bus.MapPorts(BytePort, BytePortCount, this);
        bus.MapPorts(WordPort, WordPortCount, this);
        bus.MapPorts(PagePort, PageCount, this);
        Reset();
    }

    public string Name => "dma";

    public void Reset()
    {
        _bytes.Reset();
        _words.Reset();
        Array.Clear(_pages);
    }

    /// <summary>As PC firmware hands them over: channel 4 open, as the cascade that it is wired for.</summary>
    public void InitializeAsFirmware()
    {
        const byte cascadeMode = 0xC0;
        _words.Write(Dma8237.Mode, cascadeMode);
        _words.Write(Dma8237.SingleMask, 0);
    }

    public uint ReadPort(ushort port, int size) => port switch
    {
        < BytePort + BytePortCount => _bytes.Read(port),
        < PagePort + PageCount => _pages[port - PagePort],
        _ => _words.Read((port - WordPort) >> 1),
    };

    public void WritePort(ushort port, int size, uint value)
    {
        switch (port)
        {
            case < BytePort + BytePortCount:
                _bytes.Write(port, (byte)value);
                break;
            case < PagePort + PageCount:
                _pages[port - PagePort] = (byte)value;
                break;
            default:
                _words.Write((port - WordPort) >> 1, (byte)value);
                break;
        }
    }

    public void SetRequest(int channel, bool asserted)
    {
        if (channel < CascadeChannel)
        {
            _bytes.SetRequest(channel, asserted);
        }
        else
        {
            _words.SetRequest(channel - CascadeChannel, asserted);
        }
    }

    public bool IsOpen(int channel) => channel < CascadeChannel
        ? _bytes.IsOpen(channel) && _words.IsOpen(0) && _words.IsCascade(0)
        : _words.IsOpen(channel - CascadeChannel) && !_words.IsCascade(channel - CascadeChannel);

    public int Read(int channel, Span<byte> destination, out bool isLast)
    {
        (Dma8237 controller, int own, int unit) = Split(channel);
        isLast = false;
        int moved = 0;
        while (IsOpen(channel) && !isLast && moved + unit <= destination.Length)
        {
            Span<byte> piece = destination.Slice(moved, unit);
            piece.Fill(0xFF);
            if (controller.Reads(own))
            {
                // What no memory answers stays all ones.
                _memory.Read(AddressOf(channel, controller.Address(own)), piece);
            }

            isLast = controller.Advance(own);
            moved += unit;
        }

        return moved;
    }

    public int Write(int channel, ReadOnlySpan<byte> source, out bool isLast)
    {
        (Dma8237 controller, int own, int unit) = Split(channel);
        isLast = false;
        int moved = 0;
        while (IsOpen(channel) && !isLast && moved + unit <= source.Length)
        {
            if (controller.Writes(own))
            {
                _memory.Write(AddressOf(channel, controller.Address(own)), source.Slice(moved, unit));
            }

            isLast = controller.Advance(own);
            moved += unit;
        }

        return moved;
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Array("pages", _pages.AsSpan());
        visitor.Part("bytes", _bytes);
        visitor.Part("words", _words);
    }

    // The controller, its own number of the channel, and bytes at once.
    private (Dma8237 Controller, int Own, int Unit) Split(int channel) =>
        channel < CascadeChannel ? (_bytes, channel, 1) : (_words, channel - CascadeChannel, 2);

    // Channels of words have their address shifted by one, and no bit 0 in the page.
    private ulong AddressOf(int channel, ushort address)
    {
        ulong page = _pages[s_pageOf[channel]];
        return channel < CascadeChannel ? (page << 16) | address : ((page & 0xFE) << 16) | ((ulong)address << 1);
    }
}
