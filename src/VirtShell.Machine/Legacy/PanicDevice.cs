using System;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Legacy;

/// <summary>The port by which a system tells its host that it has panicked (QEMU, docs/specs/pvpanic): a read gives the events that are known, a write tells one.</summary>
internal sealed class PanicDevice : IDevice, IPortHandler
{
    public const ushort Port = 0x505;

    private const byte Panicked = 1;

    private readonly Action _panicked;

    public PanicDevice(IoBus bus, Action panicked)
    {
        _panicked = panicked;
        bus.MapPorts(Port, 1, this);
    }

    public string Name => "pvpanic";

    public void Reset()
    {
    }

    public void Describe(StateVisitor visitor)
    {
    }

    public uint ReadPort(ushort port, int size) => Panicked;

    public void WritePort(ushort port, int size, uint value)
    {
        if ((value & Panicked) != 0)
        {
            _panicked();
        }
    }
}
