using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace VirtShell.Bench.Results;

/// <summary>Writes everything that was measured, sample by sample, for later comparison.</summary>
public static class ResultJson
{
    private const int Version = 1;
    private static readonly JsonWriterOptions s_indented = new() { Indented = true };

    public static void Write(BenchResult result, Stream stream)
    {
        ArgumentNullException.ThrowIfNull(result);
        using var json = new Utf8JsonWriter(stream, s_indented);
        json.WriteStartObject();
        json.WriteNumber("version", Version);
        json.WriteString("began", result.Began);
        json.WriteString("engineAsked", result.Options.Engine.ToString().ToLowerInvariant());
        json.WriteString("engineUsed", result.EngineUsed?.ToString().ToLowerInvariant());
        json.WriteString("qemu", result.QemuVersion);
        json.WriteString("qemuCpu", result.Options.QemuCpu);
        json.WriteString("compiler", result.Compiler);
        json.WriteString("kernel", result.Kernel);
        json.WriteString("commandLine", BenchOptions.KernelCommandLine);
        json.WriteNumber("memoryMegabytes", BenchOptions.MemoryMegabytes);
        json.WriteNumber("workPercent", result.Options.Percent);
        json.WriteString("clock", result.Options.Clock.ToString().ToLowerInvariant());
        json.WriteString("hostProcessor", HostProcessor());
        json.WriteNumber("hostCores", Environment.ProcessorCount);
        json.WriteString("runtime", RuntimeInformation.FrameworkDescription);
        WriteTexts(json, "notes", result.Notes);
        WriteSamples(json, result);
        Summary summary = result.Summary;
        WriteRows(json, summary);
        WriteTexts(json, "disagreements", summary.Disagreements);
        json.WriteStartArray("marks");
        foreach (Mark mark in Marks.Of(summary))
        {
            json.WriteStartObject();
            json.WriteString("name", mark.Name);
            json.WriteNumber(mark.IsMost ? "most" : "least", mark.Limit);
            WriteNumber(json, "reached", mark.Reached);
            json.WriteBoolean("holds", mark.Holds);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>The host processor's name, as Linux tells it; the architecture elsewhere.</summary>
    public static string HostProcessor()
    {
        const string file = "/proc/cpuinfo";
        string? line = File.Exists(file) ? File.ReadLines(file).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal)) : null;
        return line?.Split(':', 2)[^1].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
    }

    private static void WriteSamples(Utf8JsonWriter json, BenchResult result)
    {
        json.WriteStartArray("samples");
        foreach (Sample sample in result.Samples)
        {
            json.WriteStartObject();
            json.WriteString("contestant", sample.Contestant.Word());
            json.WriteString("program", sample.Program);
            json.WriteNumber("repetition", sample.Repetition);
            json.WriteNumber("milliseconds", Math.Round(sample.Milliseconds, 3));
            WriteNumber(json, "processorMilliseconds", sample.ProcessorMilliseconds);
            json.WriteString("checksum", sample.Checksum.ToString("x16"));
            if (sample.Instructions is { } instructions)
            {
                json.WriteNumber("instructions", instructions);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("boots");
        foreach (BootSample boot in result.Boots)
        {
            json.WriteStartObject();
            json.WriteString("contestant", boot.Contestant.Word());
            json.WriteNumber("repetition", boot.Repetition);
            json.WriteNumber("milliseconds", Math.Round(boot.Milliseconds, 3));
            WriteNumber(json, "processorMilliseconds", boot.ProcessorMilliseconds);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteRows(Utf8JsonWriter json, Summary summary)
    {
        json.WriteStartArray("rows");
        foreach (ResultRow row in summary.Boot is { } boot ? summary.Programs.Append(boot) : summary.Programs)
        {
            json.WriteStartObject();
            json.WriteString("name", row.Name);
            json.WriteString("group", row.Group?.ToString().ToLowerInvariant());
            foreach ((Contestant contestant, Measure measure) in row.Times)
            {
                json.WriteStartObject(contestant.Word());
                json.WriteNumber("median", Math.Round(measure.Median, 3));
                json.WriteNumber("least", Math.Round(measure.Least, 3));
                json.WriteNumber("most", Math.Round(measure.Most, 3));
                json.WriteEndObject();
            }

            WriteNumber(json, "speedAgainstQemu", row.SpeedAgainst(Contestant.Qemu));
            WriteNumber(json, "speedAgainstIcount", row.SpeedAgainst(Contestant.QemuIcount));
            WriteNumber(json, "timeOfNative", row.Slowdown);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteTexts(Utf8JsonWriter json, string name, IEnumerable<string> texts)
    {
        json.WriteStartArray(name);
        foreach (string text in texts)
        {
            json.WriteStringValue(text);
        }

        json.WriteEndArray();
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, double? value)
    {
        if (value is { } number)
        {
            json.WriteNumber(name, Math.Round(number, 4));
        }
        else
        {
            json.WriteNull(name);
        }
    }
}
