using VirtShell.Cpu;

namespace VirtShell.Host.Running;

/// <summary>What the engine has done, published for other threads.</summary>
internal sealed partial class MachineRun
{
    private readonly object _engineGate = new();
    private EngineStatistics _priorEngine;
    private string? _priorFailure;
    private VmEngineMetrics? _publishedEngine;

    /// <summary>The engine's counters as of the end of the last dispatch, those before a restart included.</summary>
    public VmEngineMetrics Engine
    {
        get
        {
            // Twenty counters that belong together: a reader must not see some of before and some of after.
            lock (_engineGate)
            {
                return _publishedEngine ?? new VmEngineMetrics(_engine, false, default);
            }
        }
    }

    private void PublishEngine()
    {
        if (_metricsFrozen || _machine is not { } machine)
        {
            return;
        }

        VmEngineMetrics now = new(_engine, machine.Cpu.IsTranslating, _priorEngine + machine.Cpu.Statistics)
        {
            FirstTranslationFailure = _priorFailure ?? machine.Cpu.FirstTranslationFailure,
        };
        lock (_engineGate)
        {
            _publishedEngine = now;
        }
    }
}
