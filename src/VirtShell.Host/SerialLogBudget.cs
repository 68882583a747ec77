using System;
using System.Threading;

namespace VirtShell.Host;

/// <summary>
/// The memory that the serial logs of one VM share, whatever ports its guest writes to. Where a log wants more than is left, the log that
/// holds the most loses its beginning, so that a port which is flooded does not cost another one its few lines. All logs of a budget have
/// the same writer, and there are fewer than chunks.
/// </summary>
internal sealed class SerialLogBudget(long capacity)
{
    private readonly long _chunks = Math.Max(2, (capacity + SerialLog.ChunkSize - 1) / SerialLog.ChunkSize);

    // Replaced, not changed: the writer reads it while another thread asks for the log of one more port.
    private SerialLog[] _logs = [];
    private long _held;

    /// <summary>Most bytes held together, a whole number of chunks.</summary>
    public long Capacity => _chunks * SerialLog.ChunkSize;

    /// <summary>Adds a log; calls are not made at the same time.</summary>
    public void Add(SerialLog log) => Volatile.Write(ref _logs, [.. _logs, log]);

    /// <summary>Takes room for one more chunk of some log. On the writer's thread.</summary>
    public void TakeChunk()
    {
        if (_held < _chunks)
        {
            _held++;
            return;
        }

        SerialLog most = _logs[0];
        foreach (SerialLog log in Volatile.Read(ref _logs))
        {
            if (log.ChunkCount > most.ChunkCount)
            {
                most = log;
            }
        }

        most.DropChunk();
    }
}
