using System;
using System.Threading;
using VirtShell.State;

namespace VirtShell.Host.Running;

/// <summary>
/// Which thread is inside the run's dispatch. One at a time enters and leaves; any may ask. Who is inside must not wait for the run,
/// and nobody else touches what belongs to the dispatch.
/// </summary>
[NotState("Of this process.")]
internal sealed class RunThread
{
    private int _inside;

    /// <summary>Whether the calling thread is inside.</summary>
    public bool IsThisOne => Volatile.Read(ref _inside) == Environment.CurrentManagedThreadId;

    public void Enter() => Volatile.Write(ref _inside, Environment.CurrentManagedThreadId);

    public void Leave() => Volatile.Write(ref _inside, 0);
}
