using System;
using System.Collections.Generic;
using System.Collections.Specialized;
using System.Globalization;
using System.Linq;
using VirtShell.Host;

namespace VirtShell.PowerShell;

/// <summary>A crash report as Get-VMCrashReport gives it out.</summary>
public sealed class VMCrashReport
{
    private readonly CrashReport _report;

    internal VMCrashReport(CrashReport report)
    {
        _report = report;
        Registers = new OrderedDictionary(StringComparer.OrdinalIgnoreCase);
        foreach ((string name, ulong value) in report.Registers)
        {
            Registers[name] = value;
        }
    }

    public string VMName => _report.VmName;

    /// <summary>TripleFault, Hang, Panic, EngineFault or StorageFault.</summary>
    public VmEndKind Kind => _report.Kind;

    /// <summary>One sentence: what happened.</summary>
    public string Summary => _report.Summary;

    public DateTime Time => _report.At.LocalDateTime;

    /// <summary>Instructions retired when it happened.</summary>
    public long Instructions => _report.Instructions;

    public TimeSpan GuestTime => _report.GuestTime;

    /// <summary>The processor's mode in words.</summary>
    public string Mode => _report.Mode;

    /// <summary>Register name to value.</summary>
    public OrderedDictionary Registers { get; }

    /// <summary>Instructions around the current one, which begins with "=>".</summary>
    public IReadOnlyList<string> Disassembly => _report.Disassembly;

    public string StackAddress => _report.StackAddress.ToString("x16", CultureInfo.InvariantCulture);

    public byte[] StackBytes => _report.StackBytes;

    /// <summary>The address that could not be translated, as hexadecimal digits; null where there was none.</summary>
    public string? FaultAddress => _report.FaultAddress?.ToString("x16", CultureInfo.InvariantCulture);

    public IReadOnlyList<string> PageWalk => _report.PageWalk;

    /// <summary>The last lines that the guest sent on COM1, without terminal sequences.</summary>
    public IReadOnlyList<string> SerialTail => [.. _report.SerialTail.Select(Printable.Text)];

    /// <summary>For an engine fault: what went wrong in VirtShell itself.</summary>
    public string? EngineError => _report.EngineError;

    /// <summary>The whole report as text.</summary>
    public string ToText() => _report.ToText();

    /// <summary>The whole report as JSON.</summary>
    public string ToJson() => _report.ToJson();

    public override string ToString() => $"{VMName}: {Summary}";
}
