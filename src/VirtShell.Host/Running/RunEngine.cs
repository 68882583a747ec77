using VirtShell.Cpu;
using VirtShell.State;

namespace VirtShell.Host.Running;

/// <summary>
/// What the engine has done in a run, published by the dispatch for other threads. Twenty counters belong together, and a reader must
/// not see some of before and some of after: hence the gate.
/// </summary>
[NotState("What this host has done for the guest; the guest knows nothing of it.")]
internal sealed class RunEngine
{
    private readonly RunMachine _machine;
    private readonly object _gate = new();
    private EngineStatistics _prior;
    private string? _priorFailure;
    private VmEngineMetrics? _published;

    /// <param name="machine">Whose engine it is.</param>
    public RunEngine(RunMachine machine)
    {
        _machine = machine;
    }

    /// <summary>The counters as of the last <see cref="Publish"/>, those before a restart included.</summary>
    public VmEngineMetrics Metrics
    {
        get
        {
            lock (_gate)
            {
                return _published ?? new VmEngineMetrics(_machine.Engine, false, default);
            }
        }
    }

    public void Publish()
    {
        if (_machine.Current is not { Cpu: { } cpu })
        {
            return;
        }

        VmEngineMetrics now = new(_machine.Engine, cpu.IsTranslating, _prior + cpu.Statistics)
        {
            FirstTranslationFailure = _priorFailure ?? cpu.FirstTranslationFailure,
        };
        lock (_gate)
        {
            _published = now;
        }
    }

    /// <summary>The next machine counts on from what is published.</summary>
    public void Restart()
    {
        _prior = Metrics.Counters;
        _priorFailure = Metrics.FirstTranslationFailure;
    }
}
