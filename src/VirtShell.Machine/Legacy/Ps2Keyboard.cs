using System;
using System.Collections.Generic;
using VirtShell.Machine.Input;
using VirtShell.State;

namespace VirtShell.Machine.Legacy;

/// <summary>An MF2 keyboard: scan code sets 1 to 3, repeating keys, lights (IBM PS/2 Hardware Interface Technical Reference, Keyboard).</summary>
internal sealed class Ps2Keyboard : Ps2Device
{
    /// <summary>Keys that may wait to go down or up.</summary>
    public const int MostWaiting = 65_536;

    private const byte SetLeds = 0xED;
    private const byte Echo = 0xEE;
    private const byte ScanCodeSet = 0xF0;
    private const byte Identify = 0xF2;
    private const byte SetTypematic = 0xF3;
    private const byte Enable = 0xF4;
    private const byte Disable = 0xF5;
    private const byte SetDefaults = 0xF6;

    // Set 3 alone: how all keys behave, then how one does.
    private const byte AllRepeat = 0xF7;
    private const byte AllBreak = 0xF8;
    private const byte AllMake = 0xF9;
    private const byte AllRepeatAndBreak = 0xFA;
    private const byte KeyRepeats = 0xFB;
    private const byte KeyBreaks = 0xFC;
    private const byte KeyMakes = 0xFD;
    private const byte ResetCommand = 0xFF;

    private const byte StandardTypematic = 0x2B;
    private const byte Up = 0x80;
    private const byte NoKey = 0xFF;
    private const byte Repeats = 1;
    private const byte Breaks = 2;
    private const long DelayStep = 250_000_000;
    private const long PeriodStep = 4_170_000;

    // Saved state.
    private readonly Queue<byte> _waiting = new();
    private readonly byte[] _behaviour = new byte[256];
    private byte _scanCodeSet = 2;
    private byte _leds;
    private bool _enabled = true;
    private byte _typematic = StandardTypematic;
    private byte _held = NoKey;

    /// <summary>Bit 0 scroll lock, bit 1 num lock, bit 2 caps lock.</summary>
    public int Leds => _leds;

    public int Waiting => _waiting.Count;

    /// <summary>Whether all that it had to tell was taken.</summary>
    public bool IsIdle => _waiting.Count == 0 && !HasReport;

    /// <summary>Whether the next key may be told.</summary>
    public bool CanTell => _enabled && _waiting.Count > 0 && !HasReport;

    /// <summary>Nanoseconds for which a key is held before it repeats.</summary>
    public long RepeatDelay => (((_typematic >> 5) & 3) + 1) * DelayStep;

    /// <summary>Nanoseconds from one repetition to the next.</summary>
    public long RepeatPeriod => (8L + (_typematic & 7)) * (1 << ((_typematic >> 3) & 3)) * PeriodStep;

    /// <summary>Whether a key is down that repeats.</summary>
    public bool IsHeld => _held != NoKey;

    public void QueueKey(PcKey key, bool isDown) => _waiting.Enqueue((byte)((int)key | (isDown ? 0 : Up)));

    /// <summary>Tells the next key that waits.</summary>
    public void Tell()
    {
        byte next = _waiting.Dequeue();
        PcKey key = (PcKey)(next & ~Up);
        bool isDown = (next & Up) == 0;
        _held = isDown && key != PcKey.Pause && Behaves(key, Repeats) ? (byte)key : _held == (byte)key ? NoKey : _held;
        if (isDown || Behaves(key, Breaks))
        {
            ReportKey(key, isDown);
        }
    }

    /// <summary>Tells the key that is held once more, unless the guest is behind.</summary>
    public void Repeat()
    {
        if (_enabled && _waiting.Count == 0 && !HasReport)
        {
            ReportKey((PcKey)_held, isDown: true);
        }
    }

    public override void Reset()
    {
        base.Reset();
        SetToDefaults();
        _waiting.Clear();
        _leds = 0;
    }

    protected override void Command(byte command)
    {
        switch (command)
        {
            case SetLeds or ScanCodeSet or SetTypematic or KeyRepeats or KeyBreaks or KeyMakes:
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
                DropReports();
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
            case >= AllRepeat and <= AllRepeatAndBreak:
                Array.Fill(_behaviour, BehaviourOf(command));
                Queue(Acknowledge);
                break;
            case ResetCommand:
                SetToDefaults();
                _leds = 0;
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
        switch (command)
        {
            case SetLeds:
                _leds = (byte)(value & 7);
                break;
            case ScanCodeSet when value == 0:
                Queue(_scanCodeSet);
                break;
            case ScanCodeSet when value <= 3:
                _scanCodeSet = value;
                DropReports();
                break;
            case SetTypematic:
                _typematic = (byte)(value & 0x7F);
                break;
            case KeyRepeats or KeyBreaks or KeyMakes:
                _behaviour[value] = command == KeyRepeats ? Repeats : command == KeyBreaks ? Breaks : (byte)0;
                break;
            default:
                break;
        }
    }

    protected override void DescribeFields(StateVisitor visitor)
    {
        visitor.Value("scan-code-set", ref _scanCodeSet);
        visitor.Value("leds", ref _leds);
        visitor.Value("enabled", ref _enabled);
    }

    protected override void DescribeInput(StateVisitor visitor)
    {
        visitor.Queue("waiting-keys", _waiting, MostWaiting);
        visitor.Array("set-3-behaviour", _behaviour.AsSpan());
        visitor.Value("typematic", ref _typematic, 0x7F);
        visitor.Value("held", ref _held);
        if (visitor.IsLoading)
        {
            _scanCodeSet = (byte)Math.Clamp((int)_scanCodeSet, 1, 3);
            _held = _held < ScanCodes.KeyCount ? _held : NoKey;
            for (int i = 0; i < _waiting.Count; i++)
            {
                // In order, once around: keys that do not exist are none.
                byte next = _waiting.Dequeue();
                _waiting.Enqueue((next & ~Up) < ScanCodes.KeyCount ? next : (byte)((int)PcKey.Pause | Up));
            }
        }
    }

    private static byte BehaviourOf(byte command) => command switch
    {
        AllRepeat => Repeats,
        AllBreak => Breaks,
        AllMake => 0,
        _ => Repeats | Breaks,
    };

    // Sets 1 and 2 do not know of it: every key repeats and is told when it goes up.
    private bool Behaves(PcKey key, byte how) => _scanCodeSet != 3 || (_behaviour[ScanCodes.Set3(key)] & how) != 0;

    private void ReportKey(PcKey key, bool isDown)
    {
        Span<byte> codes = stackalloc byte[ScanCodes.Longest];
        Report(codes[..ScanCodes.Write(key, isDown, _scanCodeSet, codes)]);
    }

    private void SetToDefaults()
    {
        _scanCodeSet = 2;
        _enabled = true;
        _typematic = StandardTypematic;
        _held = NoKey;
        Array.Fill(_behaviour, (byte)(Repeats | Breaks));
        DropReports();
    }
}
