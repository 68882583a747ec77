using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using VirtShell.Machine.Input;
using VirtShell.State;

namespace VirtShell.Machine.Legacy;

/// <summary>A PS/2 mouse (IBM PS/2 Hardware Interface Technical Reference, Mouse); where it has a wheel, guests that ask as drivers of wheel mice do get packets with a wheel, or with five buttons as well.</summary>
internal sealed class Ps2Mouse : Ps2Device
{
    /// <summary>Movements and presses that may wait.</summary>
    public const int MostWaiting = 4096;

    private const byte ScalingOneToOne = 0xE6;
    private const byte ScalingTwoToOne = 0xE7;
    private const byte SetResolution = 0xE8;
    private const byte StatusRequest = 0xE9;
    private const byte StreamMode = 0xEA;
    private const byte ReadData = 0xEB;
    private const byte ResetWrap = 0xEC;
    private const byte WrapMode = 0xEE;
    private const byte RemoteMode = 0xF0;
    private const byte Identify = 0xF2;
    private const byte SetSampleRate = 0xF3;
    private const byte Enable = 0xF4;
    private const byte Disable = 0xF5;
    private const byte SetDefaults = 0xF6;
    private const byte ResetCommand = 0xFF;
    private const byte PlainId = 0;
    private const byte WheelId = 3;
    private const byte FiveButtonId = 4;

    // Sample rates, the last three, by which a driver asks for more.
    private const uint AsksForWheel = 0xC86450;
    private const uint AsksForFiveButtons = 0xC8C850;
    private const uint RateMask = 0xFF_FFFF;

    private const byte AlwaysOne = 0x08;
    private const int LargestStep = 255;
    private const int LargestWheelStep = 7;
    private const long Second = 1_000_000_000;

    // Fixed configuration.
    private readonly bool _hasWheel;

    // Saved state.
    private readonly Queue<MouseMove> _waiting = new();
    private byte _resolution = 2;
    private byte _sampleRate = 100;
    private bool _doubled;
    private bool _remote;
    private bool _enabled;
    private bool _wraps;
    private byte _id;
    private uint _rates;
    private int _x;
    private int _y;
    private int _wheel;
    private byte _buttons;
    private bool _changed;

    public Ps2Mouse(bool hasWheel) => _hasWheel = hasWheel;

    public int Waiting => _waiting.Count;

    public bool IsIdle => (_waiting.Count == 0 && !_changed && !HasReport) || !Tells;

    /// <summary>Whether the next packet may be told.</summary>
    public bool CanTell => Tells && !HasReport && (_changed || _waiting.Count > 0);

    /// <summary>Nanoseconds from one packet to the next.</summary>
    public long Period => Second / Math.Max((int)_sampleRate, 10);

    private bool Tells => _enabled && !_remote && !_wraps;

    /// <summary>Takes a movement, or the buttons from now on; a mouse that nobody listens to remembers the buttons alone.</summary>
    public void QueueMove(int x, int y, int wheel, int? buttons)
    {
        MouseMove move = new((short)x, (short)y, (short)wheel, (short)(buttons ?? -1));
        if (_enabled && !_wraps)
        {
            _waiting.Enqueue(move);
        }
        else
        {
            _buttons = (byte)(buttons ?? _buttons);
        }
    }

    /// <summary>Tells one packet.</summary>
    public void Tell()
    {
        if (!_changed)
        {
            Take(_waiting.Dequeue());
        }

        Span<byte> packet = stackalloc byte[4];
        Report(packet[..Fill(packet)]);
    }

    public override void Reset()
    {
        base.Reset();
        SetToDefaults();
        _waiting.Clear();
        _buttons = _id = 0;
        _wraps = false;
        _rates = 0;
    }

    protected override void Command(byte command)
    {
        if (_wraps && command is not (ResetWrap or ResetCommand))
        {
            Queue(command);
            return;
        }

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
                int status = (_remote ? 0x40 : 0) | (_enabled ? 0x20 : 0) | (_doubled ? 0x10 : 0) | ((_buttons & 1) << 2) | ((_buttons & 4) >> 1) | ((_buttons & 2) >> 1);
                Queue(Acknowledge, (byte)status, _resolution, _sampleRate);
                break;
            case StreamMode or RemoteMode:
                _remote = command == RemoteMode;
                DropReports();
                Queue(Acknowledge);
                break;
            case ReadData:
                while (_waiting.Count > 0)
                {
                    Take(_waiting.Dequeue());
                }

                Span<byte> packet = stackalloc byte[4];
                int length = Fill(packet);
                Queue(Acknowledge);
                Queue(packet[..length]);
                break;
            case ResetWrap or WrapMode:
                _wraps = command == WrapMode;
                DropReports();
                Queue(Acknowledge);
                break;
            case Identify:
                Queue(Acknowledge, _id);
                break;
            case Enable or Disable:
                _enabled = command == Enable;
                Forget();
                Queue(Acknowledge);
                break;
            case SetDefaults:
                SetToDefaults();
                Queue(Acknowledge);
                break;
            case ResetCommand:
                SetToDefaults();
                _wraps = false;
                _id = PlainId;
                _rates = 0;
                Queue(Acknowledge, SelfTestPassed, PlainId);
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
            _rates = ((_rates << 8) | value) & RateMask;
            _id = _hasWheel && _rates == AsksForWheel ? WheelId : _hasWheel && _rates == AsksForFiveButtons ? FiveButtonId : _id;
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

    protected override void DescribeInput(StateVisitor visitor)
    {
        int step = Marshal.SizeOf<MouseMove>();
        byte[] waiting = visitor.IsLoading ? [] : MemoryMarshal.AsBytes(_waiting.ToArray().AsSpan()).ToArray();
        if (visitor.Bytes("waiting-moves", ref waiting, MostWaiting * step))
        {
            _waiting.Clear();
            foreach (MouseMove move in MemoryMarshal.Cast<byte, MouseMove>(waiting))
            {
                _waiting.Enqueue(move);
            }
        }

        visitor.Value("wraps", ref _wraps);
        visitor.Value("id", ref _id);
        visitor.Value("rates", ref _rates, RateMask);
        visitor.Clamped("x", ref _x, -MachineMouse.MostCounts, MachineMouse.MostCounts);
        visitor.Clamped("y", ref _y, -MachineMouse.MostCounts, MachineMouse.MostCounts);
        visitor.Clamped("wheel", ref _wheel, -MachineMouse.MostCounts, MachineMouse.MostCounts);
        visitor.Value("buttons", ref _buttons, 0x1F);
        visitor.Value("changed", ref _changed);
    }

    private void Take(MouseMove move)
    {
        _x = Math.Clamp(_x + move.X, -MachineMouse.MostCounts, MachineMouse.MostCounts);
        _y = Math.Clamp(_y + move.Y, -MachineMouse.MostCounts, MachineMouse.MostCounts);
        _wheel = Math.Clamp(_wheel + move.Wheel, -MachineMouse.MostCounts, MachineMouse.MostCounts);
        _buttons = move.Buttons >= 0 ? (byte)(move.Buttons & 0x1F) : _buttons;
    }

    // A packet of what has gathered, as much as one holds; up is positive to a guest.
    private int Fill(Span<byte> packet)
    {
        int x = Math.Clamp(_x, -LargestStep, LargestStep);
        int y = Math.Clamp(-_y, -LargestStep, LargestStep);
        int wheel = _id == PlainId ? _wheel : Math.Clamp(_wheel, -LargestWheelStep, LargestWheelStep);
        _x -= x;
        _y += y;
        _wheel -= wheel;
        _changed = _x != 0 || _y != 0 || _wheel != 0;
        if (_doubled && !_remote)
        {
            x = Scale(x);
            y = Scale(y);
        }

        packet[0] = (byte)(AlwaysOne | (_buttons & 7) | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0));
        packet[1] = (byte)x;
        packet[2] = (byte)y;
        if (_id == PlainId)
        {
            return 3;
        }

        packet[3] = (byte)(_id == WheelId ? wheel : (wheel & 0xF) | ((_buttons & 0x18) << 1));
        return 4;
    }

    private static int Scale(int count)
    {
        ReadOnlySpan<byte> small = [0, 1, 1, 3, 6, 9];
        int distance = Math.Abs(count);
        int scaled = distance < small.Length ? small[distance] : Math.Min(2 * distance, LargestStep);
        return count < 0 ? -scaled : scaled;
    }

    private void Forget()
    {
        _x = _y = _wheel = 0;
        _changed = false;
        _waiting.Clear();
        DropReports();
    }

    private void SetToDefaults()
    {
        _resolution = 2;
        _sampleRate = 100;
        _doubled = _remote = _enabled = false;
        Forget();
    }

    private readonly record struct MouseMove(short X, short Y, short Wheel, short Buttons);
}
