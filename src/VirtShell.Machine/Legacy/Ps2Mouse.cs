using VirtShell.State;

namespace VirtShell.Machine.Legacy;

/// <summary>A two-button PS/2 mouse at rest: answers what drivers ask.</summary>
internal sealed class Ps2Mouse : Ps2Device
{
    private const byte ScalingOneToOne = 0xE6;
    private const byte ScalingTwoToOne = 0xE7;
    private const byte SetResolution = 0xE8;
    private const byte StatusRequest = 0xE9;
    private const byte StreamMode = 0xEA;
    private const byte ReadData = 0xEB;
    private const byte ResetWrap = 0xEC;
    private const byte RemoteMode = 0xF0;
    private const byte Identify = 0xF2;
    private const byte SetSampleRate = 0xF3;
    private const byte Enable = 0xF4;
    private const byte Disable = 0xF5;
    private const byte SetDefaults = 0xF6;
    private const byte ResetCommand = 0xFF;
    private const byte DeviceId = 0x00;

    // Saved state.
    private byte _resolution = 2;
    private byte _sampleRate = 100;
    private bool _doubled;
    private bool _remote;
    private bool _enabled;

    public override void Reset()
    {
        base.Reset();
        SetToDefaults();
    }

    protected override void Command(byte command)
    {
        switch (command)
        {
            case ScalingOneToOne or ScalingTwoToOne:
                _doubled = command == ScalingTwoToOne;
                Queue(Acknowledge);
                break;
            case SetResolution or SetSampleRate:
                Expecting = command;
                Queue(Acknowledge);
                break;
            case StatusRequest:
                Queue(Acknowledge, (byte)((_remote ? 0x40 : 0) | (_enabled ? 0x20 : 0) | (_doubled ? 0x10 : 0)), _resolution, _sampleRate);
                break;
            case StreamMode or RemoteMode:
                _remote = command == RemoteMode;
                Queue(Acknowledge);
                break;
            case ReadData:
                // No button, no movement; bit 3 is always set.
                Queue(Acknowledge, 0x08, 0, 0);
                break;
            case ResetWrap:
                Queue(Acknowledge);
                break;
            case Identify:
                Queue(Acknowledge, DeviceId);
                break;
            case Enable or Disable:
                _enabled = command == Enable;
                Queue(Acknowledge);
                break;
            case SetDefaults:
                SetToDefaults();
                Queue(Acknowledge);
                break;
            case ResetCommand:
                SetToDefaults();
                Queue(Acknowledge, SelfTestPassed, DeviceId);
                break;
            default:
                Queue(Resend);
                break;
        }
    }

    protected override void Argument(byte command, byte value)
    {
        if (command == SetResolution)
        {
            _resolution = (byte)(value & 3);
        }
        else
        {
            _sampleRate = value;
        }

        Queue(Acknowledge);
    }

    protected override void DescribeFields(StateVisitor visitor)
    {
        visitor.Value("resolution", ref _resolution);
        visitor.Value("sample-rate", ref _sampleRate);
        visitor.Value("doubled", ref _doubled);
        visitor.Value("remote", ref _remote);
        visitor.Value("enabled", ref _enabled);
    }

    private void SetToDefaults()
    {
        _resolution = 2;
        _sampleRate = 100;
        _doubled = _remote = _enabled = false;
    }
}
