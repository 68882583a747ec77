using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Bus;
using VirtShell.State;
using VirtShell.Storage;

namespace VirtShell.Machine.Virtio;

/// <summary>
/// The block device (virtio 1.2, 5.2) over an <see cref="IBlockDevice"/>. Requests complete in order, as clock events after a
/// modelled latency, so that when they do depends on the guest alone. Buffers are read and written in pieces, each an event,
/// of which the last comes with the completion.
/// </summary>
internal sealed class VirtioBlock : VirtioDevice
{
    /// <summary>Guest time from a request to its completion, before the time for its bytes.</summary>
    public const long LatencyNanoseconds = 20_000;

    /// <summary>Guest time of a flush.</summary>
    public const long FlushNanoseconds = 50_000;

    /// <summary>How many bytes the modelled device moves in a nanosecond (2 GB/s).</summary>
    public const long BytesPerNanosecond = 2;

    /// <summary>Bytes of a transfer at once; more move in further clock events.</summary>
    internal const int PieceBytes = 64 << 10;

    /// <summary>Bytes of a discard at once: a host gives back whole extents.</summary>
    internal const long DiscardPieceBytes = 16 << 20;

    /// <summary>Bytes of zeros at once: a host may have to write them.</summary>
    internal const long WriteZeroesPieceBytes = 1 << 20;

    private const uint PciClass = 0x010000;
    private const int QueueSize = 256;

    // A request in flight as it is saved: its first descriptor, and when it is due.
    private const int RequestBytes = sizeof(ushort) + sizeof(long);
    private const uint SegmentBytes = 64 << 10;

    // Room in the queue for the header's and the status' descriptors.
    private const uint Segments = QueueSize - 2;
    private const uint PhysicalBlockExponent = 3;
    private const uint MaxDiscardSectors = 1 << 22;
    private const uint MaxDiscardSegments = 16;
    private const uint MaxWriteZeroesSectors = 1 << 16;
    private const uint DiscardAlignmentSectors = 8;
    private const int SectorSize = BlockRange.SectorSize;

    // Fixed configuration.
    [NotState("Fixed when built.")]
    private readonly byte[] _id = new byte[VirtioBlockSpec.IdLength];

    // Runtime glue.
    private readonly IBlockDevice _disk;
    private readonly MachineClock _clock;
    private readonly TimerEvent _completion;
    [NotState("Within a piece of a request.")]
    private readonly byte[] _buffer = new byte[PieceBytes];
    [NotState("Within a piece of a request.")]
    private byte _status;

    // Volatile (saved) state, besides the event.
    private readonly QueueWork _accepting;
    private readonly Queue<Request> _inFlight = new();

    // Bytes of the request at the front that are done.
    private long _done;

    /// <param name="memory">Guest memory.</param>
    /// <param name="clock">The machine's clock.</param>
    /// <param name="disk">The content. Not disposed here.</param>
    /// <param name="serial">What GET_ID answers: the first 20 bytes count.</param>
    public VirtioBlock(PhysicalMemory memory, MachineClock clock, IBlockDevice disk, string serial)
        : base(memory, VirtioDeviceType.Block, PciClass, FeaturesOf(disk), ConfigOf(disk), [QueueSize])
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(serial);
        _disk = disk;
        _clock = clock;
        _completion = new TimerEvent(Complete);
        _accepting = new QueueWork(clock, () => Notify(0), int.MaxValue, LatencyNanoseconds);
        byte[] id = Encoding.UTF8.GetBytes(serial);
        id.AsSpan(0, Math.Min(id.Length, _id.Length)).CopyTo(_id);
    }

    /// <summary>Called when the image failed under a request, which the guest sees as an I/O error. On the running thread.</summary>
    public Action<StorageException>? Faulted { get; set; }

    /// <summary>Requests accepted and not completed yet.</summary>
    public int InFlight => _inFlight.Count;

    internal override long MaximumChainBytes => (Segments * (long)SegmentBytes) + (4 * SectorSize);

    protected override void QueueNotified(int queue)
    {
        if (!_accepting.IsPending)
        {
            Accept();
        }

        // Completions stopped where the guest took the device's access to memory away.
        if (!_completion.IsScheduled)
        {
            ScheduleFront();
        }
    }

    protected override void ConfigWritten(int offset, int size, uint value)
    {
        if (offset == VirtioBlockSpec.ConfigWriteback && size == 1 && Has(VirtioBlockSpec.FeatureConfigWce))
        {
            Config[offset] = (byte)(value & 1);
        }
    }

    protected override void StopQueue(int queue)
    {
        _clock.Cancel(_completion);
        _accepting.Stop();
        _inFlight.Clear();
        _done = 0;
    }

    protected override void DescribeDevice(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        DescribeRequests(visitor);
        visitor.Value("done", ref _done, min: 0);
        _completion.Describe(visitor, "completion", _clock);
        _accepting.Describe(visitor, "accepting");

        // Content of any size comes last, so that nothing is looked for beyond it.
        if (_disk is IStatefulBlockDevice stateful)
        {
            visitor.Part("disk", stateful, IStatefulBlockDevice.StateVersion);
        }
    }

    private void DescribeRequests(StateVisitor visitor)
    {
        byte[] requests = new byte[_inFlight.Count * RequestBytes];
        byte[] transfers = new byte[_inFlight.Count * sizeof(long)];
        int index = 0;
        foreach (Request request in _inFlight)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(requests.AsSpan(index * RequestBytes), request.Head);
            BinaryPrimitives.WriteInt64LittleEndian(requests.AsSpan((index * RequestBytes) + sizeof(ushort)), request.Due);
            BinaryPrimitives.WriteInt64LittleEndian(transfers.AsSpan(index++ * sizeof(long)), request.Bytes);
        }

        bool any = visitor.Bytes("in-flight", ref requests, QueueSize * RequestBytes);
        bool hasTransfers = visitor.Bytes("transfers", ref transfers, QueueSize * sizeof(long));
        if (!any)
        {
            return;
        }

        int count = requests.Length / RequestBytes;
        if (requests.Length % RequestBytes != 0 || (hasTransfers && transfers.Length != count * sizeof(long)))
        {
            throw visitor.Damaged($"'{visitor.Path}/in-flight' is {requests.Length} bytes long, 'transfers' {transfers.Length}.");
        }

        _inFlight.Clear();
        for (int i = 0; i < count; i++)
        {
            ushort head = BinaryPrimitives.ReadUInt16LittleEndian(requests.AsSpan(i * RequestBytes));
            if (head >= Queue(0).Size)
            {
                throw visitor.Damaged($"'{visitor.Path}/in-flight' names descriptor {head}.");
            }

            long bytes = hasTransfers ? BinaryPrimitives.ReadInt64LittleEndian(transfers.AsSpan(i * sizeof(long))) : 0;
            long due = BinaryPrimitives.ReadInt64LittleEndian(requests.AsSpan((i * RequestBytes) + sizeof(ushort)));
            _inFlight.Enqueue(new Request(head, due, Math.Clamp(bytes, 0, MaximumChainBytes)));
        }
    }

    private static ulong FeaturesOf(IBlockDevice disk)
    {
        ArgumentNullException.ThrowIfNull(disk);
        const ulong Always = VirtioBlockSpec.FeatureSizeMax | VirtioBlockSpec.FeatureSegMax | VirtioBlockSpec.FeatureBlockSize
            | VirtioBlockSpec.FeatureFlush | VirtioBlockSpec.FeatureTopology | VirtioBlockSpec.FeatureConfigWce;
        return Always | (disk.IsReadOnly ? VirtioBlockSpec.FeatureReadOnly : VirtioBlockSpec.FeatureDiscard | VirtioBlockSpec.FeatureWriteZeroes);
    }

    private static byte[] ConfigOf(IBlockDevice disk)
    {
        byte[] config = new byte[VirtioBlockSpec.ConfigLength];
        void Put(int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(config.AsSpan(offset), value);
        BinaryPrimitives.WriteInt64LittleEndian(config, disk.Length / SectorSize);
        Put(VirtioBlockSpec.ConfigSizeMax, SegmentBytes);
        Put(VirtioBlockSpec.ConfigSegMax, Segments);
        Put(VirtioBlockSpec.ConfigBlockSize, SectorSize);
        config[VirtioBlockSpec.ConfigPhysicalBlockExponent] = (byte)PhysicalBlockExponent;
        BinaryPrimitives.WriteUInt16LittleEndian(config.AsSpan(VirtioBlockSpec.ConfigMinimumIoSize), 1);
        Put(VirtioBlockSpec.ConfigOptimalIoSize, 0);
        config[VirtioBlockSpec.ConfigWriteback] = 1;
        if (!disk.IsReadOnly)
        {
            Put(VirtioBlockSpec.ConfigMaxDiscardSectors, MaxDiscardSectors);
            Put(VirtioBlockSpec.ConfigMaxDiscardSegments, MaxDiscardSegments);
            Put(VirtioBlockSpec.ConfigDiscardAlignment, DiscardAlignmentSectors);
            Put(VirtioBlockSpec.ConfigMaxWriteZeroesSectors, MaxWriteZeroesSectors);
            Put(VirtioBlockSpec.ConfigMaxWriteZeroesSegments, 1);
            config[VirtioBlockSpec.ConfigWriteZeroesMayUnmap] = 1;
        }

        return config;
    }

    // Takes what the driver made available and says when each will be done.
    private void Accept()
    {
        Virtqueue queue = Queue(0);
        long last = _clock.Now;
        foreach (Request request in _inFlight)
        {
            last = Math.Max(last, request.Due);
        }

        _accepting.Begin();
        while (!_accepting.IsSpent && _inFlight.Count < queue.Size && queue.TryPop(out ushort head))
        {
            if (!queue.TryReadChain(head, Chain))
            {
                return;
            }

            // The fixed part of the latency overlaps with other requests', the transfer does not.
            _accepting.TakeDescriptors(Chain.Count);
            long bytes = Chain.ReadableBytes + Chain.WritableBytes;
            long latency = ReadType() == VirtioBlockSpec.TypeFlush ? FlushNanoseconds : LatencyNanoseconds;
            last = Math.Max(last, _clock.Now + latency) + (bytes / BytesPerNanosecond);
            _inFlight.Enqueue(new Request(head, last, bytes));
        }

        if (_accepting.IsSpent)
        {
            _accepting.GoOnLater();
        }
        else
        {
            queue.RequestNotification();
        }
    }

    // The first piece of the request at the front begins so early that its last one is due when the request is.
    private void ScheduleFront()
    {
        if (_inFlight.TryPeek(out Request front))
        {
            SchedulePiece(front, front.Bytes - VirtioBlockSpec.HeaderLength - 1);
        }
    }

    // Never now: the processor gets its turn between two pieces, and a request to stop is seen.
    private void SchedulePiece(Request request, long bytesLeft)
    {
        long after = Math.Max(0, bytesLeft - 1) / PieceBytes * (PieceBytes / BytesPerNanosecond);
        _clock.Schedule(_completion, Math.Max(_clock.Now + 1, request.Due - after));
    }

    // One piece of the request at the front; with the last, its completion.
    private void Complete()
    {
        if (!IsRunning || !_inFlight.TryPeek(out Request request))
        {
            return;
        }

        // Read anew for each piece: the guest may have changed it, and saved state need not have it.
        Virtqueue queue = Queue(0);
        if (!queue.TryReadChain(request.Head, Chain) || !TryServe(out uint written, out long bytesLeft))
        {
            return;
        }

        if (bytesLeft > 0 || _clock.Now < request.Due)
        {
            SchedulePiece(request, bytesLeft);
            return;
        }

        if (!TryWriteStatus())
        {
            return;
        }

        _inFlight.Dequeue();
        _done = 0;
        queue.Push(request.Head, written + 1);
        Accept();
        ScheduleFront();
        queue.Signal();
    }

    private uint ReadType()
    {
        Span<byte> type = stackalloc byte[4];
        return Chain.Read(0, type) ? BinaryPrimitives.ReadUInt32LittleEndian(type) : 0;
    }

    // Serves a piece of the request. False where it makes no sense at all and the device needs a reset.
    private bool TryServe(out uint written, out long bytesLeft)
    {
        written = 0;
        bytesLeft = 0;
        Span<byte> header = stackalloc byte[VirtioBlockSpec.HeaderLength];
        if (Chain.WritableBytes == 0 || !Chain.Read(0, header))
        {
            Fail("queue 0: a request has no header or no status byte, or its header is outside RAM");
            return false;
        }

        uint type = BinaryPrimitives.ReadUInt32LittleEndian(header);
        ulong sector = BinaryPrimitives.ReadUInt64LittleEndian(header[VirtioBlockSpec.HeaderSector..]);
        try
        {
            _status = Serve(type, sector, ref written, ref bytesLeft);
        }
        catch (StorageException e)
        {
            _status = VirtioBlockSpec.StatusIoError;
            bytesLeft = 0;
            Faulted?.Invoke(e);
        }

        return (Status & VirtioStatus.NeedsReset) == 0;
    }

    private bool TryWriteStatus()
    {
        if (!Chain.Write(Chain.WritableBytes - 1, [_status]))
        {
            Fail("queue 0: a status byte is outside RAM");
            return false;
        }

        return true;
    }

    private byte Serve(uint type, ulong sector, ref uint written, ref long bytesLeft)
    {
        switch (type)
        {
            case VirtioBlockSpec.TypeIn:
                byte status = Transfer(sector, Chain.WritableBytes - 1, toDisk: false, ref bytesLeft);
                written = (uint)Math.Min(_done, Chain.WritableBytes - 1);
                return status;
            case VirtioBlockSpec.TypeOut:
                return Transfer(sector, Chain.ReadableBytes - VirtioBlockSpec.HeaderLength, toDisk: true, ref bytesLeft);
            case VirtioBlockSpec.TypeFlush:
                _disk.Flush();
                return VirtioBlockSpec.StatusOk;
            case VirtioBlockSpec.TypeGetId:
                return GetId(ref written);
            case VirtioBlockSpec.TypeDiscard when Has(VirtioBlockSpec.FeatureDiscard):
                return Ranges(MaxDiscardSegments, MaxDiscardSectors, 0, ref bytesLeft);
            case VirtioBlockSpec.TypeWriteZeroes when Has(VirtioBlockSpec.FeatureWriteZeroes):
                return Ranges(1, MaxWriteZeroesSectors, VirtioBlockSpec.RangeFlagUnmap, ref bytesLeft);
            default:
                return VirtioBlockSpec.StatusUnsupported;
        }
    }

    private byte Transfer(ulong sector, long length, bool toDisk, ref long bytesLeft)
    {
        if (length % SectorSize != 0 || !IsOnDisk(sector, length) || (toDisk && _disk.IsReadOnly))
        {
            return VirtioBlockSpec.StatusIoError;
        }

        long start = (long)sector * SectorSize;
        Span<byte> part = _buffer.AsSpan(0, (int)Math.Clamp(length - _done, 0, PieceBytes));
        bool complete = true;
        if (part.Length > 0 && toDisk)
        {
            complete = Chain.Read(VirtioBlockSpec.HeaderLength + _done, part);
            if (complete)
            {
                _disk.Write(start + _done, part);
            }
        }
        else if (part.Length > 0)
        {
            _disk.Read(start + _done, part);
            complete = Chain.Write(_done, part);
        }

        if (!complete)
        {
            Fail("queue 0: a data buffer is outside RAM");
            return VirtioBlockSpec.StatusIoError;
        }

        _done += part.Length;
        bytesLeft = Math.Max(0, length - _done);

        // 5.2.6.2: without a write cache (or a driver that knows to flush it), a completed write is stable.
        bool cached = Has(VirtioBlockSpec.FeatureConfigWce) ? Config[VirtioBlockSpec.ConfigWriteback] != 0 : Has(VirtioBlockSpec.FeatureFlush);
        if (toDisk && bytesLeft == 0 && !cached)
        {
            _disk.Flush();
        }

        return VirtioBlockSpec.StatusOk;
    }

    private byte GetId(ref uint written)
    {
        int count = (int)Math.Min(VirtioBlockSpec.IdLength, Chain.WritableBytes - 1);
        if (!Chain.Write(0, _id.AsSpan(0, count)))
        {
            Fail("queue 0: a data buffer is outside RAM");
        }

        written = (uint)count;
        return VirtioBlockSpec.StatusOk;
    }

    private byte Ranges(uint maximumRanges, uint maximumSectors, uint allowedFlags, ref long bytesLeft)
    {
        long length = Chain.ReadableBytes - VirtioBlockSpec.HeaderLength;
        long count = length / VirtioBlockSpec.RangeLength;
        if (length % VirtioBlockSpec.RangeLength != 0 || count == 0 || count > maximumRanges || _disk.IsReadOnly)
        {
            return VirtioBlockSpec.StatusIoError;
        }

        Span<byte> ranges = stackalloc byte[(int)length];
        if (!Chain.Read(VirtioBlockSpec.HeaderLength, ranges))
        {
            Fail("queue 0: a data buffer is outside RAM");
            return VirtioBlockSpec.StatusIoError;
        }

        // All are checked before any is carried out.
        for (int i = 0; i < count; i++)
        {
            Span<byte> range = ranges[(i * VirtioBlockSpec.RangeLength)..];
            uint sectors = BinaryPrimitives.ReadUInt32LittleEndian(range[VirtioBlockSpec.RangeSectors..]);
            if ((BinaryPrimitives.ReadUInt32LittleEndian(range[VirtioBlockSpec.RangeFlags..]) & ~allowedFlags) != 0)
            {
                return VirtioBlockSpec.StatusUnsupported;
            }

            if (sectors > maximumSectors || !IsOnDisk(BinaryPrimitives.ReadUInt64LittleEndian(range), sectors * (long)SectorSize))
            {
                return VirtioBlockSpec.StatusIoError;
            }
        }

        ChangeRanges(ranges, allowedFlags == 0, ref bytesLeft);
        return VirtioBlockSpec.StatusOk;
    }

    // One piece of all ranges laid end to end.
    private void ChangeRanges(ReadOnlySpan<byte> ranges, bool discard, ref long bytesLeft)
    {
        long room = discard ? DiscardPieceBytes : WriteZeroesPieceBytes;
        long skip = _done;
        for (; ranges.Length > 0; ranges = ranges[VirtioBlockSpec.RangeLength..])
        {
            long start = BinaryPrimitives.ReadInt64LittleEndian(ranges) * SectorSize;
            long bytes = BinaryPrimitives.ReadUInt32LittleEndian(ranges[VirtioBlockSpec.RangeSectors..]) * (long)SectorSize;
            long skipped = Math.Min(skip, bytes);
            long part = Math.Min(bytes - skipped, room);
            skip -= skipped;
            bytesLeft += bytes - skipped - part;
            if (part == 0)
            {
                continue;
            }

            room -= part;
            if (discard)
            {
                _disk.Discard(start + skipped, part);
            }
            else
            {
                _disk.WriteZeroes(start + skipped, part);
            }

            _done += part;
        }
    }

    private bool IsOnDisk(ulong sector, long bytes)
    {
        ulong capacity = (ulong)(_disk.Length / SectorSize);
        return sector <= capacity && (ulong)bytes / SectorSize <= capacity - sector;
    }

    private readonly record struct Request(ushort Head, long Due, long Bytes);
}
