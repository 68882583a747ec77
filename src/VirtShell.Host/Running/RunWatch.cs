using System;
using System.Linq;
using VirtShell.Machine;
using VirtShell.State;

namespace VirtShell.Host.Running;

/// <summary>
/// Watches a run for kernel panics and hangs, and says when to look. Inside the dispatch alone, at instructions that depend on
/// the guest and not on the host.
/// </summary>
internal sealed class RunWatch : IStateful
{
    /// <summary>
    /// Instructions of one dispatch, unless it is asked to return before. Dispatches end at multiples of it, so that what is looked
    /// at between them is looked at after the same instruction in every run.
    /// </summary>
    private const long Quantum = 1_000_000;

    /// <summary>After a panic message a kernel may go on this long to print its trace.</summary>
    private const long PanicGrace = 20_000_000;

    private const int NoPanic = -1;
    private const int LongestName = 255;

    private static readonly Outlet[] s_outlets = [.. Outlet.All];
    private static readonly int s_com1 = Array.IndexOf(s_outlets, Outlet.Com1);

    private readonly VmDefinition _definition;
    private readonly RunMachine _machine;
    private readonly RunEnd _end;
    private readonly PanicWatch[] _panics = [.. s_outlets.Select(static _ => new PanicWatch())];
    private int _panicAt = NoPanic;
    private long _panicDeadline = long.MaxValue;
    private long _lastProgress;
    private long _skippedBefore;

    /// <param name="definition">What is watched for.</param>
    /// <param name="machine">Whose progress is watched.</param>
    /// <param name="end">Told of an end at the very byte that shows it.</param>
    public RunWatch(VmDefinition definition, RunMachine machine, RunEnd end)
    {
        _definition = definition;
        _machine = machine;
        _end = end;
    }

    /// <summary>Whether the kernel has panicked and may still print its trace. A panic explains a crash better than what followed from it.</summary>
    public bool HasPanicked => _panicDeadline != long.MaxValue;

    public string PanicMessage => "Kernel panic: " + (_panicAt == NoPanic ? null : _panics[_panicAt].Message) ?? "seen on a serial port";

    /// <summary>A byte came out of an outlet.</summary>
    public void Take(Outlet outlet, byte value)
    {
        NoteProgress();
        if (!_definition.DetectPanics)
        {
            return;
        }

        int at = outlet == Outlet.Com1 ? s_com1 : Array.IndexOf(s_outlets, outlet);
        PanicWatch watch = _panics[at];
        if (!watch.Add(value))
        {
            return;
        }

        _panicAt = _panicAt == NoPanic ? at : _panicAt;
        if (watch.IsComplete)
        {
            _end.Ask(VmEndKind.Panic, reason: PanicMessage);
        }
        else if (_panicDeadline == long.MaxValue)
        {
            _panicDeadline = _machine.Current!.Instructions + PanicGrace;
        }
    }

    /// <summary>The guest does something: output, input, a disk access, a halt to wait for an interrupt.</summary>
    public void NoteProgress()
    {
        if (_definition.HangInstructions > 0 && _machine.Current is { } now)
        {
            _lastProgress = now.Instructions;
            _skippedBefore = now.GuestTime - _lastProgress;
        }
    }

    /// <summary>Instructions until the next point at which something is looked at: the same points in every run.</summary>
    public long NextBudget()
    {
        long now = _machine.Current!.Instructions;
        long until = now - (now % Quantum) + Quantum;
        until = Math.Min(until, _panicDeadline);
        if (_definition.HangInstructions > 0)
        {
            until = Math.Min(until, _lastProgress + _definition.HangInstructions);
        }

        return Math.Max(1, until - now);
    }

    /// <summary>Looks after a dispatch whether the guest goes on; gives how it ends, <see cref="VmEndKind.None"/> where it does not.</summary>
    public VmEndKind Look(out string? reason)
    {
        long now = _machine.Current!.Instructions;
        reason = null;
        if (now >= _panicDeadline)
        {
            reason = PanicMessage;
            return VmEndKind.Panic;
        }

        if (_definition.HangInstructions == 0)
        {
            return VmEndKind.None;
        }

        // Under the virtual clock guest time is instructions plus what was skipped while halted: a guest that waits
        // for interrupts is alive. Looked at only after instructions that do not depend on the host.
        bool isDue = now - _lastProgress >= _definition.HangInstructions;
        if (_definition.Clock == ClockMode.Virtual && (isDue || now % Quantum == 0))
        {
            long skipped = _machine.Current.GuestTime - now;
            if (skipped != _skippedBefore)
            {
                _skippedBefore = skipped;
                _lastProgress = now;
            }
        }

        if (now - _lastProgress < _definition.HangInstructions)
        {
            return VmEndKind.None;
        }

        reason = $"Hang: no serial output, disk access or wait for an interrupt during {_definition.HangInstructions:N0} instructions.";
        return VmEndKind.Hang;
    }

    /// <summary>The guest begins anew.</summary>
    public void Reset()
    {
        foreach (PanicWatch watch in _panics)
        {
            watch.Reset();
        }

        _panicAt = NoPanic;
        _panicDeadline = long.MaxValue;
        _lastProgress = _machine.Current?.Instructions ?? 0;
        _skippedBefore = 0;
    }

    public void Describe(StateVisitor visitor)
    {
        string? panicAt = _panicAt == NoPanic ? null : s_outlets[_panicAt].Name;
        visitor.Text("panic-at", ref panicAt, LongestName);
        visitor.Value("panic-deadline", ref _panicDeadline, min: 0);
        visitor.Value("last-progress", ref _lastProgress, min: 0);
        visitor.Value("skipped-before", ref _skippedBefore);
        if (visitor.IsLoading)
        {
            _panicAt = Array.FindIndex(s_outlets, outlet => outlet.Name == panicAt);
            _lastProgress = Math.Min(_lastProgress, _machine.Current!.Instructions);
        }

        visitor.Parts(_panics, watch => s_outlets[Array.IndexOf(_panics, watch)].Name);
    }
}
