using System;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Legacy;

/// <summary>
/// The small ports of a PC that stand for no larger device: system control port A (92h), the reset control register
/// (CF9h), and the debug console and exit ports of virtual machines.
/// </summary>
internal sealed class SystemPorts : IDevice, IPortHandler
{
    public const ushort ControlPortA = 0x92;
    public const ushort ResetControlPort = 0xCF9;
    public const ushort DebugExitPort = 0x501;
    public const ushort DebugConsolePort = 0xE9;
    public const ushort FirmwareConsolePort = 0x402;

    // One port, to which an access of up to four bytes may be made.
    private const int DebugExitWidth = 4;
    private const byte FastReset = 0x01;
    private const byte FastA20 = 0x02;
    private const byte ResetCpu = 0x04;

    // Reading a debug console gives this, so that a guest can find it.
    private const byte DebugConsoleMark = 0xE9;

    // Runtime glue.
    private readonly A20Gate _a20;
    private readonly Action _reset;
    private readonly Action<int> _exit;
    private readonly Action<byte> _console;

    // Saved state.
    private byte _resetControl;

    /// <param name="bus">Where the ports are claimed.</param>
    /// <param name="a20">The gate that port 92h works on.</param>
    /// <param name="reset">Asks for a reset of the machine.</param>
    /// <param name="exit">Takes the value written to the debug exit port.</param>
    /// <param name="console">Takes bytes of the debug consoles.</param>
    public SystemPorts(IoBus bus, A20Gate a20, Action reset, Action<int> exit, Action<byte> console)
    {
        ArgumentNullException.ThrowIfNull(bus);
        _a20 = a20;
        _reset = reset;
        _exit = exit;
        _console = console;
        bus.MapPorts(ControlPortA, 1, this);
        bus.MapPorts(ResetControlPort, 1, this);
        bus.MapPorts(DebugExitPort, 1, this, DebugExitWidth, overhang: DebugExitWidth - 1);
        bus.MapPorts(DebugConsolePort, 1, this);
        bus.MapPorts(FirmwareConsolePort, 1, this);
        Reset();
    }

    public string Name => "system-ports";

    public void Reset()
    {
        _resetControl = 0;
        _a20.FromPort92 = true;
    }

    public uint ReadPort(ushort port, int size) => port switch
    {
        ControlPortA => _a20.FromPort92 ? FastA20 : 0u,
        ResetControlPort => _resetControl,
        DebugConsolePort or FirmwareConsolePort => DebugConsoleMark,
        _ => 0,
    };

    public void WritePort(ushort port, int size, uint value)
    {
        switch (port)
        {
            case ControlPortA:
                _a20.FromPort92 = (value & FastA20) != 0;
                if ((value & FastReset) != 0)
                {
                    _reset();
                }

                break;
            case ResetControlPort:
                // A reset happens when RCPU goes from 0 to 1.
                bool rising = (value & ~_resetControl & ResetCpu) != 0;
                _resetControl = (byte)(value & 0x0E);
                if (rising)
                {
                    _reset();
                }

                break;
            case DebugConsolePort or FirmwareConsolePort:
                _console((byte)value);
                break;
            default:
                _exit((int)value);
                break;
        }
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Value("reset-control", ref _resetControl);
        _a20.FromPort92 = visitor.Value("a20", _a20.FromPort92);
    }
}
