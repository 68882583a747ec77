using System;
using System.Threading;
using VirtShell.Host.Inventory;

namespace VirtShell.Host;

/// <summary>What runs leave in the home folder. It is written by a thread of its own: a slow disk is nothing that other VMs should feel.</summary>
public sealed partial class VirtualMachine
{
    private DateTime? ClockStood
    {
        get
        {
            lock (_gate)
            {
                return _clockStood;
            }
        }
    }

    /// <summary>Waits until what the last run left is written and its lock is free.</summary>
    /// <exception cref="VmException">The disk does not take it.</exception>
    internal void AwaitTraces()
    {
        if (_host.Writer is { } writer && !writer.Flush(Id, s_enginePatience))
        {
            throw new VmException(VmErrorKind.Timeout, $"What the last run of VM '{Name}' left is still not written to '{_host.HomeFolder}' after {s_enginePatience.TotalSeconds:0} s: its disk does not answer. Mend that, or set {VmHost.HomeVariable} to another folder.");
        }
    }

    /// <summary>Leaves what there is to the writer; does not wait.</summary>
    private void LeaveTraces(CrashReport? report, DateTime? stood, bool releases)
    {
        RunLock? runLock;
        lock (_gate)
        {
            _clockStood = stood ?? _clockStood;
            runLock = releases ? _runLock : null;
        }

        _host.Writer?.Post(Id, new RunTraces(report, stood, runLock, NoteTraces));
    }

    // On the writer's thread.
    private void NoteTraces(RunTraces traces, string? failure)
    {
        lock (_gate)
        {
            if (traces.Lock is not null)
            {
                _runLock = null;
            }

            if (failure is null && traces.Clock == _clockStood)
            {
                _clockStood = null;
            }
        }

        if (failure is not null)
        {
            Volatile.Write(ref _tracesFailure, failure);
        }
    }
}
