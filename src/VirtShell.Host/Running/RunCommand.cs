using System;
using System.Threading.Tasks;

namespace VirtShell.Host.Running;

/// <summary>Something that another thread wants done to a run between two quanta.</summary>
internal sealed class RunCommand(Action action)
{
    private readonly TaskCompletionSource<bool> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>True once it was done; false where the run ended before.</summary>
    public Task<bool> Done => _done.Task;

    public void Execute()
    {
        try
        {
            action();
            _done.TrySetResult(true);
        }
        catch (VmException e)
        {
            _done.TrySetException(e);
        }
        catch (Exception e)
        {
            // The engine failed: whoever asked learns of it, and so does the run.
            _done.TrySetException(new VmException(VmErrorKind.InvalidState, $"The engine failed: {e.Message}", e));
            throw;
        }
    }

    public void Drop() => _done.TrySetResult(false);
}
