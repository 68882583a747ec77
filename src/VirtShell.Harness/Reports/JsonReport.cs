using System;
using System.Collections.Generic;
using System.IO;
using System.Text.Encodings.Web;
using System.Text.Json;
using VirtShell.Host;

namespace VirtShell.Harness.Reports;

/// <summary>A run as JSON, for programs; names are kebab-case as in suites, times are in seconds, sizes in bytes. Fields are only ever added.</summary>
internal static class JsonReport
{
    private const int Version = 1;

    /// <summary>Characters of a serial log, of which the end is kept, and of a command's output.</summary>
    private const int LongestSerial = 16 * 1024;

    /// <param name="result">The run.</param>
    /// <param name="stream">Where to.</param>
    /// <param name="serialFile">The file with an item's serial log, relative to the report; null where none is written.</param>
    public static void Write(RunResult result, Stream stream, Func<ItemResult, string?> serialFile)
    {
        var options = new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using var json = new Utf8JsonWriter(stream, options);
        json.WriteStartObject();
        json.WriteNumber("version", Version);
        json.WriteString("program", $"VirtShell {typeof(JsonReport).Assembly.GetName().Version?.ToString(3)}");
        json.WriteString("started-at", result.StartedAt);
        json.WriteNumber("duration", result.Duration.TotalSeconds);
        json.WriteNumber("passed", result.Passed);
        json.WriteNumber("failed", result.Failed);
        json.WriteNumber("errors", result.Errors);
        json.WriteNumber("not-run", result.NotRun);
        json.WriteNumber("exit-code", result.ExitCode);
        json.WriteStartArray("items");
        foreach (ItemResult item in result.Items)
        {
            WriteItem(json, item, serialFile(item));
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteItem(Utf8JsonWriter json, ItemResult item, string? serialFile)
    {
        json.WriteStartObject();
        Text(json, "name", item.Name);
        Text(json, "suite", item.Item.SuiteName);
        Text(json, "file", item.Item.SuiteFile);
        Text(json, "test", item.Item.TestName);
        WritePairs(json, "matrix", item.Item.Matrix);
        WritePairs(json, "configuration", item.Configuration);
        json.WriteString("outcome", Word(item.Outcome));
        Text(json, "message", item.Message);
        json.WriteNumber("duration", item.Duration.TotalSeconds);
        json.WriteString("end", item.End == VmEndKind.None ? null : JsonNamingPolicy.KebabCaseLower.ConvertName(item.End.ToString()));
        json.WriteNumber("end-code", item.EndCode);
        WriteSteps(json, item.Steps);
        json.WriteStartArray("assertions");
        foreach (AssertionResult assertion in item.Assertions)
        {
            json.WriteStartObject();
            Text(json, "name", assertion.Name);
            json.WriteString("outcome", Word(assertion.Outcome));
            Text(json, "message", assertion.Message);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartObject("metrics");
        foreach (MetricResult metric in item.Metrics)
        {
            json.WriteStartObject(metric.Name);
            json.WriteNumber("value", metric.Value);
            if (metric.Baseline is { } baseline)
            {
                json.WriteNumber("baseline", baseline);
            }

            json.WriteEndObject();
        }

        json.WriteEndObject();
        if (item.CrashReport is { } crash)
        {
            json.WritePropertyName("crash");
            json.WriteRawValue(crash.ToJson());
        }

        json.WriteNumber("serial-bytes", item.Serial.Length);
        if (serialFile is not null)
        {
            json.WriteString("serial-file", serialFile);
        }

        // The whole log is in the file; here is what is looked at first.
        Text(json, "serial", Printable.Tail(item.SerialText, LongestSerial));
        json.WriteEndObject();
    }

    private static void WriteSteps(Utf8JsonWriter json, IReadOnlyList<StepResult> steps)
    {
        json.WriteStartArray("steps");
        foreach (StepResult step in steps)
        {
            json.WriteStartObject();
            json.WriteNumber("number", step.Number);
            Text(json, "description", step.Description);
            json.WriteString("outcome", Word(step.Outcome));
            Text(json, "message", step.Message);
            json.WriteNumber("started-at", step.StartedAt.TotalSeconds);
            json.WriteNumber("guest-time", step.GuestTime.TotalSeconds);
            json.WriteNumber("instructions", step.Instructions);
            if (step.Output is not null)
            {
                Text(json, "output", Cut(step.Output));
            }

            if (step.ExitStatus is { } status)
            {
                json.WriteNumber("exit-status", status);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WritePairs(Utf8JsonWriter json, string name, IReadOnlyList<KeyValuePair<string, string>> pairs)
    {
        json.WriteStartObject(name);
        foreach (KeyValuePair<string, string> pair in pairs)
        {
            json.WriteString(Printable.Json(pair.Key), Printable.Json(pair.Value));
        }

        json.WriteEndObject();
    }

    private static void Text(Utf8JsonWriter json, string name, string value) => json.WriteString(name, Printable.Json(value));

    private static string Cut(string output) => output.Length <= LongestSerial ? output
        : $"{Printable.Head(output, LongestSerial / 2)}\n[... {output.Length - LongestSerial} characters are left out here ...]\n{Printable.Tail(output, LongestSerial / 2)}";

    private static string Word(Outcome outcome) => JsonNamingPolicy.KebabCaseLower.ConvertName(outcome.ToString());
}
