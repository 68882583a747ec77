using System;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Pci;

/// <summary>
/// The PIIX4's SMBus host controller (Intel 290562, 82371AB, 7.3) with nothing on the bus: every transaction ends at once with a device
/// error, as where no slave acknowledges its address.
/// </summary>
internal sealed class SmBusHost : IPortHandler
{
    private const int PortCount = 16;

    // Registers, by offset: SMBHSTSTS, SMBHSTCNT; what follows up to SMBHSTDAT1 only holds what is written.
    private const int HostStatus = 0x00;
    private const int HostControl = 0x02;
    private const int HostData1 = 0x06;

    private const byte DeviceError = 1 << 2;
    private const byte StatusClearable = 0x1E;
    private const byte Start = 1 << 6;

    // Runtime glue.
    private readonly IoBus _bus;

    // Saved state.
    private readonly byte[] _registers = new byte[PortCount];
    [NotState("Follows from configuration space.")]
    private ushort _mappedAt;

    public SmBusHost(IoBus bus) => _bus = bus;

    public void Reset() => Array.Clear(_registers);

    public void Describe(StateVisitor visitor) => visitor.Array("smbus", _registers.AsSpan());

    /// <summary>Follows what the guest wrote to configuration space; base 0 is none.</summary>
    public void MoveTo(ushort port, bool enabled)
    {
        ushort wanted = enabled && port <= 0x10000 - PortCount ? port : (ushort)0;
        if (wanted == _mappedAt)
        {
            return;
        }

        if (_mappedAt != 0)
        {
            _bus.UnmapPorts(_mappedAt, PortCount, this);
        }

        if (wanted != 0)
        {
            _bus.MapPorts(wanted, PortCount, this);
        }

        _mappedAt = wanted;
    }

    public uint ReadPort(ushort port, int size) => _registers[port & (PortCount - 1)];

    public void WritePort(ushort port, int size, uint value)
    {
        int register = port & (PortCount - 1);
        switch (register)
        {
            case HostStatus:
                _registers[HostStatus] &= (byte)~(value & StatusClearable);
                break;
            case HostControl:
                _registers[HostControl] = (byte)(value & ~(uint)Start);
                if ((value & Start) != 0)
                {
                    _registers[HostStatus] |= DeviceError;
                }

                break;
            case <= HostData1:
                _registers[register] = (byte)value;
                break;
            default:
                break;
        }
    }
}
