using System;
using System.Collections.Generic;
using System.Collections.Specialized;
using System.Linq;
using VirtShell.Harness;
using VirtShell.Host;

namespace VirtShell.PowerShell;

/// <summary>What one item of a suite came to, as Invoke-VMTest gives it out.</summary>
public sealed class VMTestResult
{
    private readonly ItemResult _result;

    internal VMTestResult(ItemResult result)
    {
        _result = result;
        Matrix = new OrderedDictionary(StringComparer.OrdinalIgnoreCase);
        foreach ((string axis, string value) in result.Item.Matrix)
        {
            Matrix[axis] = value;
        }
    }

    /// <summary>The item's full name on one line: suite / test (matrix values).</summary>
    public string Name => Printable.Escape(_result.Name);

    public Outcome Outcome => _result.Outcome;

    /// <summary>Why it did not pass; empty where it did.</summary>
    public string Message => Printable.Log(_result.Message);

    /// <summary>Host time.</summary>
    public TimeSpan Duration => _result.Duration;

    /// <summary>Instructions that the guest retired; 0 where that was not measured.</summary>
    public long Instructions => _result.Metrics.FirstOrDefault(m => m.Name == "instructions")?.Value ?? 0;

    public string Suite => _result.Item.SuiteName;

    public string SuiteFile => _result.Item.SuiteFile;

    public string Test => _result.Item.TestName;

    /// <summary>Axis to value.</summary>
    public OrderedDictionary Matrix { get; }

    /// <summary>How the guest's run ended.</summary>
    public VmEndKind End => _result.End;

    public int EndCode => _result.EndCode;

    public IReadOnlyList<StepResult> Steps => _result.Steps;

    public IReadOnlyList<AssertionResult> Assertions => _result.Assertions;

    public IReadOnlyList<MetricResult> Metrics => _result.Metrics;

    /// <summary>Null where the guest did not crash.</summary>
    public VMCrashReport? CrashReport => _result.CrashReport is null ? null : new VMCrashReport(_result.CrashReport);

    /// <summary>Everything that the guest sent on COM1, as plain text without terminal sequences.</summary>
    public string SerialText => Printable.Text(_result.SerialText);

    /// <summary>The same byte for byte.</summary>
    public byte[] SerialBytes => _result.Serial;

    public override string ToString() => $"{Outcome}: {Name}";
}
