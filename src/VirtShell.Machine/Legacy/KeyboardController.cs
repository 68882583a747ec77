using System;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Legacy;

/// <summary>
/// The 8042 keyboard controller at ports 60h and 64h with a keyboard (IRQ 1) and a mouse (IRQ 12), as PS/2 firmware
/// programs it: controller commands, the A20 output and the reset pulse.
/// </summary>
public sealed class KeyboardController : IDevice, IPortHandler
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

    // Saved state.
    private readonly Ps2Keyboard _keyboard = new();
    private readonly Ps2Mouse _mouse = new();
    private readonly byte[] _ram = new byte[32];
    private Source _source;
    private byte _output;
    private byte _waiting;
    private bool _lastWasCommand;

    public KeyboardController(IoBus bus, Action<bool> irq1, Action<bool> irq12, A20Gate a20, Action reset)
    {
        ArgumentNullException.ThrowIfNull(bus);
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
        _a20.FromKeyboardController = true;
        UpdateIrqs();
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
            Put(Source.Keyboard, _keyboard.Take());
        }
        else if (_mouse.HasData && (Control & ControlAuxiliaryOff) == 0)
        {
            Put(Source.Auxiliary, _mouse.Take());
        }
    }

    private void UpdateIrqs()
    {
        _irq1(_source is Source.Keyboard or Source.Controller && (Control & ControlKeyboardIrq) != 0);
        _irq12(_source is Source.Auxiliary or Source.ControllerAsAuxiliary && (Control & ControlAuxiliaryIrq) != 0);
    }
}
