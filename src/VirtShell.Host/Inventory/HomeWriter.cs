using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;

namespace VirtShell.Host.Inventory;

/// <summary>What a run leaves behind; each part may be missing.</summary>
/// <param name="Report">Its crash report.</param>
/// <param name="Clock">Where the VM's clock stood at its end.</param>
/// <param name="Lock">Given back last, so that another process which finds the VM free finds the rest too.</param>
/// <param name="Told">Called on the writer's thread when all is done, with what could not be written: null, or why and what to do.</param>
internal sealed record RunTraces(CrashReport? Report, DateTime? Clock, RunLock? Lock, Action<RunTraces, string?> Told);

/// <summary>
/// Writes what runs leave in the home folder, on a thread of its own: forcing a file to a slow disk takes seconds, and the worker on
/// which a run ends has other VMs to run. In the order in which it comes, VM by VM. What waits is bounded by one crash report and one
/// clock for each VM: a newer one takes an older one's place, as it would take its file's.
/// </summary>
internal sealed class HomeWriter(DefinitionStore store) : IDisposable
{
    private readonly object _gate = new();
    private readonly Queue<Guid> _order = new();
    private readonly Dictionary<Guid, RunTraces> _waiting = [];
    private Guid? _inHand;
    private Thread? _thread;
    private bool _ending;

    /// <summary>Where tests hold a write up, or have it fail.</summary>
    public Action<Guid>? Writing { get; set; }

    /// <summary>Starts the thread.</summary>
    /// <exception cref="OutOfMemoryException">The host gives no more threads.</exception>
    public void Prepare()
    {
        lock (_gate)
        {
            if (_thread is null && !_ending)
            {
                Thread thread = new(Work) { IsBackground = true, Name = "VirtShell home folder" };
                thread.Start();
                _thread = thread;
            }
        }
    }

    /// <summary>Leaves traces to be written; does not wait. Without a thread to leave them to (none was prepared, or all is over) they are written here.</summary>
    public void Post(Guid id, RunTraces traces)
    {
        lock (_gate)
        {
            if (_thread is not null && !_ending)
            {
                if (_waiting.TryGetValue(id, out RunTraces? older))
                {
                    traces = traces with { Report = traces.Report ?? older.Report, Clock = traces.Clock ?? older.Clock, Lock = traces.Lock ?? older.Lock };
                }
                else
                {
                    _order.Enqueue(id);
                }

                _waiting[id] = traces;
                Monitor.PulseAll(_gate);
                return;
            }
        }

        Write(id, traces);
    }

    /// <summary>Waits until nothing of a VM waits or is in hand; false where that took longer than <paramref name="patience"/>.</summary>
    public bool Flush(Guid id, TimeSpan patience)
    {
        if (Thread.CurrentThread == _thread)
        {
            return true;
        }

        long end = Environment.TickCount64 + (long)patience.TotalMilliseconds;
        lock (_gate)
        {
            while (_waiting.ContainsKey(id) || _inHand == id)
            {
                long left = end - Environment.TickCount64;
                if (left <= 0 || !Monitor.Wait(_gate, (int)Math.Min(left, int.MaxValue)))
                {
                    return false;
                }
            }
        }

        return true;
    }

    /// <summary>Writes what waits, then ends the thread.</summary>
    public void Dispose()
    {
        Thread? thread;
        lock (_gate)
        {
            _ending = true;
            thread = _thread;
            Monitor.PulseAll(_gate);
        }

        if (Thread.CurrentThread != thread)
        {
            thread?.Join();
        }
    }

    private void Work()
    {
        while (true)
        {
            Guid id;
            RunTraces? traces;
            lock (_gate)
            {
                while (_order.Count == 0)
                {
                    if (_ending)
                    {
                        return;
                    }

                    Monitor.Wait(_gate);
                }

                id = _order.Dequeue();
                _waiting.Remove(id, out traces);
                _inHand = id;
            }

            Write(id, traces!);
            lock (_gate)
            {
                _inHand = null;
                Monitor.PulseAll(_gate);
            }
        }
    }

    private void Write(Guid id, RunTraces traces)
    {
        string? failure = null;
        try
        {
            Writing?.Invoke(id);
            if (traces.Report is { } report)
            {
                failure = Try(() => store.WriteCrashReport(id, report), "The crash report", store.CrashPathOf(id));
            }

            if (traces.Clock is { } stood)
            {
                failure = Try(() => store.WriteClock(id, stood), "Where the clock stood", store.ClockPathOf(id)) ?? failure;
            }
        }
        catch (Exception e)
        {
            // Whatever it is, the thread goes on for the other VMs, and this one is told.
            failure = $"What its last run left cannot be written: {e.GetType().Name}: {e.Message}";
        }

        traces.Lock?.Dispose();
        traces.Told(traces, failure);
    }

    private static string? Try(Action write, string what, string path)
    {
        try
        {
            write();
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return DefinitionStore.CannotWrite(what, path, e).Message + " This process keeps it as long as it runs.";
        }
    }
}
