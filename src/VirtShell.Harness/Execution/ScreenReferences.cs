using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;
using VirtShell.Storage;

namespace VirtShell.Harness.Execution;

/// <summary>
/// The pictures that a suite's screens are compared with, as hashes: item name to picture to hash, as JSON with sorted keys beside
/// the suite. Safe for items that run at the same time.
/// </summary>
internal sealed class ScreenReferences
{
    private const int LargestFile = 16 << 20;

    private static readonly JsonSerializerOptions s_options = new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Lock _gate = new();
    private readonly string _path;
    private readonly SortedDictionary<string, SortedDictionary<string, string>> _items = new(StringComparer.Ordinal);
    private bool _changed;

    private ScreenReferences(string path, bool isUpdating)
    {
        _path = path;
        IsUpdating = isUpdating;
    }

    /// <summary>No pictures, for scripts without a suite.</summary>
    public static ScreenReferences None { get; } = new(string.Empty, isUpdating: false);

    /// <summary>Whether what screens show is stored, and not compared.</summary>
    public bool IsUpdating { get; }

    /// <summary>The file of a suite's pictures: the suite's name with another ending.</summary>
    public static string PathOf(string suiteFile) => Path.ChangeExtension(suiteFile, ".screens.json");

    /// <exception cref="SuiteException">The file is there but cannot be read.</exception>
    public static ScreenReferences Load(string suiteFile, bool isUpdating)
    {
        ScreenReferences references = new(PathOf(suiteFile), isUpdating);
        if (!File.Exists(references._path))
        {
            return references;
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(FileContent.Read(references._path, LargestFile));
            foreach (JsonProperty item in document.RootElement.EnumerateObject())
            {
                foreach (JsonProperty picture in item.Value.EnumerateObject())
                {
                    references.Put(item.Name, picture.Name, picture.Value.GetString() ?? string.Empty);
                }
            }
        }
        catch (JsonException e)
        {
            throw new SuiteException([new SuiteDiagnostic(references._path, (int)(e.LineNumber ?? 0) + 1, (int)(e.BytePositionInLine ?? 0) + 1, "not valid JSON; mend it, or delete it and write it anew with --update-references")]);
        }
        catch (Exception e) when (e is InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            throw new SuiteException([new SuiteDiagnostic(references._path, 0, 0, $"cannot be read as pictures of screens ({e.Message}); mend it, or delete it and write it anew with --update-references")]);
        }

        return references;
    }

    public string? Find(string item, string picture)
    {
        lock (_gate)
        {
            return _items.TryGetValue(item, out SortedDictionary<string, string>? pictures) ? pictures.GetValueOrDefault(picture) : null;
        }
    }

    public void Set(string item, string picture, string hash)
    {
        lock (_gate)
        {
            Put(item, picture, hash);
            _changed = true;
        }
    }

    /// <summary>Writes what was stored; gives the file's path, or null where nothing was.</summary>
    /// <exception cref="SuiteException">It cannot be written.</exception>
    public string? Save()
    {
        lock (_gate)
        {
            if (!_changed)
            {
                return null;
            }

            JsonObject all = [];
            foreach ((string item, SortedDictionary<string, string> pictures) in _items)
            {
                JsonObject values = [];
                foreach ((string picture, string hash) in pictures)
                {
                    values[picture] = hash;
                }

                all[item] = values;
            }

            try
            {
                PrivateFile.Replace(_path, Encoding.UTF8.GetBytes(all.ToJsonString(s_options) + "\n"), isPrivate: false);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new SuiteException([new SuiteDiagnostic(_path, 0, 0, $"the pictures of screens cannot be written: {e.Message}")]);
            }

            return _path;
        }
    }

    private void Put(string item, string picture, string hash)
    {
        if (!_items.TryGetValue(item, out SortedDictionary<string, string>? pictures))
        {
            _items[item] = pictures = new SortedDictionary<string, string>(StringComparer.Ordinal);
        }

        pictures[picture] = hash;
    }
}
