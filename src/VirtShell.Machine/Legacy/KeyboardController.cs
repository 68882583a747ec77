using System;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Input;
using VirtShell.State;

namespace VirtShell.Machine.Legacy;

/// <summary>
/// The 8042 keyboard controller at ports 60h and 64h with a keyboard (IRQ 1) and a mouse (IRQ 12), as PS/2 firmware
/// programs it: controller commands, the A20 output and the reset pulse.
/// </summary>
internal sealed class KeyboardController : IDevice, IPortHandler
{
    public const ushort DataPort = 0x60;
    public const ushort CommandPort = 0x64;
    public const int KeyboardIrq = 1;
    public const int MouseIrq = 12;

    private const byte StatusOutputFull = 0x01;
    private const byte StatusSystem = 0x04;
    private const byte StatusCommand = 0x08;
    private const byte StatusUnlocked = 0x10;
    private const byte StatusAuxiliary = 0x20;

    private const byte ControlKeyboardIrq = 0x01;
    private const byte ControlAuxiliaryIrq = 0x02;
    private const byte ControlSystem = 0x04;
    private const byte ControlKeyboardOff = 0x10;
    private const byte ControlAuxiliaryOff = 0x20;
    private const byte ControlTranslate = 0x40;

    // Commands to port 64h.
    private const byte ReadRam = 0x20;
    private const byte WriteRam = 0x60;
    private const byte DisableAuxiliary = 0xA7;
    private const byte EnableAuxiliary = 0xA8;
    private const byte TestAuxiliary = 0xA9;
    private const byte SelfTest = 0xAA;
    private const byte TestKeyboard = 0xAB;
    private const byte DisableKeyboard = 0xAD;
    private const byte EnableKeyboard = 0xAE;
    private const byte ReadInputPort = 0xC0;
    private const byte ReadOutputPort = 0xD0;
    private const byte WriteOutputPort = 0xD1;
    private const byte WriteKeyboardOutput = 0xD2;
    private const byte WriteAuxiliaryOutput = 0xD3;
    private const byte WriteAuxiliary = 0xD4;
    private const byte DisableA20 = 0xDD;
    private const byte EnableA20 = 0xDF;
    private const byte ReadTestInputs = 0xE0;
    private const byte PulseFirst = 0xF0;

    private const byte BreakOfSet1 = 0x80;

    private const byte OutputNotReset = 0x01;
    private const byte OutputA20 = 0x02;
    private const byte OutputKeyboardFull = 0x10;
    private const byte OutputAuxiliaryFull = 0x20;
    private const byte InputUnlocked = 0xA0;

    private enum Source : byte
    {
        None,
        Controller,
        ControllerAsAuxiliary,
        Keyboard,
        Auxiliary,
    }

    // Runtime glue.
    private readonly Action<bool> _irq1;
    private readonly Action<bool> _irq12;
    private readonly A20Gate _a20;
    private readonly Action _reset;
    private readonly MachineClock _clock;

    // Saved state.
    private readonly Ps2Keyboard _keyboard = new();
    private readonly Ps2Mouse _mouse;
    private readonly byte[] _ram = new byte[32];
    private readonly TimerEvent _nextKey;
    private readonly TimerEvent _repeat;
    private readonly TimerEvent _nextPacket;
    private long _lastKey = -MachineKeyboard.Pace;
    private long _lastPacket = -MachineKeyboard.Pace;
    private Source _source;
    private byte _output;
    private byte _waiting;
    private bool _lastWasCommand;

    /// <param name="bus">The bus.</param>
    /// <param name="clock">Paces keys and packets.</param>
    /// <param name="irq1">The keyboard's interrupt line.</param>
    /// <param name="irq12">The mouse's interrupt line.</param>
    /// <param name="a20">The A20 gate.</param>
    /// <param name="reset">Resets the machine.</param>
    /// <param name="hasWheel">Whether the mouse has a wheel and five buttons.</param>
    public KeyboardController(IoBus bus, MachineClock clock, Action<bool> irq1, Action<bool> irq12, A20Gate a20, Action reset, bool hasWheel)
    {
        ArgumentNullException.ThrowIfNull(bus);
        _clock = clock;
        _mouse = new Ps2Mouse(hasWheel);
        _nextKey = new TimerEvent(TellKey);
        _repeat = new TimerEvent(RepeatKey);
        _nextPacket = new TimerEvent(TellMouse);
        _irq1 = irq1;
        _irq12 = irq12;
        _a20 = a20;
        _reset = reset;
        bus.MapPorts(DataPort, 1, this);
        bus.MapPorts(CommandPort, 1, this);
        Reset();
    }

    public string Name => "i8042";

    private byte Control
    {
        get => _ram[0];
        set => _ram[0] = value;
    }

    /// <summary>The state after firmware: self test passed, keyboard interrupts and translation on.</summary>
    public void Reset()
    {
        _keyboard.Reset();
        _mouse.Reset();
        Array.Clear(_ram);
        Control = ControlKeyboardIrq | ControlSystem | ControlAuxiliaryOff | ControlTranslate;
        _source = Source.None;
        _output = _waiting = 0;
        _lastWasCommand = false;
        _lastKey = _lastPacket = -MachineKeyboard.Pace;
        _clock.Cancel(_nextKey);
        _clock.Cancel(_repeat);
        _clock.Cancel(_nextPacket);
        _a20.FromKeyboardController = true;
        UpdateIrqs();
    }

    /// <summary>Whether every key was read by the guest.</summary>
    public bool IsKeyboardIdle => _keyboard.IsIdle && _source != Source.Keyboard;

    /// <summary>Whether every packet of the mouse was read by the guest.</summary>
    public bool IsMouseIdle => _mouse.IsIdle && _source != Source.Auxiliary;

    /// <summary>The keyboard's lights: bit 0 scroll lock, bit 1 num lock, bit 2 caps lock.</summary>
    public int Lights => _keyboard.Leds;

    /// <summary>Checks that keys may be queued.</summary>
    /// <exception cref="InvalidOperationException">So many wait that the guest does not seem to read them.</exception>
    public void CheckRoom(int keys)
    {
        if (_keyboard.Waiting + keys > Ps2Keyboard.MostWaiting)
        {
            throw new InvalidOperationException($"{_keyboard.Waiting / 2} keys wait for the guest to read its keyboard. Wait until it does, or restart it.");
        }
    }

    /// <summary>Has a key go down or up once all before it were read.</summary>
    public void QueueKey(PcKey key, bool isDown)
    {
        _keyboard.QueueKey(key, isDown);
        ScheduleInput();
    }

    /// <summary>Has the mouse move, or its buttons change, once all before was read.</summary>
    /// <exception cref="InvalidOperationException">So much waits that the guest does not seem to read it.</exception>
    public void QueueMouse(int x, int y, int wheel, MouseButtons? buttons)
    {
        if (_mouse.Waiting >= Ps2Mouse.MostWaiting)
        {
            throw new InvalidOperationException($"{_mouse.Waiting} movements wait for the guest to read its mouse. Wait until it does, or restart it.");
        }

        _mouse.QueueMove(x, y, wheel, (int?)buttons);
        ScheduleInput();
    }

    public uint ReadPort(ushort port, int size)
    {
        if (port == CommandPort)
        {
            int status = StatusUnlocked | (Control & StatusSystem) | (_lastWasCommand ? StatusCommand : 0);
            if (_source != Source.None)
            {
                status |= StatusOutputFull | (_source is Source.Auxiliary or Source.ControllerAsAuxiliary ? StatusAuxiliary : 0);
            }

            return (uint)status;
        }

        byte value = _output;
        _source = Source.None;
        UpdateIrqs();
        FillOutput();
        ScheduleInput();
        return value;
    }

    public void WritePort(ushort port, int size, uint value)
    {
        _lastWasCommand = port == CommandPort;
        if (_lastWasCommand)
        {
            _waiting = 0;
            Command((byte)value);
        }
        else
        {
            byte command = _waiting;
            _waiting = 0;
            Data(command, (byte)value);
        }

        FillOutput();
        ScheduleInput();
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Part("keyboard", _keyboard);
        visitor.Part("mouse", _mouse);
        visitor.Array("ram", _ram.AsSpan());
        int source = (int)_source;
        visitor.Clamped("source", ref source, 0, (int)Source.Auxiliary);
        _source = (Source)source;
        visitor.Value("output", ref _output);
        visitor.Value("waiting", ref _waiting);
        visitor.Value("last-was-command", ref _lastWasCommand);
        _a20.FromKeyboardController = visitor.Value("a20", _a20.FromKeyboardController);
        _nextKey.Describe(visitor, "next-key", _clock);
        _repeat.Describe(visitor, "repeat", _clock);
        _nextPacket.Describe(visitor, "next-packet", _clock);
        visitor.Value("last-key", ref _lastKey, -MachineKeyboard.Pace, long.MaxValue / 2);
        visitor.Value("last-packet", ref _lastPacket, -MachineKeyboard.Pace, long.MaxValue / 2);
    }

    private void Command(byte command)
    {
        switch (command)
        {
            case >= ReadRam and < ReadRam + 0x20:
                Answer(_ram[command & 0x1F]);
                break;
            case >= WriteRam and < WriteRam + 0x20:
            case WriteOutputPort or WriteKeyboardOutput or WriteAuxiliaryOutput or WriteAuxiliary:
                _waiting = command;
                break;
            case DisableAuxiliary:
                Control |= ControlAuxiliaryOff;
                break;
            case EnableAuxiliary:
                Control &= unchecked((byte)~ControlAuxiliaryOff);
                break;
            case DisableKeyboard:
                Control |= ControlKeyboardOff;
                break;
            case EnableKeyboard:
                Control &= unchecked((byte)~ControlKeyboardOff);
                break;
            case SelfTest:
                Control |= ControlSystem;
                Answer(0x55);
                break;
            case TestKeyboard or TestAuxiliary or ReadTestInputs:
                Answer(0);
                break;
            case ReadInputPort:
                Answer(InputUnlocked);
                break;
            case ReadOutputPort:
                Answer((byte)(OutputNotReset | (_a20.FromKeyboardController ? OutputA20 : 0)
                    | (_source is Source.Keyboard or Source.Controller ? OutputKeyboardFull : 0)
                    | (_source is Source.Auxiliary or Source.ControllerAsAuxiliary ? OutputAuxiliaryFull : 0)));
                break;
            case DisableA20 or EnableA20:
                _a20.FromKeyboardController = command == EnableA20;
                break;
            case >= PulseFirst:
                // Bits 3:0 that are zero pulse low; bit 0 is the processor's reset.
                if ((command & OutputNotReset) == 0)
                {
                    _reset();
                }

                break;
            default:
                break;
        }
    }

    private void Data(byte command, byte value)
    {
        switch (command)
        {
            case >= WriteRam and < WriteRam + 0x20:
                _ram[command & 0x1F] = value;
                UpdateIrqs();
                break;
            case WriteOutputPort:
                _a20.FromKeyboardController = (value & OutputA20) != 0;
                if ((value & OutputNotReset) == 0)
                {
                    _reset();
                }

                break;
            case WriteKeyboardOutput:
                Answer(value);
                break;
            case WriteAuxiliaryOutput:
                Put(Source.ControllerAsAuxiliary, value);
                break;
            case WriteAuxiliary:
                Control &= unchecked((byte)~ControlAuxiliaryOff);
                _mouse.Write(value);
                break;
            default:
                Control &= unchecked((byte)~ControlKeyboardOff);
                _keyboard.Write(value);
                break;
        }
    }

    private void Answer(byte value) => Put(Source.Controller, value);

    private void Put(Source source, byte value)
    {
        // Drop the line first, so that each byte is an edge of its own.
        _source = Source.None;
        UpdateIrqs();
        _source = source;
        _output = value;
        UpdateIrqs();
    }

    private void FillOutput()
    {
        if (_source != Source.None)
        {
            return;
        }

        if (_keyboard.HasData && (Control & ControlKeyboardOff) == 0)
        {
            Put(Source.Keyboard, TakeKey());
        }
        else if (_mouse.HasData && (Control & ControlAuxiliaryOff) == 0)
        {
            Put(Source.Auxiliary, _mouse.Take(out _));
        }
    }

    // Keys arrive as set 2 and are read as set 1, where the guest leaves that on: the prefix of a key that goes up becomes a bit of
    // the byte behind it. Answers pass as they are.
    private byte TakeKey()
    {
        byte value = _keyboard.Take(out bool isReport);
        if (!isReport || (Control & ControlTranslate) == 0)
        {
            return value;
        }

        bool isBreak = value == ScanCodes.Break && _keyboard.HasData;
        return isBreak ? (byte)(ScanCodes.Translate(_keyboard.Take(out _)) | BreakOfSet1) : ScanCodes.Translate(value);
    }

    // The next key or packet, once the guest has taken the one before.
    private void ScheduleInput()
    {
        if (_keyboard.CanTell && !_nextKey.IsScheduled)
        {
            _clock.Schedule(_nextKey, Math.Max(_clock.Now, _lastKey + MachineKeyboard.Pace));
        }

        if (_mouse.CanTell && !_nextPacket.IsScheduled)
        {
            _clock.Schedule(_nextPacket, Math.Max(_clock.Now, _lastPacket + _mouse.Period));
        }
    }

    private void TellKey()
    {
        if (_keyboard.CanTell)
        {
            _lastKey = _clock.Now;
            _keyboard.Tell();
            if (_keyboard.IsHeld)
            {
                _clock.Schedule(_repeat, _clock.Now + _keyboard.RepeatDelay);
            }
            else
            {
                _clock.Cancel(_repeat);
            }

            FillOutput();
            ScheduleInput();
        }
    }

    private void RepeatKey()
    {
        if (_keyboard.IsHeld)
        {
            _keyboard.Repeat();
            _clock.Schedule(_repeat, _clock.Now + _keyboard.RepeatPeriod);
            FillOutput();
        }
    }

    private void TellMouse()
    {
        if (_mouse.CanTell)
        {
            _lastPacket = _clock.Now;
            _mouse.Tell();
            FillOutput();
            ScheduleInput();
        }
    }

    private void UpdateIrqs()
    {
        _irq1(_source is Source.Keyboard or Source.Controller && (Control & ControlKeyboardIrq) != 0);
        _irq12(_source is Source.Auxiliary or Source.ControllerAsAuxiliary && (Control & ControlAuxiliaryIrq) != 0);
    }
}
