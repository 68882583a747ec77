using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using VirtShell.Settings;

namespace VirtShell.PowerShell.Binding;

/// <summary>Lets something that has settings of its own be given as a path or as a table: a disk, a drive.</summary>
/// <typeparam name="T">What it is.</typeparam>
public abstract class RecordTransformationAttribute<T> : ArgumentTransformationAttribute
    where T : class
{
    /// <summary>One of which nothing is said.</summary>
    protected abstract T Blank { get; }

    /// <summary>What it may have, the source first.</summary>
    protected abstract IReadOnlyList<Setting<T>> Settings { get; }

    /// <summary>What it is called, with its article.</summary>
    protected abstract string What { get; }

    /// <summary>How to write one, for messages.</summary>
    protected abstract string Hint { get; }

    /// <summary>Whether it may be without a source, as an empty drive is.</summary>
    protected abstract bool IsEmptyAllowed { get; }

    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        object value = inputData is PSObject { BaseObject: not PSCustomObject } wrapped ? wrapped.BaseObject : inputData;
        return value switch
        {
            null => Array.Empty<T>(),
            string or IDictionary or T => new[] { One(value) },
            IEnumerable many => many.Cast<object>().Select(One).ToArray(),
            _ => new[] { One(value) },
        };
    }

    private T One(object? item)
    {
        object? value = item is PSObject { BaseObject: not PSCustomObject } wrapped ? wrapped.BaseObject : item;
        return value switch
        {
            T record => record,
            null or "" when IsEmptyAllowed => Blank,
            string path when path.Length > 0 => Settings[0].WithValue(Blank, path),
            System.IO.FileSystemInfo file => Settings[0].WithValue(Blank, file.FullName),
            IDictionary table => FromTable(table),
            _ => throw Bad($"'{value}' is no {What[(What.IndexOf(' ', StringComparison.Ordinal) + 1)..]}."),
        };
    }

    private T FromTable(IDictionary table)
    {
        T record = Blank;
        foreach (DictionaryEntry entry in table)
        {
            string key = entry.Key.ToString() ?? string.Empty;
            string name = key.Equals("Path", StringComparison.OrdinalIgnoreCase) ? Settings[0].Property : key;
            Setting<T> setting = Settings.FirstOrDefault(s => s.Property.Equals(name, StringComparison.OrdinalIgnoreCase))
                ?? throw Bad($"{char.ToUpperInvariant(What[0])}{What[1..]} has no '{key}'; there are {string.Join(", ", Settings.Select(s => s.Property))}.");
            var reader = new TableValue<T>(record, entry.Value, Bad);
            setting.Accept(reader);
            record = reader.Result;
        }

        return !IsEmptyAllowed && string.IsNullOrEmpty(Settings[0].ValueOf(record) as string) ? throw Bad($"{char.ToUpperInvariant(What[0])}{What[1..]} needs a Source.") : record;
    }

    private ArgumentTransformationMetadataException Bad(string message) => new($"{message} {Hint}");
}
