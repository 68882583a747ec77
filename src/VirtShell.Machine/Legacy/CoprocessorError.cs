using System;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Legacy;

/// <summary>
/// The PC/AT's way of reporting x87 errors while CR0.NE is clear: FERR# latches IRQ 13, and the handler's write to port F0h
/// clears it (IBM PC AT Technical Reference, "Coprocessor").
/// </summary>
internal sealed class CoprocessorError : IDevice, IPortHandler
{
    public const ushort ClearBusyPort = 0xF0;
    public const int Irq = 13;
    public const int PortCount = 2;

    // Runtime glue.
    private readonly Action<bool> _line;

    // Saved state.
    private bool _error;
    private bool _latched;

    /// <param name="bus">Where the ports are claimed.</param>
    /// <param name="line">IRQ 13.</param>
    public CoprocessorError(IoBus bus, Action<bool> line)
    {
        ArgumentNullException.ThrowIfNull(bus);
        _line = line;
        bus.MapPorts(ClearBusyPort, PortCount, this);
    }

    public string Name => "coprocessor-error";

    /// <summary>Level of the processor's FERR# output.</summary>
    public void SetError(bool asserted)
    {
        if (asserted && !_error)
        {
            SetLatch(true);
        }

        _error = asserted;
    }

    public uint ReadPort(ushort port, int size) => 0xFF;

    public void WritePort(ushort port, int size, uint value) => SetLatch(false);

    public void Reset()
    {
        _error = false;
        SetLatch(false);
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        using StateScope section = visitor.Section(Name);
        visitor.Value("error", ref _error);
        visitor.Value("latched", ref _latched);
        if (visitor.IsLoading)
        {
            SetLatch(_latched);
        }
    }

    private void SetLatch(bool latched)
    {
        _latched = latched;
        _line(latched);
    }
}
