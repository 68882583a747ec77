using System;
using VirtShell.State;

namespace VirtShell.Host;

/// <summary>
/// The memory that the serial logs of one VM share, whatever ports its guest writes to. Where a log wants more than is left, the log that
/// holds the most loses its beginning, so that a port which is flooded does not cost another one its few lines. All logs of a budget have
/// the same writer.
/// </summary>
internal sealed class SerialLogBudget(long capacity)
{
    private readonly long _chunks = Math.Max(2, (capacity + SerialLog.ChunkSize - 1) / SerialLog.ChunkSize);

    [NotState("Fixed once all logs are there.")]
    private SerialLog[] _logs = [];

    [NotState("Counted again as the logs are loaded.")]
    private long _held;

    /// <summary>Most bytes held together, a whole number of chunks.</summary>
    public long Capacity => _chunks * SerialLog.ChunkSize;

    /// <summary>Adds a log, before any of them is written.</summary>
    public void Add(SerialLog log) => _logs = [.. _logs, log];

    /// <summary>Takes room for one more chunk of <paramref name="asking"/>, whose chunks are full. On the writer's thread.</summary>
    public void TakeChunk(SerialLog asking)
    {
        if (_held < _chunks)
        {
            _held++;
            return;
        }

        SerialLog most = _logs[0];
        foreach (SerialLog log in _logs)
        {
            if (log.ChunkCount > most.ChunkCount)
            {
                most = log;
            }
        }

        // One that has a single chunk is still filling it; only the log that asks has surely filled its own.
        SerialLog loser = most.ChunkCount > 1 ? most : asking;
        if (loser.ChunkCount > 0)
        {
            loser.DropChunk();
        }
        else
        {
            // More logs than chunks, each with one.
            _held++;
        }
    }
}
