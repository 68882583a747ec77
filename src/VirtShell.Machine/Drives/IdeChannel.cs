using System;
using System.Collections.Generic;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Drives;

/// <summary>
/// One channel of the IDE controller: the task file and the control port, up to two drives that share them, and the
/// interrupt line. Both drives take what is written to registers; the selected one answers and takes commands. Where it is
/// missing, device 0 answers for device 1, with a status of 0 (ATA/ATAPI-6, 9.16.1); a cable without drives reads all
/// ones but for bit 7, which is pulled down.
/// </summary>
internal sealed class IdeChannel : IPortHandler, IStateful
{
    public const int DeviceCount = 2;

    // DD7 has a resistor to ground (ATA/ATAPI-6, 6.1), the other lines float high.
    private const uint Floating = 0xFFFF_FF7F;
    private const uint FloatingWide = 0xFF7F_FF7F;

    // Runtime glue.
    private readonly ushort _commandPort;
    private readonly ushort _controlPort;
    private readonly Action<bool> _line;
    private readonly IdeDevice?[] _devices = new IdeDevice?[DeviceCount];
    private readonly Func<bool> _isDecoded;

    // Saved state.
    private byte _control;
    private int _selected;
    private bool _level;

    /// <param name="bus">Where the ports are claimed.</param>
    /// <param name="commandPort">First of the eight ports of the task file.</param>
    /// <param name="controlPort">Device control and alternate status.</param>
    /// <param name="line">The interrupt line.</param>
    /// <param name="busMaster">The channel's bus master.</param>
    /// <param name="isDecoded">Whether the controller answers the ports now.</param>
    public IdeChannel(IoBus bus, ushort commandPort, ushort controlPort, Action<bool> line, IdeBusMaster busMaster, Func<bool> isDecoded)
    {
        _commandPort = commandPort;
        _controlPort = controlPort;
        _line = line;
        _isDecoded = isDecoded;
        BusMaster = busMaster;
        busMaster.Started = () => Selected?.BusMasterStarted();

        // A doubleword from the data port is two words of it.
        bus.MapPorts(commandPort, 1, this, accessWidth: 4, overhang: sizeof(uint) - 1);
        bus.MapPorts((ushort)(commandPort + 1), IdeRegister.Count - 1, this);
        bus.MapPorts(controlPort, 1, this);
    }

    public IdeBusMaster BusMaster { get; }

    /// <summary>Whether the guest looks at what registers held before they were last written.</summary>
    public bool ShowsPrevious => (_control & IdeControl.HighOrderByte) != 0;

    private IdeDevice? Selected => _devices[_selected];

    /// <summary>The drives that are there, device 0 first.</summary>
    public IEnumerable<IdeDevice> Devices
    {
        get
        {
            foreach (IdeDevice? device in _devices)
            {
                if (device is not null)
                {
                    yield return device;
                }
            }
        }
    }

    public void Attach(int number, IdeDevice device) => _devices[number] = device;

    public uint ReadPort(ushort port, int size)
    {
        if (!_isDecoded())
        {
            return uint.MaxValue;
        }

        if (port == _controlPort)
        {
            return ReadStatus();
        }

        int register = port - _commandPort;
        IdeDevice? device = Selected ?? (_selected == 1 ? _devices[0] : null);
        if (device is null)
        {
            return register == IdeRegister.Data && size == sizeof(uint) ? FloatingWide : Floating;
        }

        switch (register)
        {
            case IdeRegister.Data:
                return Selected is null ? uint.MaxValue : device.ReadData(size);
            case IdeRegister.Status:
                uint status = ReadStatus();
                Selected?.SetInterrupt(false);
                return status;
            default:
                return device.ReadRegister(register, ShowsPrevious);
        }
    }

    public void WritePort(ushort port, int size, uint value)
    {
        if (!_isDecoded())
        {
            return;
        }

        if (port == _controlPort)
        {
            WriteControl((byte)value);
            return;
        }

        int register = port - _commandPort;
        if (register == IdeRegister.Data)
        {
            Selected?.WriteData(size, value);
            return;
        }

        _control &= unchecked((byte)~IdeControl.HighOrderByte);
        if (register == IdeRegister.Command)
        {
            WriteCommand((byte)value);
            return;
        }

        // Registers belong to the command that is being carried out.
        if (Selected is { IsOccupied: true })
        {
            return;
        }

        if (register == IdeRegister.Device)
        {
            _selected = (value & IdeControl.DeviceSelect) != 0 ? 1 : 0;
        }

        foreach (IdeDevice? device in _devices)
        {
            device?.WriteRegister(register, (byte)value);
        }

        UpdateLine();
    }

    /// <summary>Called by a drive whose interrupt has changed.</summary>
    public void UpdateLine()
    {
        bool level = Selected is { WantsInterrupt: true } && (_control & IdeControl.InterruptDisable) == 0;
        if (level && !_level)
        {
            BusMaster.NoteInterrupt();
        }

        _level = level;
        _line(level);
    }

    public void Reset()
    {
        _control = 0;
        _selected = 0;
        BusMaster.Reset();
        foreach (IdeDevice? device in _devices)
        {
            device?.PowerOn();
        }

        UpdateLine();
    }

    public void Describe(StateVisitor visitor)
    {
        visitor.Value("control", ref _control);
        visitor.Value("selected", ref _selected, 0, DeviceCount - 1);
        visitor.Value("level", ref _level);
        visitor.Part("bus-master", BusMaster);
        for (int i = 0; i < DeviceCount; i++)
        {
            if (_devices[i] is { } device)
            {
                visitor.Part(i == 0 ? "device-0" : "device-1", device);
            }
        }

        if (visitor.IsLoading)
        {
            UpdateLine();
        }
    }

    private uint ReadStatus() => Selected is { } device ? device.Status : _selected == 1 && _devices[0] is not null ? 0 : Floating;

    private void WriteCommand(byte command)
    {
        if (command != IdeCommand.Diagnostic)
        {
            Selected?.WriteCommand(command);
            return;
        }

        // Both drives carry it out, whichever is selected, and device 0 tells of both.
        if (Selected is { IsOccupied: true })
        {
            return;
        }

        _selected = 0;
        foreach (IdeDevice? device in _devices)
        {
            device?.Diagnose(interrupts: device == _devices[0]);
        }

        UpdateLine();
    }

    private void WriteControl(byte value)
    {
        byte before = _control;
        _control = value;
        bool resets = (value & IdeControl.SoftReset) != 0;
        if (resets != ((before & IdeControl.SoftReset) != 0))
        {
            _selected = 0;
            foreach (IdeDevice? device in _devices)
            {
                if (resets)
                {
                    device?.BeginReset();
                }
                else
                {
                    device?.EndReset();
                }
            }
        }

        UpdateLine();
    }
}
