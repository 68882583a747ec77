using System;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Legacy;

/// <summary>
/// The CRT controller's registers of a colour adapter (IBM VGA, 3D4h and 3D5h), without a display behind them: what was
/// written is read back, which is what text consoles need that keep the cursor's place there. Text memory at B8000h is
/// not there; writes to it are lost.
/// </summary>
internal sealed class CrtController : IDevice, IPortHandler
{
    public const ushort IndexPort = 0x3D4;

    private const int RegisterCount = 25;
    private const byte IndexMask = 0x1F;

    // Saved state.
    private readonly byte[] _registers = new byte[RegisterCount];
    private byte _index;

    public CrtController(IoBus bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.MapPorts(IndexPort, 2, this);
    }

    public string Name => "crt-controller";

    public void Reset()
    {
        Array.Clear(_registers);
        _index = 0;
    }

    public uint ReadPort(ushort port, int size) => port == IndexPort ? _index : _index < RegisterCount ? _registers[_index] : 0u;

    public void WritePort(ushort port, int size, uint value)
    {
        if (port == IndexPort)
        {
            _index = (byte)(value & IndexMask);
        }
        else if (_index < RegisterCount)
        {
            _registers[_index] = (byte)value;
        }
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Array("registers", _registers.AsSpan());
        visitor.Value("index", ref _index, IndexMask);
    }
}
