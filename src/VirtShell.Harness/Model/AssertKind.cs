using System.Text.Json.Nodes;
using VirtShell.Harness.Yaml;

namespace VirtShell.Harness.Model;

/// <summary>How assertions and limits are written.</summary>
internal static class AssertKind
{
    public static readonly ObjectKind<MetricsSpec> Metrics = AllMetrics();

    public static readonly ObjectKind<AssertSpec> Assert = new ObjectKind<AssertSpec>("assert", "assert", "What must be true of the run.")
        .With("end", "How the run must end, or a list of ends that are right. Default: any but a crash.", EndKind.List, (t, v) => t.End = v)
        .With("never", "What must not appear in the serial output: built-in names (linux-panic, linux-oops, ...), text, or {regex: ...}. Default where a kernel is booted: all built-in ones.", new ListKind<TextPattern>(Patterns.NeverPattern, allowSingle: true), (t, v) => t.Never = v)
        .With("allow", "Built-in names (linux-warning, ...) that may appear although nothing is said under never.", new ListKind<string>(Patterns.BuiltInName, allowSingle: true), (t, v) => t.Allow = v)
        .With("serial", "What must appear in the serial output, in this order.", new ListKind<TextPattern>(Patterns.Pattern, allowSingle: true), (t, v) => t.Serial = v)
        .With("metrics", "Bounds on what the run uses.", Metrics, (t, v) => t.Metrics = v)
        .AtMostOne("never", "allow");

    public static readonly ObjectKind<LimitSpec> Limits = new ObjectKind<LimitSpec>("limits", "limits", "Limits of the run.")
        .With("step", "Guest time for each step that does not say otherwise. Default 60s.", Kinds.Duration, (t, v) => t.Step = v)
        .With("guest-time", "Guest time of the whole run. Default 10m.", Kinds.Duration, (t, v) => t.GuestTime = v)
        .With("host-time", "Host time of the whole run; only a safety net, never part of a verdict that should repeat. Default 10m.", Kinds.Duration, (t, v) => t.HostTime = v)
        .With("serial-bytes", "Serial output after which the guest is turned off. Default 16M.", Kinds.Size, (t, v) => t.SerialBytes = v);

    private static ObjectKind<MetricsSpec> AllMetrics()
    {
        var metrics = new ObjectKind<MetricsSpec>("metrics", "metrics", "Bounds on what the run uses.");
        foreach (Metric metric in Metric.All)
        {
            // All counters of the engine are written alike, so they share one entry of the schema.
            ObjectKind<MetricSpec> bounds = Bounds(metric.Name, metric.IsEngine ? "engine" : metric.Name, metric.Unit);
            metrics.With(metric.Name, metric.Meaning, bounds, (t, v) => t.Set(metric.Name, v));
        }

        return metrics;
    }

    private static ObjectKind<MetricSpec> Bounds(string name, string schemaName, Kind<long> unit) => new ObjectKind<MetricSpec>($"metric-{schemaName}", $"the metric {name}", "Bounds; tolerance compares with the baseline file.")
        .With("min", "At least this.", unit, (t, v) => t.Minimum = v)
        .With("max", "At most this.", unit, (t, v) => t.Maximum = v)
        .With("exactly", "Exactly this.", unit, (t, v) => t.Exactly = v)
        .With("tolerance", "Allowed difference from the baseline, up or down; 0 for none.", Kinds.Percent, (t, v) => t.Tolerance = v)
        .Check((metric, mapping, node, diagnostics) =>
        {
            if (metric is { Minimum: null, Maximum: null, Exactly: null, Tolerance: null })
            {
                diagnostics.Add(node.Mark, $"the metric {name} needs a bound: min, max, exactly or tolerance");
            }
            else if (metric.Minimum > metric.Maximum)
            {
                diagnostics.Add(mapping!.Find("min")!.Mark, $"the metric {name} has a min above its max");
            }
        });

    public static JsonObject RootSchema()
    {
        var schema = new SchemaBuilder();
        JsonObject body = TestKind.Suite.Body(schema);
        var root = new JsonObject
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["title"] = "VirtShell suite",
        };
        foreach ((string key, JsonNode? value) in body)
        {
            root[key] = value?.DeepClone();
        }

        root["$defs"] = schema.Definitions;
        return root;
    }
}
