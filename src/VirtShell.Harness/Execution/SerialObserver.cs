using System;
using System.Collections.Generic;
using System.Threading;

namespace VirtShell.Harness.Execution;

/// <summary>Passes calls on one at a time, and keeps an observer's own errors away from the run.</summary>
internal sealed class SerialObserver(IRunObserver? inner) : IRunObserver
{
    private readonly Lock _gate = new();

    public void OnRunStarted(IReadOnlyList<ItemInfo> items) => Call(o => o.OnRunStarted(items));

    public void OnItemStarted(ItemInfo item) => Call(o => o.OnItemStarted(item));

    public void OnItemProgress(ItemInfo item, ItemProgress progress) => Call(o => o.OnItemProgress(item, progress));

    public void OnItemFinished(ItemResult result) => Call(o => o.OnItemFinished(result));

    public void OnRunFinished(RunResult result) => Call(o => o.OnRunFinished(result));

    private void Call(Action<IRunObserver> call)
    {
        if (inner is null)
        {
            return;
        }

        lock (_gate)
        {
            try
            {
                call(inner);
            }
            catch (Exception)
            {
                // A display that fails (a closed terminal, a stopped pipeline) must not change what the run comes to.
            }
        }
    }
}
