using System;
using VirtShell.Cpu.Memory;
using VirtShell.State;

namespace VirtShell.Machine.Virtio;

/// <summary>The entropy device (virtio 1.2, 5.4): pseudo-random bytes from the machine's seed, so that runs repeat.</summary>
public sealed class VirtioRng : VirtioDevice
{
    private const uint PciClass = 0x00FF00;
    private const int QueueSize = 64;
    private const int BytesPerRequest = 4096;

    // Fixed configuration.
    private readonly ulong _seed;

    // Runtime glue.
    private readonly byte[] _buffer = new byte[BytesPerRequest];

    // Volatile (saved) state.
    private readonly Xoshiro256 _random;

    public VirtioRng(PhysicalMemory memory, ulong seed)
        : base(memory, VirtioDeviceType.Entropy, PciClass, 0, [], [QueueSize])
    {
        _seed = seed;
        _random = new Xoshiro256(seed);
    }

    protected override void QueueNotified(int queue)
    {
        Virtqueue requests = Queue(queue);
        for (int i = 0; i < requests.Size && requests.TryPop(out ushort head); i++)
        {
            if (!requests.TryReadChain(head, Chain))
            {
                return;
            }

            // The device may give less than was asked for (5.4.6.1); the driver asks again.
            int count = (int)Math.Min(Chain.WritableBytes, BytesPerRequest);
            _random.Fill(_buffer.AsSpan(0, count));
            if (!Chain.Write(0, _buffer.AsSpan(0, count)))
            {
                Fail("queue 0: a buffer is outside RAM");
                return;
            }

            requests.Push(head, (uint)count);
        }

        requests.RequestNotification();
        requests.Signal();
    }

    // A driver's reset goes on with the sequence.
    protected override void ResetDevice()
    {
    }

    protected override void PowerOnDevice() => _random.Seed(_seed);

    protected override void SaveDevice(StateWriter writer) => _random.Save(writer);

    protected override void LoadDevice(StateReader reader) => _random.Load(reader);
}
