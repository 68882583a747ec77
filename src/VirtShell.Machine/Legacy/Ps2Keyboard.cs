using VirtShell.State;

namespace VirtShell.Machine.Legacy;

/// <summary>An MF2 keyboard: answers what drivers ask. Nobody types on it yet.</summary>
internal sealed class Ps2Keyboard : Ps2Device
{
    private const byte SetLeds = 0xED;
    private const byte Echo = 0xEE;
    private const byte ScanCodeSet = 0xF0;
    private const byte Identify = 0xF2;
    private const byte SetTypematic = 0xF3;
    private const byte Enable = 0xF4;
    private const byte Disable = 0xF5;
    private const byte SetDefaults = 0xF6;
    private const byte FirstSet3Command = 0xF7;
    private const byte LastSet3Command = 0xFD;
    private const byte ResetCommand = 0xFF;

    // Saved state.
    private byte _scanCodeSet = 2;
    private byte _leds;
    private bool _enabled = true;

    public override void Reset()
    {
        base.Reset();
        SetToDefaults();
    }

    protected override void Command(byte command)
    {
        switch (command)
        {
            case SetLeds or ScanCodeSet or SetTypematic:
                Expecting = command;
                Queue(Acknowledge);
                break;
            case Echo:
                Queue(Echo);
                break;
            case Identify:
                Queue(Acknowledge, 0xAB, 0x83);
                break;
            case Enable:
                _enabled = true;
                Queue(Acknowledge);
                break;
            case Disable:
                SetToDefaults();
                _enabled = false;
                Queue(Acknowledge);
                break;
            case SetDefaults:
                SetToDefaults();
                Queue(Acknowledge);
                break;
            case >= FirstSet3Command and <= LastSet3Command:
                Queue(Acknowledge);
                break;
            case ResetCommand:
                SetToDefaults();
                Queue(Acknowledge, SelfTestPassed);
                break;
            default:
                Queue(Resend);
                break;
        }
    }

    protected override void Argument(byte command, byte value)
    {
        Queue(Acknowledge);
        if (command == SetLeds)
        {
            _leds = (byte)(value & 7);
        }
        else if (command == ScanCodeSet)
        {
            if (value == 0)
            {
                Queue(_scanCodeSet);
            }
            else if (value <= 3)
            {
                _scanCodeSet = value;
            }
        }
    }

    protected override void DescribeFields(StateVisitor visitor)
    {
        visitor.Value("scan-code-set", ref _scanCodeSet);
        visitor.Value("leds", ref _leds);
        visitor.Value("enabled", ref _enabled);
    }

    private void SetToDefaults()
    {
        _scanCodeSet = 2;
        _leds = 0;
        _enabled = true;
    }
}
