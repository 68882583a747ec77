using System;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Interrupts;

/// <summary>The PC's two 8259A controllers at ports 20h and A0h, the second on input 2 of the first, with ELCR at 4D0h and 4D1h (82371SB datasheet, 2.5.3).</summary>
internal sealed class Pic8259Pair : IDevice, IPortHandler
{
    public const ushort MasterPort = 0x20;
    public const ushort SlavePort = 0xA0;
    public const ushort ElcrPort = 0x4D0;
    public const int CascadeInput = 2;
    private const int SpuriousInput = 7;

    // Fixed configuration. IRQ 0, 1, 2, 8 and 13 are always edge-triggered.
    private readonly Pic8259 _master = new(cascadeMask: 1 << CascadeInput, elcrWritable: 0xF8);
    private readonly Pic8259 _slave = new(cascadeMask: 0, elcrWritable: 0xDE);

    // Runtime glue.
    private readonly Action<bool> _output;

    /// <param name="bus">Where the ports are claimed.</param>
    /// <param name="output">Takes the level of the INT output whenever it may have changed.</param>
    public Pic8259Pair(IoBus bus, Action<bool> output)
    {
        ArgumentNullException.ThrowIfNull(bus);
        _output = output;
        bus.MapPorts(MasterPort, 2, this);
        bus.MapPorts(SlavePort, 2, this);
        bus.MapPorts(ElcrPort, 2, this);
        Reset();
    }

    public string Name => "pic";

    /// <summary>The level of the INT output.</summary>
    public bool IsRequesting => _master.IsRequesting;

    public void Reset()
    {
        _master.Reset();
        _slave.Reset();
        Update();
    }

    /// <summary>Sets an IRQ input, 0 to 15; input 2 is the cascade and not available.</summary>
    public void SetIrq(int irq, bool high)
    {
        if (irq is < 0 or > 15 or CascadeInput)
        {
            return;
        }

        (irq < 8 ? _master : _slave).SetLine(irq & 7, high);
        Update();
    }

    /// <summary>Puts the controllers into the state that PC firmware leaves: vectors 08h and 70h, everything masked but the cascade.</summary>
    public void InitializeAsFirmware()
    {
        ReadOnlySpan<(ushort Port, byte Value)> writes =
        [
            (MasterPort, 0x11), (SlavePort, 0x11), (MasterPort + 1, 0x08), (SlavePort + 1, 0x70),
            (MasterPort + 1, 1 << CascadeInput), (SlavePort + 1, CascadeInput), (MasterPort + 1, 1), (SlavePort + 1, 1),
            (MasterPort + 1, 0xFB), (SlavePort + 1, 0xFF),
        ];
        foreach ((ushort port, byte value) in writes)
        {
            WritePort(port, 1, value);
        }
    }

    /// <summary>The INTA cycles: gives the vector, a spurious one (input 7) where the request went away.</summary>
    public int Acknowledge()
    {
        int vector;
        int input = _master.Acknowledge();
        if (input != CascadeInput)
        {
            vector = _master.VectorOf(input < 0 ? SpuriousInput : input);
        }
        else
        {
            int slaveInput = _slave.Acknowledge();
            vector = _slave.VectorOf(slaveInput < 0 ? SpuriousInput : slaveInput);
        }

        Update();
        return vector;
    }

    public uint ReadPort(ushort port, int size)
    {
        switch (port)
        {
            case ElcrPort:
                return _master.EdgeLevelControl;
            case ElcrPort + 1:
                return _slave.EdgeLevelControl;
            default:
                byte value = ((port & 0x80) == 0 ? _master : _slave).Read((port & 1) != 0);
                Update();
                return value;
        }
    }

    public void WritePort(ushort port, int size, uint value)
    {
        switch (port)
        {
            case ElcrPort:
                _master.EdgeLevelControl = (byte)value;
                break;
            case ElcrPort + 1:
                _slave.EdgeLevelControl = (byte)value;
                break;
            default:
                ((port & 0x80) == 0 ? _master : _slave).Write((port & 1) != 0, (byte)value);
                break;
        }

        Update();
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Part("master", _master);
        visitor.Part("slave", _slave);
        if (visitor.IsLoading)
        {
            Update();
        }
    }

    private void Update()
    {
        _master.SetLine(CascadeInput, _slave.IsRequesting);
        _output(_master.IsRequesting);
    }
}
