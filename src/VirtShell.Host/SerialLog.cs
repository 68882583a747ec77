using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.State;

namespace VirtShell.Host;

/// <summary>
/// Append-only record of what a guest sent on a serial port. Any number of readers on any threads beside one writer at
/// a time. Beyond <see cref="Capacity"/>, which the logs of one VM share, the beginning is dropped, so that a guest that prints for
/// ever cannot take the host's memory; <see cref="Length"/> and <see cref="Hash"/> go on counting.
/// </summary>
public sealed class SerialLog : IStateful
{
    /// <summary>Default of <see cref="Capacity"/>: 64 MiB, some hundred times the log of a Linux boot.</summary>
    public const long DefaultCapacity = 64L << 20;

    internal const int ChunkSize = 1 << ChunkBits;

    private const int ChunkBits = 14;
    private const int SmallestTable = 4;
    private const int FollowPart = 64 * 1024;
    private const long LongestLog = 1L << 60;
    private const string ChunkPrefix = "chunk-";

    private readonly object _gate = new();
    private readonly SerialLogBudget _budget;

    // The writer fills a chunk first and publishes the length afterwards; readers take the length first. No chunk is written
    // twice at the same place, so readers need no lock. The table is a ring of a power of two: before a place in it is used again,
    // what it held is told to be gone, and readers look for that when they have copied.
    private byte[]?[] _chunks = [];
    private long _length;
    private long _first;
    private ulong _hash = 0xCBF29CE484222325;
    [NotState("Readers wait in this process.")]
    private TaskCompletionSource? _more;
    [NotState("Readers wait in this process.")]
    private volatile bool _waiting;
    [NotState("A run that is over is not saved.")]
    private volatile bool _closed;

    /// <param name="capacity">Most bytes held, rounded up to 16 KiB; at least 32 KiB.</param>
    public SerialLog(long capacity = DefaultCapacity)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 2L * ChunkSize);
        _budget = new SerialLogBudget(capacity);
        _budget.Add(this);
    }

    /// <summary>A log that shares its memory with others of the same writer.</summary>
    internal SerialLog(SerialLogBudget budget)
    {
        _budget = budget;
        _budget.Add(this);
    }

    /// <summary>Most bytes held, by all logs of the VM together.</summary>
    public long Capacity => _budget.Capacity;

    /// <summary>Bytes so far.</summary>
    public long Length => Volatile.Read(ref _length);

    /// <summary>Offset of the oldest byte still held: 0 unless the log has outgrown its cap and dropped its beginning.</summary>
    public long FirstOffset => Volatile.Read(ref _first);

    /// <summary>Whether no more bytes will come.</summary>
    public bool IsClosed => _closed;

    /// <summary>A 64-bit FNV-1a hash of every byte so far, dropped ones included; equal for byte-identical logs. Stable once the log is closed.</summary>
    public ulong Hash => Volatile.Read(ref _hash);

    /// <summary>Host memory that the log takes, in bytes.</summary>
    internal long MemoryBytes => (ChunkCount << ChunkBits) + ((long)Volatile.Read(ref _chunks).Length * IntPtr.Size);

    /// <summary>Chunks held, one that is not full yet included.</summary>
    internal long ChunkCount => ((Length + ChunkSize - 1) >> ChunkBits) - (FirstOffset >> ChunkBits);

    /// <summary>A copy of the bytes from <paramref name="offset"/> on; begins at <see cref="FirstOffset"/> where that is later.</summary>
    public byte[] GetBytes(long offset = 0) => GetBytes(offset, long.MaxValue, out _);

    /// <summary>A copy of at most <paramref name="limit"/> bytes from <paramref name="offset"/> on.</summary>
    /// <param name="start">The offset of the first byte given.</param>
    public byte[] GetBytes(long offset, long limit, out long start)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        while (true)
        {
            long length = Volatile.Read(ref _length);
            byte[]?[] chunks = Volatile.Read(ref _chunks);
            start = Math.Min(Math.Max(offset, Volatile.Read(ref _first)), length);
            byte[] result = new byte[checked((int)Math.Min(length - start, limit))];
            if (TryCopy(chunks, start, result) && Volatile.Read(ref _first) <= start)
            {
                return result;
            }

            // The writer dropped a chunk in between: begin again behind it.
        }
    }

    /// <summary>The log as text (UTF-8, invalid bytes replaced).</summary>
    public string GetText(long offset = 0) => Encoding.UTF8.GetString(GetBytes(offset));

    /// <summary>The last <paramref name="lines"/> lines as text, without line ends; an unfinished last line counts.</summary>
    public IReadOnlyList<string> GetTail(int lines)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(lines);
        long part = Math.Max(4096, lines * 128L);
        while (true)
        {
            byte[] bytes = GetBytes(Math.Max(0, Length - part), long.MaxValue, out long start);
            string text = Encoding.UTF8.GetString(bytes);
            string[] all = text.TrimEnd('\r', '\n').Split('\n');
            bool whole = start <= FirstOffset;
            if (whole || all.Length > lines)
            {
                int skip = Math.Max(0, all.Length - lines);
                List<string> result = new(all.Length - skip);
                for (int i = skip; i < all.Length; i++)
                {
                    result.Add(all[i].TrimEnd('\r'));
                }

                return bytes.Length == 0 ? [] : result;
            }

            part *= 4;
        }
    }

    /// <summary>Bytes from <paramref name="offset"/> on as they arrive, in parts of up to 64 KiB; ends when the log is closed.</summary>
    public async IAsyncEnumerable<byte[]> FollowAsync(long offset = 0, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        while (true)
        {
            byte[] part = GetBytes(offset, FollowPart, out long start);
            if (part.Length > 0)
            {
                offset = start + part.Length;
                yield return part;
            }
            else if (_closed && Length <= offset)
            {
                yield break;
            }
            else
            {
                await WaitForMoreAsync(offset, cancellation).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Adds a byte and tells the readers that wait. One writer at a time.</summary>
    public void Append(byte value)
    {
        Write(value);
        Publish();
    }

    /// <summary>Completes when more than <paramref name="offset"/> bytes are there or the log is closed.</summary>
    public Task WaitForMoreAsync(long offset, CancellationToken cancellation)
    {
        lock (_gate)
        {
            if (_closed || Length > offset)
            {
                return Task.CompletedTask;
            }

            _more ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting = true;

            // A byte written before the writer could see the flag would otherwise wake nobody until the next one.
            Interlocked.MemoryBarrier();
            return Length > offset ? Task.CompletedTask : _more.Task.WaitAsync(cancellation);
        }
    }

    /// <summary>Adds a byte without waking anybody; readers see it at once, those who wait after <see cref="Publish"/>.</summary>
    internal void Write(byte value)
    {
        long at = _length;
        int within = (int)at & (ChunkSize - 1);
        byte[] chunk = within == 0 ? AddChunk(at) : _chunks[Place(_chunks, at)]!;
        chunk[within] = value;
        _hash = (_hash ^ value) * 0x100000001B3;
        Volatile.Write(ref _length, at + 1);
    }

    /// <summary>Lets go of the oldest chunk. On the writer's thread.</summary>
    internal void DropChunk()
    {
        long first = _first;
        Volatile.Write(ref _first, first + ChunkSize);
        Volatile.Write(ref _chunks[Place(_chunks, first)], null);
    }

    /// <summary>Wakes the readers that wait.</summary>
    internal void Publish()
    {
        if (_waiting)
        {
            Wake();
        }
    }

    /// <summary>Says that no more bytes will come.</summary>
    internal void Close()
    {
        _closed = true;
        Wake();
    }

    /// <summary>Between two writes. What is loaded goes into a log that is empty; where it has less room, the beginning is dropped.</summary>
    void IStateful.Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        long length = _length;
        long first = _first;
        visitor.Value("length", ref length, 0, LongestLog);
        visitor.Value("first", ref first, 0, LongestLog);
        visitor.Value("hash", ref _hash);
        if (!visitor.IsLoading)
        {
            visitor.Blocks(ChunkPrefix, new Chunks(this, length));
            return;
        }

        if (first > length || (first & (ChunkSize - 1)) != 0)
        {
            throw visitor.Damaged($"'{visitor.Path}' begins at {first} and ends at {length}.");
        }

        _first = _length = first;
        visitor.Blocks(ChunkPrefix, new Chunks(this, length));
        if (_length != length)
        {
            throw visitor.Damaged($"'{visitor.Path}' ends at {_length}, not at {length}.");
        }
    }

    private static bool TryCopy(byte[]?[] chunks, long start, Span<byte> destination)
    {
        int done = 0;
        while (done < destination.Length)
        {
            long at = start + done;
            int within = (int)at & (ChunkSize - 1);
            int part = Math.Min(destination.Length - done, ChunkSize - within);
            byte[]? chunk = Volatile.Read(ref chunks[Place(chunks, at)]);
            if (chunk is null)
            {
                return false;
            }

            chunk.AsSpan(within, part).CopyTo(destination[done..]);
            done += part;
        }

        return true;
    }

    // Where the chunk of an offset stands in a table.
    private static int Place(byte[]?[] chunks, long at) => (int)(at >> ChunkBits) & (chunks.Length - 1);

    private byte[] AddChunk(long at)
    {
        _budget.TakeChunk(this);
        if (at - _first == (long)_chunks.Length << ChunkBits)
        {
            byte[]?[] grown = new byte[Math.Max(SmallestTable, _chunks.Length * 2)][];
            for (long held = _first; held < at; held += ChunkSize)
            {
                grown[Place(grown, held)] = _chunks[Place(_chunks, held)];
            }

            Volatile.Write(ref _chunks, grown);
        }

        byte[] chunk = new byte[ChunkSize];
        Volatile.Write(ref _chunks[Place(_chunks, at)], chunk);
        return chunk;
    }

    private void Wake()
    {
        TaskCompletionSource? more;
        lock (_gate)
        {
            more = _more;
            _more = null;
            _waiting = false;
        }

        more?.TrySetResult();
    }

    // The content, a block for each chunk; the last may be shorter.
    private sealed class Chunks(SerialLog log, long length) : StateBlocks
    {
        public override long Next(long number)
        {
            long next = Math.Max(number, log._first >> ChunkBits);
            return next << ChunkBits < length ? next : -1;
        }

        public override ReadOnlySpan<byte> Read(long number) => log._chunks[Place(log._chunks, number << ChunkBits)].AsSpan(0, Size(number));

        public override Span<byte> Room(long number, long size) =>
            number == log._length >> ChunkBits && log._length < length && size == Size(number) ? log.AddChunk(log._length).AsSpan(0, (int)size) : default;

        public override void Filled(long number) => log._length += Size(number);

        private int Size(long number) => (int)Math.Min(ChunkSize, length - (number << ChunkBits));
    }
}
