using System.Globalization;
using System.Text.Json.Nodes;

namespace VirtShell.Settings;

/// <summary>What a number counts, and so the units that it may be written in.</summary>
public enum NumberUnit
{
    /// <summary>Bytes; K, M, G and T count in 1024s whether written M, MB or MiB, as people expect of memory.</summary>
    Size,

    /// <summary>A count; K, M, G and T count in 1000s.</summary>
    Count,

    /// <summary>Nanoseconds; the unit is required.</summary>
    Duration,
}

/// <summary>A number with a unit, within bounds.</summary>
/// <param name="unit">What it counts.</param>
/// <param name="least">The least that may be.</param>
/// <param name="most">The most that may be; <see cref="long.MaxValue"/> for no bound.</param>
/// <param name="multiple">What it is a multiple of.</param>
public sealed class NumberKind(NumberUnit unit, long least = 0, long most = long.MaxValue, long multiple = 1) : ScalarKind<long>
{
    public override string Word => unit switch
    {
        NumberUnit.Size => "size",
        NumberUnit.Count => "count",
        _ => "time",
    };

    public override string Expected => unit switch
    {
        NumberUnit.Size => "a size such as 64K, 128M or 1G (K, M and G count in 1024s)",
        NumberUnit.Count => "a count such as 5000, 20M or 3G (K, M and G count in 1000s)",
        _ => "a duration such as 500ms, 30s or 2m",
    };

    public override string? Bounds
    {
        get
        {
            string? range = (least, most) switch
            {
                (<= 0, long.MaxValue) => null,
                (_, long.MaxValue) => $"{Format(least)} or more",
                _ => $"from {Format(least)} to {Format(most)}",
            };
            string? step = multiple > 1 ? $"a multiple of {Format(multiple)}" : null;
            return range is null || step is null ? range ?? step : $"{step}, {range}";
        }
    }

    public override string? Problem(string subject, long value) =>
        value >= least && value <= most && value % multiple == 0 ? null : $"{subject} is {Bounds ?? $"{Format(least)} or more"}; {Format(value)} is not";

    public override bool TryParse(string text, out long value) => unit switch
    {
        NumberUnit.Size => Units.TryParseSize(text, out value),
        NumberUnit.Count => Units.TryParseCount(text, out value),
        _ => Units.TryParseDuration(text, out value),
    };

    public override string Format(long value) => unit switch
    {
        NumberUnit.Size => Units.WriteSize(value),
        NumberUnit.Count => Units.WriteCount(value),
        _ => Units.WriteDuration(value),
    };

    public override string? Show(long value, FrontEnd frontEnd)
    {
        // PowerShell's own suffixes: 256MB.
        string text = Format(value);
        return frontEnd == FrontEnd.Cmdlets && unit == NumberUnit.Size && char.IsLetter(text[^1]) ? text + "B" : text;
    }

    public override JsonObject Schema() => unit == NumberUnit.Duration
        ? new() { ["type"] = "string", ["pattern"] = @"^\s*[0-9.]+\s*(ns|us|ms|s|m|h)\s*$" }
        : new() { ["type"] = new JsonArray("string", "integer") };
}

/// <summary>A whole number without a unit.</summary>
public sealed class IntegerKind(int least, int most = int.MaxValue) : ScalarKind<int>
{
    public override string Word => "number";

    public override string Expected => $"a whole number {(most == int.MaxValue ? $"of {least} or more" : $"from {least} to {most}")}";

    public override string? Problem(string subject, int value) => value >= least && value <= most ? null : $"{subject} is {Expected}; {Format(value)} is not";

    /// <inheritdoc/>
    /// <remarks>One out of its bounds is no such number.</remarks>
    public override bool TryParse(string text, out int value) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value) && value >= least && value <= most;

    public override string Format(int value) => value.ToString(CultureInfo.InvariantCulture);

    public override JsonObject Schema() => new() { ["type"] = "integer", ["minimum"] = least, ["maximum"] = most };
}

/// <summary>A share, written in percent.</summary>
public sealed class PercentKind : ScalarKind<double>
{
    public override string Word => "percent";

    public override string Expected => "a percentage such as 0%, 0.5% or 10%";

    public override bool TryParse(string text, out double value) => Units.TryParsePercent(text, out value);

    public override string Format(double value) => (value * 100).ToString("R", CultureInfo.InvariantCulture) + "%";

    public override JsonObject Schema() => new() { ["type"] = new JsonArray("string", "number") };
}
