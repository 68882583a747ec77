using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using VirtShell.Storage;

namespace VirtShell.Harness.Execution;

/// <summary>
/// A suite's baseline: item name to metric to value, as JSON with sorted keys, so that a change reads well as a diff.
/// Items that a run does not touch keep their values.
/// </summary>
internal sealed class BaselineFile
{
    private const string VersionKey = "version";
    private const string ItemsKey = "items";
    private const int Version = 1;
    private const int LargestFile = 64 << 20;

    private static readonly JsonSerializerOptions s_options = new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly SortedDictionary<string, SortedDictionary<string, long>> _items = new(StringComparer.Ordinal);

    private BaselineFile(string path)
    {
        Path = path;
    }

    public string Path { get; }

    /// <exception cref="SuiteException">The file is there but no baseline.</exception>
    public static BaselineFile Load(string path)
    {
        var file = new BaselineFile(path);
        if (!File.Exists(path))
        {
            return file;
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(FileContent.Read(path, LargestFile));
            JsonElement root = document.RootElement;
            if (root.GetProperty(VersionKey).GetInt32() != Version)
            {
                throw new SuiteException([new SuiteDiagnostic(path, 0, 0, $"baseline of version {root.GetProperty(VersionKey)}; this program reads version {Version}. Write it anew with --update-baseline.")]);
            }

            foreach (JsonProperty item in root.GetProperty(ItemsKey).EnumerateObject())
            {
                var metrics = new SortedDictionary<string, long>(StringComparer.Ordinal);
                foreach (JsonProperty metric in item.Value.EnumerateObject())
                {
                    metrics[metric.Name] = metric.Value.GetInt64();
                }

                file._items[item.Name] = metrics;
            }
        }
        catch (JsonException e)
        {
            throw new SuiteException([new SuiteDiagnostic(path, (int)(e.LineNumber ?? 0) + 1, (int)(e.BytePositionInLine ?? 0) + 1, "not valid JSON; mend it, or delete it and write it anew with --update-baseline")]);
        }
        catch (Exception e) when (e is InvalidOperationException or KeyNotFoundException or FormatException or IOException or UnauthorizedAccessException)
        {
            throw new SuiteException([new SuiteDiagnostic(path, 0, 0, $"cannot be read as a baseline ({e.Message}); mend it, or delete it and write it anew with --update-baseline")]);
        }

        return file;
    }

    public long? Find(string item, string metric) => _items.TryGetValue(item, out SortedDictionary<string, long>? metrics) && metrics.TryGetValue(metric, out long value) ? value : null;

    public void Set(string item, string metric, long value)
    {
        if (!_items.TryGetValue(item, out SortedDictionary<string, long>? metrics))
        {
            _items[item] = metrics = new SortedDictionary<string, long>(StringComparer.Ordinal);
        }

        metrics[metric] = value;
    }

    /// <summary>Writes it whole or not at all.</summary>
    public void Save()
    {
        var all = new JsonObject();
        foreach ((string item, SortedDictionary<string, long> metrics) in _items)
        {
            var values = new JsonObject();
            foreach ((string metric, long value) in metrics)
            {
                values[metric] = value;
            }

            all[item] = values;
        }

        var root = new JsonObject { [VersionKey] = Version, [ItemsKey] = all };
        PrivateFile.Replace(Path, Encoding.UTF8.GetBytes(root.ToJsonString(s_options) + "\n"), isPrivate: false);
    }
}
