using System.Collections.Concurrent;
using VirtShell.State;

namespace VirtShell.Host.Running;

/// <summary>
/// What other threads want done to a run: in the order in which they asked, on the run's thread between two quanta. Any thread adds; all
/// else is called inside the dispatch, but for <see cref="Release"/>. The gate keeps a command from coming between the last look and the
/// closing, where nobody would ever answer it.
/// </summary>
[NotState("What others have asked for is done before a run is saved, or after.")]
internal sealed class RunCommands
{
    private readonly ConcurrentQueue<RunCommand> _waiting = new();
    private readonly object _gate = new();
    private RunCommand? _hold;
    private bool _closed;
    private volatile bool _held;

    /// <summary>Whether somebody on another thread has the run to himself: nothing is dispatched, and commands wait.</summary>
    public bool IsHeld => _held;

    /// <summary>Adds a command; false where it was dropped, because the run has ended.</summary>
    public bool Add(RunCommand command)
    {
        lock (_gate)
        {
            if (!_closed)
            {
                _waiting.Enqueue(command);
                return true;
            }
        }

        command.Drop();
        return false;
    }

    /// <summary>Does what waits, up to a request to hold the run.</summary>
    public void Execute()
    {
        while (_hold is null && _waiting.TryDequeue(out RunCommand? command))
        {
            command.Execute();
        }
    }

    /// <summary>A command: <paramref name="hold"/> is answered by <see cref="Grant"/> once nothing is dispatched any more, or by <see cref="Refuse"/>. What comes after it waits.</summary>
    public void AskToHold(RunCommand hold) => _hold = hold;

    /// <summary>The run rests: whoever wants to hold it has it.</summary>
    public void Grant()
    {
        if (_hold is { } hold)
        {
            _hold = null;
            _held = true;
            hold.Execute();
        }
    }

    /// <summary>The run is over: nobody can hold it.</summary>
    public void Refuse()
    {
        _hold?.Drop();
        _hold = null;
    }

    /// <summary>Gives the run back. By whoever holds it.</summary>
    public void Release() => _held = false;

    /// <summary>Takes no more, and drops what waits.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
        }

        Refuse();
        while (_waiting.TryDequeue(out RunCommand? command))
        {
            command.Drop();
        }
    }
}
