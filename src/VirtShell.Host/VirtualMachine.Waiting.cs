using System;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;

namespace VirtShell.Host;

/// <summary>Waiting for something to happen to a VM.</summary>
public sealed partial class VirtualMachine
{
    /// <summary>Completes when the VM is Off or Crashed.</summary>
    public Task WaitForEndAsync(CancellationToken cancellation = default)
    {
        lock (_gate)
        {
            // While it starts there is no run to wait for yet: wait for the start, then for what it started.
            return _startDone is { } starting ? WaitForStartAndEndAsync(starting.Task, cancellation) : _endSource.Task.WaitAsync(cancellation);
        }
    }

    /// <summary>Presses the power button and waits. Gives true once the VM is off, false where the time ran out; the VM then goes on (turn it off).</summary>
    /// <exception cref="VmException">The VM is neither running nor off.</exception>
    public async Task<bool> ShutdownAsync(TimeSpan timeout, CancellationToken cancellation = default)
    {
        if (State is VmState.Off or VmState.Crashed)
        {
            return true;
        }

        RequestShutdown();
        try
        {
            await WaitForEndAsync(cancellation).WaitAsync(timeout, cancellation).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    /// <summary>Completes when the VM is in <paramref name="state"/>.</summary>
    public async Task WaitForStateAsync(VmState state, CancellationToken cancellation = default)
    {
        TaskCompletionSource reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        void Check(object? sender, VmStateChangedEventArgs change)
        {
            if (change.After == state)
            {
                reached.TrySetResult();
            }
        }

        StateChanged += Check;
        try
        {
            if (State != state)
            {
                await reached.Task.WaitAsync(cancellation).ConfigureAwait(false);
            }
        }
        finally
        {
            StateChanged -= Check;
        }
    }

    /// <summary>Waits until COM1's output from <paramref name="fromOffset"/> on matches. Gives null when the VM ended or a limit passed first.</summary>
    /// <param name="pattern">Matched against the output as text, line ends included; a match spans at most 64 KiB.</param>
    /// <param name="fromOffset">Byte offset in the log at which to begin.</param>
    /// <param name="guestTimeLimit">Limit in guest time from now; null for none. A VM that can never reach it (it waits for input under the virtual clock) counts as past it.</param>
    /// <param name="hostTimeLimit">Limit in host time from now; null for none.</param>
    public Task<SerialMatch?> WaitForSerialAsync(Regex pattern, long fromOffset = 0, TimeSpan? guestTimeLimit = null, TimeSpan? hostTimeLimit = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        return WaitForSerialAsync(log => new SerialSearch(log, pattern, fromOffset), guestTimeLimit, hostTimeLimit, cancellation);
    }

    /// <summary>As the other overload, for plain text compared exactly.</summary>
    public Task<SerialMatch?> WaitForSerialAsync(string text, long fromOffset = 0, TimeSpan? guestTimeLimit = null, TimeSpan? hostTimeLimit = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(text);
        return WaitForSerialAsync(log => new SerialSearch(log, text, fromOffset), guestTimeLimit, hostTimeLimit, cancellation);
    }

    /// <summary>
    /// Completes when the guest is <paramref name="duration"/> of guest time further, can never get there (it waits for
    /// input under the virtual clock), or its run has ended. A VM that is off completes at once.
    /// </summary>
    public Task WaitForGuestTimeAsync(TimeSpan duration, CancellationToken cancellation = default) =>
        Run is { } run ? run.WaitForGuestTime(run.GuestTime + (duration.Ticks * TimeSpan.NanosecondsPerTick)).WaitAsync(cancellation) : Task.CompletedTask;

    private async Task WaitForStartAndEndAsync(Task starting, CancellationToken cancellation)
    {
        await starting.WaitAsync(cancellation).ConfigureAwait(false);
        await WaitForEndAsync(cancellation).ConfigureAwait(false);
    }

    private async Task<SerialMatch?> WaitForSerialAsync(Func<SerialLog, SerialSearch> newSearch, TimeSpan? guestTimeLimit, TimeSpan? hostTimeLimit, CancellationToken cancellation)
    {
        using CancellationTokenSource limits = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        if (hostTimeLimit is { } hostLimit)
        {
            limits.CancelAfter(hostLimit);
        }

        Task? starting;
        lock (_gate)
        {
            starting = _startDone?.Task;
        }

        if (starting is not null)
        {
            // The log to look at is that of the run which is about to begin.
            await starting.WaitAsync(cancellation).ConfigureAwait(false);
        }

        SerialLog log = Serial;
        SerialSearch search = newSearch(log);
        Task guestLimit = guestTimeLimit is { } limit && Run is { } run
            ? run.WaitForGuestTime(run.GuestTime + (limit.Ticks * TimeSpan.NanosecondsPerTick))
            : Task.Delay(Timeout.Infinite, limits.Token);
        try
        {
            while (true)
            {
                bool last = log.IsClosed || guestLimit.IsCompleted;
                if (search.Look() is { } match)
                {
                    return match;
                }

                if (last)
                {
                    return null;
                }

                await Task.WhenAny(log.WaitForMoreAsync(search.Seen, limits.Token), guestLimit).ConfigureAwait(false);
                if (limits.IsCancellationRequested)
                {
                    cancellation.ThrowIfCancellationRequested();
                    return search.Look();
                }
            }
        }
        finally
        {
            await limits.CancelAsync().ConfigureAwait(false);
        }
    }
}
