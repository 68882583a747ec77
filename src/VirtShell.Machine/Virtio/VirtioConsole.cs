using System;
using System.Collections.Generic;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Virtio;

/// <summary>The console device with one port (virtio 1.2, 5.3): receive queue 0, transmit queue 1, emergency write.</summary>
public sealed class VirtioConsole : VirtioDevice
{
    private const uint PciClass = 0x078000;
    private const int QueueSize = 64;
    private const int ReceiveQueue = 0;
    private const int TransmitQueue = 1;
    private const ulong FeatureEmergencyWrite = 1UL << 2;

    // struct virtio_console_config (5.3.4).
    private const int ConfigSize = 12;
    private const int ConfigEmergencyWrite = 8;

    /// <summary>Guest time from the driver's start until input reaches it: Linux throws away what comes before it has made its terminal.</summary>
    private const long OpenNanoseconds = 100_000_000;

    // Runtime glue.
    private readonly Action<byte> _output;
    private readonly MachineClock _clock;
    private readonly TimerEvent _opening;
    private bool _transmitting;
    private readonly byte[] _buffer = new byte[4096];

    // Volatile (saved) state, besides the event.
    private readonly Queue<byte> _input = new();
    private bool _isOpen;

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
    }

    /// <summary>Bytes that the guest has not taken yet.</summary>
    public int PendingInput => _input.Count;

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

    protected override void QueueNotified(int queue)
    {
        if (queue == TransmitQueue)
        {
            _transmitting = true;
            try
            {
                Transmit(Queue(TransmitQueue));
            }
            finally
            {
                _transmitting = false;
            }

            Notify(ReceiveQueue);
        }
        else if (_isOpen)
        {
            Receive(Queue(ReceiveQueue));
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

    // A driver's reset keeps what waits for it.
    protected override void ResetDevice()
    {
        _clock.Cancel(_opening);
        _isOpen = false;
    }

    protected override void PowerOnDevice() => _input.Clear();

    protected override void SaveDevice(StateWriter writer)
    {
        writer.Write("input", _input.ToArray());
        writer.Write("open", _isOpen);
        _opening.Save(writer, "opening");
    }

    protected override void LoadDevice(StateReader reader)
    {
        _input.Clear();
        foreach (byte value in reader.ReadBytes("input"))
        {
            _input.Enqueue(value);
        }

        _isOpen = reader.ReadBoolean("open");
        _opening.Load(reader, "opening", _clock);
    }

    private void Open()
    {
        _isOpen = true;
        Notify(ReceiveQueue);
    }

    private void Receive(Virtqueue queue)
    {
        for (int i = 0; i < queue.Size && _input.Count > 0 && queue.TryPop(out ushort head); i++)
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

            queue.Push(head, (uint)count);
        }

        // Buffers that wait for input need no notification; more buffers for input that waits do.
        if (_input.Count > 0)
        {
            queue.RequestNotification();
        }

        queue.Signal();
    }

    private void Transmit(Virtqueue queue)
    {
        for (int i = 0; i < queue.Size && queue.TryPop(out ushort head); i++)
        {
            if (!queue.TryReadChain(head, Chain))
            {
                return;
            }

            for (long done = 0; done < Chain.ReadableBytes;)
            {
                Span<byte> part = _buffer.AsSpan(0, (int)Math.Min(_buffer.Length, Chain.ReadableBytes - done));
                if (!Chain.Read(done, part))
                {
                    Fail("queue 1: a buffer is outside RAM");
                    return;
                }

                foreach (byte value in part)
                {
                    _output(value);
                }

                done += part.Length;
            }

            queue.Push(head, 0);
        }

        queue.RequestNotification();
        queue.Signal();
    }
}
