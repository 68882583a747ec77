using System;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Virtio;

/// <summary>The entropy device (virtio 1.2, 5.4): pseudo-random bytes from the machine's seed, so that runs repeat.</summary>
internal sealed class VirtioRng : VirtioDevice
{
    /// <summary>Bytes given at once; more come in clock events.</summary>
    internal const int PieceBytes = 64 << 10;

    private const uint PciClass = 0x00FF00;
    private const int QueueSize = 64;

    /// <summary>What a request is given at most, where nobody says less.</summary>
    internal const int MostBytesPerRequest = 4096;

    // 2 GB/s.
    private const long PieceNanoseconds = PieceBytes / 2;

    // Fixed configuration.
    private readonly ulong _seed;
    private readonly int _mostBytes;

    // Runtime glue.
    [NotState("Within a request.")]
    private readonly byte[] _buffer = new byte[MostBytesPerRequest];

    // Volatile (saved) state.
    private readonly Xoshiro256 _random;
    private readonly QueueWork _work;

    /// <param name="memory">Guest memory.</param>
    /// <param name="clock">The machine's clock.</param>
    /// <param name="seed">Where the sequence begins.</param>
    /// <param name="mostBytes">Bytes given for a request at most: 1 to <see cref="MostBytesPerRequest"/>.</param>
    public VirtioRng(PhysicalMemory memory, MachineClock clock, ulong seed, int mostBytes = MostBytesPerRequest)
        : base(memory, VirtioDeviceType.Entropy, PciClass, 0, [], [QueueSize])
    {
        _seed = seed;
        _mostBytes = mostBytes;
        _random = new Xoshiro256(seed);
        _work = new QueueWork(clock, () => Notify(0), PieceBytes, PieceNanoseconds);
    }

    protected override void QueueNotified(int queue)
    {
        if (_work.IsPending)
        {
            return;
        }

        Virtqueue requests = Queue(queue);
        _work.Begin();
        while (!_work.IsSpent && requests.TryPop(out ushort head))
        {
            if (!requests.TryReadChain(head, Chain))
            {
                return;
            }

            // The device may give less than was asked for (5.4.6.1); the driver asks again.
            int count = (int)Math.Min(Chain.WritableBytes, _mostBytes);
            _random.Fill(_buffer.AsSpan(0, count));
            if (!Chain.Write(0, _buffer.AsSpan(0, count)))
            {
                Fail("queue 0: a buffer is outside RAM");
                return;
            }

            _work.TakeBytes(count);
            _work.TakeDescriptors(Chain.Count);
            requests.Push(head, (uint)count);
        }

        if (_work.IsSpent)
        {
            _work.GoOnLater();
        }
        else
        {
            requests.RequestNotification();
        }

        requests.Signal();
    }

    // A driver's reset goes on with the sequence.
    protected override void StopQueue(int queue) => _work.Stop();

    protected override void PowerOnDevice() => _random.Seed(_seed);

    protected override void DescribeDevice(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Part("xoshiro256", _random);
        _work.Describe(visitor, "work");
    }
}
