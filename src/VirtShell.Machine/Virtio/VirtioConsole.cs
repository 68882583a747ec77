using System;
using System.Collections.Generic;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Virtio;

/// <summary>The console device with one port (virtio 1.2, 5.3): receive queue 0, transmit queue 1, emergency write.</summary>
internal sealed class VirtioConsole : VirtioDevice, IOutletInput
{
    private const uint PciClass = 0x078000;
    private const int QueueSize = 64;
    private const int ReceiveQueue = 0;
    private const int TransmitQueue = 1;
    private const ulong FeatureEmergencyWrite = 1UL << 2;

    // struct virtio_console_config (5.3.4).
    private const int ConfigSize = 12;
    private const int ConfigEmergencyWrite = 8;

    /// <summary>Bytes of output at once: each goes through logs, the watch for panics and maybe a suite's driver.</summary>
    internal const int OutputPieceBytes = 4096;

    /// <summary>Bytes of input at once.</summary>
    internal const int InputPieceBytes = 16 << 10;

    // 100 MB/s out, which is about what the host makes of it, and 2 GB/s in.
    private const long OutputPieceNanoseconds = OutputPieceBytes * 10;
    private const long InputPieceNanoseconds = InputPieceBytes / 2;

    /// <summary>Guest time from the driver's start until input reaches it: Linux throws away what comes before it has made its terminal.</summary>
    private const long OpenNanoseconds = 100_000_000;

    // Runtime glue.
    private readonly Action<byte> _output;
    private readonly MachineClock _clock;
    private readonly TimerEvent _opening;
    [NotState("Within a piece of output.")]
    private bool _transmitting;
    [NotState("Within a piece of input or output.")]
    private readonly byte[] _buffer = new byte[OutputPieceBytes];

    // Volatile (saved) state, besides the events.
    private readonly QueueWork _sending;
    private readonly QueueWork _receiving;
    private readonly Queue<byte> _input = new();
    private bool _isOpen;

    // The request of which some bytes have been sent.
    private bool _hasInHand;
    private ushort _head;
    private long _sent;

    /// <param name="memory">Guest memory.</param>
    /// <param name="clock">The machine's clock.</param>
    /// <param name="output">Called for each byte that the guest sends; may call <see cref="Send"/>.</param>
    public VirtioConsole(PhysicalMemory memory, MachineClock clock, Action<byte> output)
        : base(memory, VirtioDeviceType.Console, PciClass, FeatureEmergencyWrite, new byte[ConfigSize], [QueueSize, QueueSize])
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(output);
        _output = output;
        _clock = clock;
        _opening = new TimerEvent(Open);
        _sending = new QueueWork(clock, () => Notify(TransmitQueue), OutputPieceBytes, OutputPieceNanoseconds);
        _receiving = new QueueWork(clock, () => Notify(ReceiveQueue), InputPieceBytes, InputPieceNanoseconds);
    }

    /// <summary>Bytes that the guest has not taken yet.</summary>
    public int PendingInput => _input.Count;

    /// <summary>Always: it loses nothing that comes early.</summary>
    public bool IsListening => true;

    /// <summary>Queues bytes for the guest; they wait until it gives buffers for them.</summary>
    public void Send(ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
        {
            _input.Enqueue(value);
        }

        // An answer given from within the output: the request in hand comes first.
        if (!_transmitting)
        {
            Notify(ReceiveQueue);
        }
    }

    /// <summary>Sends the next piece of what the guest has handed over, at once: for a machine that stops. Gives whether there was one.</summary>
    public bool TrySendMore()
    {
        if (!_sending.IsPending)
        {
            return false;
        }

        _sending.Stop();
        Notify(TransmitQueue);
        return true;
    }

    protected override void QueueNotified(int queue)
    {
        if ((queue == TransmitQueue ? _sending : _receiving).IsPending)
        {
            return;
        }

        if (queue == TransmitQueue)
        {
            _transmitting = true;
            try
            {
                Transmit();
            }
            finally
            {
                _transmitting = false;
            }

            Notify(ReceiveQueue);
        }
        else if (_isOpen)
        {
            Receive();
        }
        else if (!_opening.IsScheduled)
        {
            _clock.ScheduleAfter(_opening, OpenNanoseconds);
        }
    }

    protected override void ConfigWritten(int offset, int size, uint value)
    {
        if (offset == ConfigEmergencyWrite)
        {
            _output((byte)value);
        }
    }

    protected override void StopQueue(int queue)
    {
        if (queue == TransmitQueue)
        {
            _sending.Stop();
            _hasInHand = false;
            _head = 0;
            _sent = 0;
        }
        else
        {
            _receiving.Stop();
        }
    }

    // A driver's reset keeps what waits for it.
    protected override void ResetDevice()
    {
        _clock.Cancel(_opening);
        _isOpen = false;
    }

    protected override void PowerOnDevice() => _input.Clear();

    protected override void DescribeDevice(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Queue("input", _input, int.MaxValue);
        visitor.Value("open", ref _isOpen);
        _opening.Describe(visitor, "opening", _clock);
        visitor.Value("in-hand", ref _hasInHand);
        visitor.Value("head", ref _head);
        visitor.Value("sent", ref _sent);
        if (visitor.IsLoading && (_head >= Queue(TransmitQueue).MaximumSize || _sent < 0))
        {
            throw visitor.Damaged($"'{visitor.Path}' is at byte {_sent} of the request from descriptor {_head}.");
        }

        _sending.Describe(visitor, "sending");
        _receiving.Describe(visitor, "receiving");
    }

    private void Open()
    {
        _isOpen = true;
        Notify(ReceiveQueue);
    }

    private void Receive()
    {
        Virtqueue queue = Queue(ReceiveQueue);
        _receiving.Begin();
        while (!_receiving.IsSpent && _input.Count > 0 && queue.TryPop(out ushort head))
        {
            if (!queue.TryReadChain(head, Chain))
            {
                return;
            }

            int count = (int)Math.Min(Math.Min(Chain.WritableBytes, _input.Count), _buffer.Length);
            for (int at = 0; at < count; at++)
            {
                _buffer[at] = _input.Dequeue();
            }

            if (!Chain.Write(0, _buffer.AsSpan(0, count)))
            {
                Fail("queue 0: a buffer is outside RAM");
                return;
            }

            _receiving.TakeBytes(count);
            _receiving.TakeDescriptors(Chain.Count);
            queue.Push(head, (uint)count);
        }

        if (_receiving.IsSpent && _input.Count > 0)
        {
            _receiving.GoOnLater();
        }
        else if (_input.Count > 0)
        {
            // Buffers that wait for input need no notification; more buffers for input that waits do.
            queue.RequestNotification();
        }

        queue.Signal();
    }

    private void Transmit()
    {
        Virtqueue queue = Queue(TransmitQueue);
        _sending.Begin();
        while (!_sending.IsSpent && TryTakeInHand(queue))
        {
            // Read anew for each piece: the guest may have changed it, and saved state need not have it.
            if (!queue.TryReadChain(_head, Chain))
            {
                return;
            }

            _sending.TakeDescriptors(Chain.Count);
            int count = (int)Math.Clamp(Chain.ReadableBytes - _sent, 0, _sending.BytesLeft);
            Span<byte> part = _buffer.AsSpan(0, count);
            if (!Chain.Read(Math.Min(_sent, Chain.ReadableBytes), part))
            {
                Fail("queue 1: a buffer is outside RAM");
                return;
            }

            foreach (byte value in part)
            {
                _output(value);
            }

            _sending.TakeBytes(count);
            _sent += count;
            if (_sent >= Chain.ReadableBytes)
            {
                _hasInHand = false;
                queue.Push(_head, 0);
            }
        }

        if (_sending.IsSpent)
        {
            _sending.GoOnLater();
        }
        else
        {
            queue.RequestNotification();
        }

        queue.Signal();
    }

    private bool TryTakeInHand(Virtqueue queue)
    {
        if (!_hasInHand && queue.TryPop(out ushort head))
        {
            _hasInHand = true;
            _head = head;
            _sent = 0;
        }

        return _hasInHand;
    }
}
