using System;
using System.Collections.Generic;
using VirtShell.Host.Crash;

namespace VirtShell.Host;

/// <summary>What is known of a VM at the moment that it crashed.</summary>
public sealed record CrashReport
{
    public required string VmName { get; init; }

    public required VmEndKind Kind { get; init; }

    /// <summary>One sentence: what happened.</summary>
    public required string Summary { get; init; }

    public required DateTimeOffset At { get; init; }

    public required long Instructions { get; init; }

    public required TimeSpan GuestTime { get; init; }

    /// <summary>Processor mode in words: "64-bit, CPL 0, paging on".</summary>
    public required string Mode { get; init; }

    /// <summary>Register name to value, in the order in which people print them.</summary>
    public required IReadOnlyList<KeyValuePair<string, ulong>> Registers { get; init; }

    /// <summary>Disassembly around RIP, one line each; the current one begins with "=>".</summary>
    public required IReadOnlyList<string> Disassembly { get; init; }

    public required ulong StackAddress { get; init; }

    public required byte[] StackBytes { get; init; }

    public required IReadOnlyList<string> SerialTail { get; init; }

    /// <summary>For <see cref="VmEndKind.EngineFault"/>: our exception's type and message, no stack trace.</summary>
    public string? EngineError { get; init; }

    /// <summary>The address that the processor last failed to translate (CR2), where paging was on and there was one.</summary>
    public ulong? FaultAddress { get; init; }

    /// <summary>The page tables' entries on the way to <see cref="FaultAddress"/>, one line each.</summary>
    public IReadOnlyList<string> PageWalk { get; init; } = [];

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <exception cref="System.Text.Json.JsonException">The text is damaged.</exception>
    public static CrashReport FromJson(string json) => CrashReportJson.Parse(json);

    /// <summary>The report for people: at most 100 columns, lines end with a newline.</summary>
    public string ToText() => CrashReportText.Format(this);

    /// <summary>The report as indented JSON; addresses, registers and stack bytes are hexadecimal strings.</summary>
    public string ToJson() => CrashReportJson.Format(this);
}
