using System;
using System.Runtime.InteropServices;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Display;

/// <summary>
/// Display memory as the processor sees it at A0000h: the data paths of the graphics controller with latches, all read and
/// write modes, odd/even and chained addresses (IBM PS/2 Hardware Interface Technical Reference, Video Subsystem).
/// </summary>
/// <remarks>
/// Text and 256-colour modes read and write bytes unchanged. After some accesses in such a mode the window's pages become RAM
/// with a copy of the planes' bytes, which is taken back when the mode, or whoever looks, needs the planes. In such a mode
/// reads leave the latches alone, so that a guest cannot tell.
/// </remarks>
internal sealed unsafe class VgaWindow : IMmioHandler, IDeviceMemory
{
    public const ulong Start = 0xA_0000;
    public const int Length = 128 << 10;

    // Taking a copy pays off after some accesses by the bus.
    private const int AccessesBeforeCopy = 128;
    private const uint EveryPlane = 0xFFFF_FFFF;

    // Runtime glue.
    private readonly PhysicalMemory _memory;
    private readonly VideoMemory _planes;
    private readonly VgaRegisters _registers;
    private readonly DispiRegisters _dispi;

    // A copy holds nothing that the planes would not after Settle.
    [NotState("Settled before state is described.")]
    private PlainLayout _copied;
    [NotState("Settled before state is described.")]
    private int _accesses;
    [NotState("Follows from registers.")]
    private VgaMode _mode;
    [NotState("Of the chipset, which says it anew.")]
    private bool _isCovered;

    // Saved state.
    private uint _latches;

    public VgaWindow(IoBus bus, PhysicalMemory memory, VideoMemory planes, VgaRegisters registers, DispiRegisters dispi)
    {
        _memory = memory;
        _planes = planes;
        _registers = registers;
        _dispi = dispi;
        bus.MapMmio(Start, Length, this);
        memory.AddDevice(Start, Length, this);
        planes.PlanesReached = Settle;
        _mode = registers.Mode;
    }

    /// <summary>Whether something else stands at A0000h (system management RAM, opened by the chipset), so that the window must leave its pages alone. Whoever sets it maps the pages thereafter, and unmaps them before it is cleared.</summary>
    public bool IsCovered
    {
        get => _isCovered;
        set
        {
            Settle();
            _isCovered = value;
        }
    }

    public void Reset()
    {
        _latches = 0;
        ModeChanged();
    }

    public void Describe(StateVisitor visitor) => visitor.Value("latches", ref _latches);

    /// <summary>After registers changed.</summary>
    public void ModeChanged()
    {
        VgaMode mode = _registers.Mode;
        if (mode != _mode)
        {
            Settle();
            _mode = mode;
        }
    }

    /// <summary>Takes what guests wrote to the window's pages to the planes, and unmaps the pages.</summary>
    public void Settle()
    {
        _accesses = 0;
        if (_copied == PlainLayout.None)
        {
            return;
        }

        Span<byte> window = WindowBytes();
        TakeBack(window);
        window.Clear();
        _copied = PlainLayout.None;
        _memory.Unmap(Start + (ulong)_mode.WindowStart, (ulong)_mode.WindowLength);
    }

    /// <summary>Has the planes hold what guests wrote, and leaves the pages mapped: for whoever looks.</summary>
    public void Refresh()
    {
        if (_copied != PlainLayout.None)
        {
            TakeBack(WindowBytes());
        }
    }

    public ulong ReadMmio(ulong offset, int size)
    {
        CountAccess();
        ulong value = 0;
        for (int i = 0; i < size; i++)
        {
            value |= (ulong)ReadByte((int)offset + i) << (8 * i);
        }

        return value;
    }

    public void WriteMmio(ulong offset, int size, ulong value)
    {
        for (int i = 0; i < size; i++)
        {
            WriteByte((int)offset + i, (byte)(value >> (8 * i)));
        }

        // Behind the write, which a copy must hold.
        CountAccess();
    }

    void IDeviceMemory.Read(ulong offset, Span<byte> destination)
    {
        for (int i = 0; i < destination.Length; i++)
        {
            destination[i] = ReadByte((int)offset + i);
        }
    }

    void IDeviceMemory.Write(ulong offset, ReadOnlySpan<byte> source)
    {
        for (int i = 0; i < source.Length; i++)
        {
            WriteByte((int)offset + i, source[i]);
        }
    }

    // An address in a plane, and which plane an odd or chained address means.
    private bool TryAddress(int offset, out int address)
    {
        address = offset - _mode.WindowStart;
        return (uint)address < (uint)_mode.WindowLength;
    }

    private byte ReadByte(int offset)
    {
        if (!TryAddress(offset, out int address))
        {
            return 0xFF;
        }

        if (_dispi.IsLinear)
        {
            return _planes.ReadByte((ulong)_dispi.BankOffset + (uint)address);
        }

        if (_mode.Chain4)
        {
            return ReadPlane(Planar(Chained(address)), address & 3, loadsLatches: _mode.Plain == PlainLayout.None);
        }

        int at = Planar(_mode.DropsLowBit ? address & ~1 : address);
        if (_mode.ReadMode == 0)
        {
            int plane = _registers.ReadMap;
            plane = _mode.OddEvenRead ? (plane & 2) | (address & 1) : plane;
            return ReadPlane(at, plane, loadsLatches: _mode.Plain == PlainLayout.None);
        }

        _latches = _planes.ReadPlanes(at);
        uint different = (_latches ^ _registers.ColorCompare) & _registers.ColorDontCare;
        different |= different >> 16;
        different |= different >> 8;
        return (byte)~different;
    }

    private byte ReadPlane(int address, int plane, bool loadsLatches)
    {
        uint planes = _planes.ReadPlanes(address);
        if (loadsLatches)
        {
            _latches = planes;
        }

        return (byte)(planes >> (8 * plane));
    }

    private void WriteByte(int offset, byte value)
    {
        if (!TryAddress(offset, out int address))
        {
            return;
        }

        if (_dispi.IsLinear)
        {
            _planes.WriteByte((ulong)_dispi.BankOffset + (uint)address, value);
            return;
        }

        int mask = _mode.MapMask;
        int at;
        if (_mode.Chain4)
        {
            mask &= 1 << (address & 3);
            at = Planar(Chained(address));
        }
        else
        {
            if (_mode.OddEvenWrite)
            {
                mask &= (address & 1) == 0 ? 0b0101 : 0b1010;
            }

            at = Planar(_mode.DropsLowBit ? address & ~1 : address);
        }

        uint planes = Expand(mask);
        uint data = _mode.IsPlainWrite ? value * 0x0101_0101u : _registers.Combine(value, _latches);
        _planes.WritePlanes(at, (_planes.ReadPlanes(at) & ~planes) | (data & planes));
    }

    /// <summary>A byte of ones for each bit that is set of four.</summary>
    internal static uint Expand(int bits)
    {
        uint spread = (uint)((bits & 1) | ((bits & 2) << 7) | ((bits & 4) << 14) | ((bits & 8) << 21));
        return unchecked(spread * 0xFF) & EveryPlane;
    }

    // The two bits that choose the plane give way to the highest two, as they do on the CRT controller's side.
    private static int Chained(int address) => (address & 0xFFFC) | ((address >> 14) & 3);

    // Banks of a linear mode's planar kind go beyond 64 KiB of a plane, to the end of memory.
    private int Planar(int address)
    {
        long at = (long)address + _dispi.BankOffset;
        return (int)(_dispi.IsEnabled ? at % (_planes.Size / 4) : at & (VideoMemory.PlaneSize - 1));
    }

    private void CountAccess()
    {
        if (_mode.Plain != PlainLayout.None && !_isCovered && !_dispi.IsEnabled && ++_accesses > AccessesBeforeCopy && _copied == PlainLayout.None)
        {
            Copy();
        }
    }

    private void Copy()
    {
        _planes.UnmapPlanes();
        _copied = _mode.Plain;
        Span<byte> window = WindowBytes();
        if (_copied == PlainLayout.Chain4)
        {
            Span<uint> words = MemoryMarshal.Cast<byte, uint>(window);
            for (int i = 0; i < words.Length; i++)
            {
                words[i] = _planes.ReadPlanes(Chained(i * 4));
            }
        }
        else
        {
            Span<ushort> cells = MemoryMarshal.Cast<byte, ushort>(window);
            for (int i = 0; i < cells.Length; i++)
            {
                cells[i] = (ushort)_planes.ReadPlanes(i * 2);
            }
        }

        _memory.MapRam(Start + (ulong)_mode.WindowStart, (ulong)_mode.WindowLength);
    }

    private void TakeBack(ReadOnlySpan<byte> window)
    {
        if (_copied == PlainLayout.Chain4)
        {
            ReadOnlySpan<uint> words = MemoryMarshal.Cast<byte, uint>(window);
            for (int i = 0; i < words.Length; i++)
            {
                _planes.WritePlanes(Chained(i * 4), words[i]);
            }

            return;
        }

        ReadOnlySpan<ushort> cells = MemoryMarshal.Cast<byte, ushort>(window);
        for (int i = 0; i < cells.Length; i++)
        {
            _planes.WritePlanes(i * 2, (_planes.ReadPlanes(i * 2) & 0xFFFF_0000) | cells[i]);
        }
    }

    private Span<byte> WindowBytes() => new(_memory.Base + Start + _mode.WindowStart, _mode.WindowLength);
}
