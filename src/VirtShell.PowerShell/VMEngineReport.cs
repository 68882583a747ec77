using System;
using System.Collections.Generic;
using System.Management.Automation;
using VirtShell.Cpu;
using VirtShell.Host;

namespace VirtShell.PowerShell;

/// <summary>What the engine did for a VM in its current or last run, as Measure-VM -Engine gives it out.</summary>
public sealed class VMEngineReport
{
    private readonly VmEngineMetrics _metrics;

    internal VMEngineReport(VirtualMachine vm)
    {
        _metrics = vm.Vm.EngineMetrics;
        VMName = vm.Name;
        VMId = vm.Id;
    }

    public string VMName { get; }

    public Guid VMId { get; }

    /// <summary>The engine that was asked for.</summary>
    public EngineKind Engine => _metrics.Engine;

    /// <summary>Whether guest code becomes host code: what <see cref="Engine"/> comes to on this host.</summary>
    public bool IsTranslating => _metrics.IsTranslating;

    /// <summary>Instructions retired by either engine.</summary>
    public long Instructions => _metrics.Instructions;

    /// <summary>The share of instructions that translated code retired, from 0 to 1.</summary>
    public double TranslatedShare => _metrics.TranslatedShare;

    /// <summary>What went wrong when the translator failed for the first time, for a report of the fault; null where it has not.</summary>
    public string? FirstTranslationFailure => _metrics.FirstTranslationFailure;

    /// <summary>A table of all counters.</summary>
    public string ToText() => $"VM '{VMName}'\n{_metrics.ToText()}";

    public override string ToString() => VMName;

    /// <summary>This report with every counter as a property, whatever counters the engine has.</summary>
    internal PSObject WithCounters()
    {
        PSObject report = new(this);
        foreach (KeyValuePair<string, long> counter in _metrics.Values)
        {
            report.Properties.Add(new PSNoteProperty(counter.Key, counter.Value));
        }

        return report;
    }
}
