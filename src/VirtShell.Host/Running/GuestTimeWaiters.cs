using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.State;

namespace VirtShell.Host.Running;

/// <summary>Those on other threads who wait for a run to reach a guest time.</summary>
[NotState("They wait in this process, for the run that they asked. Times of a run that goes on elsewhere are the same.")]
internal sealed class GuestTimeWaiters
{
    private readonly object _gate = new();
    private readonly PriorityQueue<TaskCompletionSource, long> _waiters = new();
    private long _next = long.MaxValue;
    private bool _closed;

    /// <summary>The earliest guest time that somebody waits for, or the largest value.</summary>
    public long Next => Volatile.Read(ref _next);

    /// <summary>Completes when the run has reached <paramref name="guestTime"/>, can never reach it, or has ended.</summary>
    public Task Add(long guestTime)
    {
        lock (_gate)
        {
            if (_closed)
            {
                return Task.CompletedTask;
            }

            TaskCompletionSource waiter = new(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiters.Enqueue(waiter, guestTime);
            _waiters.TryPeek(out _, out long next);
            Volatile.Write(ref _next, next);
            return waiter.Task;
        }
    }

    /// <summary>Completes the waits up to <paramref name="guestTime"/>.</summary>
    public void Reach(long guestTime)
    {
        if (guestTime < Next)
        {
            return;
        }

        lock (_gate)
        {
            while (_waiters.TryPeek(out TaskCompletionSource? waiter, out long due) && due <= guestTime)
            {
                _waiters.Dequeue();
                waiter.TrySetResult();
            }

            Volatile.Write(ref _next, _waiters.TryPeek(out _, out long next) ? next : long.MaxValue);
        }
    }

    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
        }

        Reach(long.MaxValue);
    }
}
