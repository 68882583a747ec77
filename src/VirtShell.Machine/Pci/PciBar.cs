using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Pci;

/// <summary>A base address register: a range of I/O or memory space that follows what the guest writes to it.</summary>
internal sealed class PciBar
{
    /// <summary>Stands for the expansion ROM, whose register is none of the six.</summary>
    public const int RomIndex = -1;

    private readonly IMmioHandler? _memory;
    private readonly IPortHandler? _ports;
    [NotState("Follows from configuration space.")]
    private bool _mapped;
    [NotState("Follows from configuration space.")]
    private uint _address;

    /// <param name="index">0 to 5.</param>
    /// <param name="size">A power of two: 16 bytes or more for memory, 4 to 256 for ports.</param>
    /// <param name="memory">Answers a memory range; null for ports.</param>
    /// <param name="ports">Answers a port range; null for memory.</param>
    public PciBar(int index, uint size, IMmioHandler? memory, IPortHandler? ports)
    {
        Index = index;
        Size = size;
        _memory = memory;
        _ports = ports;
    }

    public int Index { get; }

    public uint Size { get; }

    public bool IsIo => _ports is not null;

    public int Register => PciRegister.Bar0 + (4 * Index);

    /// <summary>Moves, takes away or leaves the range on the bus, as the register and the decode bit now say.</summary>
    public void Update(IoBus bus, uint register, bool decode)
    {
        uint address = register & ~(Size - 1);
        bool map = decode && address != 0 && (!IsIo || address <= 0x10000 - Size);
        if (map == _mapped && (!map || address == _address))
        {
            return;
        }

        if (_mapped)
        {
            if (_ports is not null)
            {
                bus.UnmapPorts((ushort)_address, (int)Size, _ports);
            }
            else
            {
                bus.UnmapMmio(_address, Size, _memory!);
            }
        }

        _mapped = map;
        _address = address;
        (_memory as IMovedRange)?.Moved(map ? address : null);
        if (map)
        {
            if (_ports is not null)
            {
                bus.MapPorts((ushort)address, (int)Size, _ports, accessWidth: 4);
            }
            else
            {
                bus.MapMmio(address, Size, _memory!);
            }
        }
    }
}

/// <summary>A handler that follows where its base address register puts it.</summary>
internal interface IMovedRange
{
    /// <summary>The range is about to be at an address, or nowhere.</summary>
    void Moved(ulong? address);
}
