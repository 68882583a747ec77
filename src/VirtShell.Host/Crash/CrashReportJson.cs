using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using System.Text.Json;
using VirtShell.Host.Inventory;

namespace VirtShell.Host.Crash;

/// <summary>A crash report as JSON. 64-bit values are strings, since many readers of JSON keep only 53 bits of a number.</summary>
internal sealed record CrashReportJson
{
    public required string VmName { get; init; }

    public required VmEndKind Kind { get; init; }

    public required string Summary { get; init; }

    public required DateTimeOffset At { get; init; }

    public required long Instructions { get; init; }

    public required double GuestSeconds { get; init; }

    public required string Mode { get; init; }

    public required Dictionary<string, string> Registers { get; init; }

    public required IReadOnlyList<string> Disassembly { get; init; }

    public required string StackAddress { get; init; }

    public required string StackBytes { get; init; }

    public required IReadOnlyList<string> SerialTail { get; init; }

    public string? EngineError { get; init; }

    public string? FaultAddress { get; init; }

    /// <summary>Null in reports of before it was written.</summary>
    public IReadOnlyList<string>? PageWalk { get; init; }

    public static string Format(CrashReport report) => JsonSerializer.Serialize(
        new CrashReportJson
        {
            VmName = report.VmName,
            Kind = report.Kind,
            Summary = report.Summary,
            At = report.At,
            Instructions = report.Instructions,
            GuestSeconds = report.GuestTime.TotalSeconds,
            Mode = report.Mode,
            Registers = report.Registers.ToDictionary(one => one.Key, one => Hex(one.Value)),
            Disassembly = report.Disassembly,
            StackAddress = Hex(report.StackAddress),
            StackBytes = Convert.ToHexString(report.StackBytes),
            SerialTail = report.SerialTail,
            EngineError = report.EngineError,
            FaultAddress = report.FaultAddress is { } address ? Hex(address) : null,
            PageWalk = report.PageWalk,
        },
        HostJson.Default.CrashReportJson);

    public static CrashReport Parse(string text)
    {
        CrashReportJson json = HostJson.Read(Encoding.UTF8.GetBytes(text), HostJson.Default.CrashReportJson) ?? throw new JsonException("The crash report is empty.");
        if (!Enum.IsDefined(json.Kind) || HoldsNull(json.Registers.Values) || HoldsNull(json.Disassembly) || HoldsNull(json.SerialTail) || HoldsNull(json.PageWalk ?? []))
        {
            throw new JsonException("The crash report holds a null or an unknown kind where a value is needed.");
        }

        try
        {
            return new CrashReport
            {
                VmName = json.VmName,
                Kind = json.Kind,
                Summary = json.Summary,
                At = json.At,
                Instructions = json.Instructions,
                GuestTime = TimeSpan.FromSeconds(json.GuestSeconds),
                Mode = json.Mode,
                Registers = [.. json.Registers.Select(one => KeyValuePair.Create(one.Key, Number(one.Value)))],
                Disassembly = json.Disassembly,
                StackAddress = Number(json.StackAddress),
                StackBytes = Convert.FromHexString(json.StackBytes),
                SerialTail = json.SerialTail,
                EngineError = json.EngineError,
                FaultAddress = json.FaultAddress is { } address ? Number(address) : null,
                PageWalk = json.PageWalk ?? [],
            };
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            throw new JsonException("The crash report holds a number that is none: " + e.Message, e);
        }
    }

    private static bool HoldsNull(IEnumerable<string> values) => values.Any(value => value is null);

    private static string Hex(ulong value) => "0x" + value.ToString("x16", CultureInfo.InvariantCulture);

    private static ulong Number(string text) =>
        text.StartsWith("0x", StringComparison.Ordinal) ? ulong.Parse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture) : throw new FormatException(text);
}
