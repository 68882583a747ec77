using System;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Management.Automation;
using System.Threading;
using System.Threading.Tasks;

namespace VirtShell.PowerShell.Commands;

/// <summary>What all cmdlets share: cancellation by Ctrl+C, errors without stack traces, waiting with progress, confirmation.</summary>
public abstract class VmCmdlet : PSCmdlet, IDisposable
{
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_progressDelay = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _stopping = new();
    private bool _yesToAll;
    private bool _noToAll;

    /// <summary>Cancelled when the pipeline is stopped.</summary>
    protected CancellationToken Cancellation => _stopping.Token;

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
        {
            _stopping.Dispose();
        }
    }

    protected override void StopProcessing()
    {
        try
        {
            _stopping.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // Ctrl+C came just as the cmdlet ended by itself.
        }
    }

    /// <summary>Does something that may fail as users meet it; a failure becomes an error record about <paramref name="target"/>.</summary>
    protected bool Attempt(object? target, Action action)
    {
        ArgumentNullException.ThrowIfNull(action);
        try
        {
            action();
            return true;
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            throw new PipelineStoppedException();
        }
        catch (Exception e) when (e is not (RuntimeException or FlowControlException))
        {
            WriteError(VmErrors.From(Unwrap(e), target));
            return false;
        }
    }

    /// <summary>Runs <paramref name="work"/> beside the pipeline and shows what it reports as progress and verbose messages.</summary>
    protected void RunWithProgress(string activity, Action<IProgress<string>, CancellationToken> work)
    {
        ArgumentNullException.ThrowIfNull(activity);
        int id = activity.GetHashCode(StringComparison.Ordinal) & 0x7fff_ffff;
        bool shown = false;
        RunBeside((post, cancellation) => Task.Run(
            () => work(
                new Relay(message => post(() =>
                {
                    WriteVerbose(message);
                    WriteProgress(new ProgressRecord(id, activity, message));
                    shown = true;
                })),
                cancellation),
            cancellation));
        if (shown)
        {
            WriteProgress(new ProgressRecord(id, activity, "Done") { RecordType = ProgressRecordType.Completed });
        }
    }

    /// <summary>
    /// Runs <paramref name="work"/> on other threads while this one, the only one that may write to the pipeline, does
    /// what the work posts. Returns when the work is over, also when the pipeline is stopped.
    /// </summary>
    protected void RunBeside(Func<Action<Action>, CancellationToken, Task> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        using BlockingCollection<Action> posts = [];
        using CancellationTokenSource cancel = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        Task task = Complete(work, posts, cancel.Token);
        try
        {
            foreach (Action post in posts.GetConsumingEnumerable())
            {
                if (!_stopping.IsCancellationRequested)
                {
                    post();
                }
            }
        }
        catch
        {
            // The pipeline wants no more (Ctrl+C, Select-Object -First): end the work before leaving.
            cancel.Cancel();
            ((IAsyncResult)task).AsyncWaitHandle.WaitOne();
            throw;
        }

        task.GetAwaiter().GetResult();
    }

    /// <summary>Waits for <paramref name="task"/>; after a second it shows what <paramref name="status"/> says. Ctrl+C ends the wait.</summary>
    protected void Await(Task task, string activity, Func<TimeSpan, string> status)
    {
        ArgumentNullException.ThrowIfNull(task);
        ArgumentNullException.ThrowIfNull(status);
        Stopwatch clock = Stopwatch.StartNew();
        bool shown = false;
        try
        {
            while (!Task.WaitAll([task], (int)s_tick.TotalMilliseconds, _stopping.Token))
            {
                if (clock.Elapsed >= s_progressDelay)
                {
                    WriteProgress(new ProgressRecord(1, activity, status(clock.Elapsed)));
                    shown = true;
                }
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            throw new PipelineStoppedException();
        }
        catch (AggregateException)
        {
            // The caller looks at the tasks one by one.
        }
        finally
        {
            if (shown && !_stopping.IsCancellationRequested)
            {
                WriteProgress(new ProgressRecord(1, activity, "Done") { RecordType = ProgressRecordType.Completed });
            }
        }
    }

    /// <summary>Asks as -WhatIf and -Confirm want it: "Start-VM will start the virtual machine "x"."</summary>
    protected bool Confirm(string verb, string name) => ShouldProcess(
        $"{MyInvocation.MyCommand.Name} will {verb} the virtual machine \"{name}\".",
        $"Are you sure you want to {verb} the virtual machine \"{name}\"?",
        "Confirm");

    /// <summary>
    /// As <see cref="Confirm"/>, and asks even without -Confirm, as Hyper-V does for what cannot be undone, unless
    /// <paramref name="force"/>, -Confirm:$false or <c>$ConfirmPreference = 'None'</c> says not to.
    /// </summary>
    protected bool ConfirmAlways(string verb, string name, bool force)
    {
        if (!Confirm(verb, name))
        {
            return false;
        }

        bool decided = force || MyInvocation.BoundParameters.ContainsKey("Confirm")
            || string.Equals(SessionState.PSVariable.GetValue("ConfirmPreference")?.ToString(), nameof(ConfirmImpact.None), StringComparison.OrdinalIgnoreCase);
        return decided || ShouldContinue($"{MyInvocation.MyCommand.Name} will {verb} the virtual machine \"{name}\".", "Confirm", ref _yesToAll, ref _noToAll);
    }

    private static Exception Unwrap(Exception e) => e is AggregateException { InnerExceptions.Count: 1, InnerException: { } inner } ? Unwrap(inner) : e;

    private static async Task Complete(Func<Action<Action>, CancellationToken, Task> work, BlockingCollection<Action> posts, CancellationToken cancellation)
    {
        try
        {
            await work(post => Post(posts, post), cancellation).ConfigureAwait(false);
        }
        finally
        {
            posts.CompleteAdding();
        }
    }

    private static void Post(BlockingCollection<Action> posts, Action post)
    {
        try
        {
            posts.Add(post);
        }
        catch (InvalidOperationException)
        {
            // A late message of work that is already over.
        }
    }

    private sealed class Relay(Action<string> report) : IProgress<string>
    {
        public void Report(string value) => report(value);
    }
}
