using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using VirtShell.Images;

namespace VirtShell.PowerShell.Binding;

/// <summary>
/// Lets an initramfs be given as a folder or as a table with the keys that suites use:
/// <c>@{ Busybox = 'apt:busybox-static#bin/busybox'; Text = @{ '/init' = "#!/bin/sh`nexec sh" } }</c>.
/// </summary>
public sealed class InitramfsTransformationAttribute : ArgumentTransformationAttribute
{
    private static readonly string[] Keys = ["Folder", "Files", "Text", "Links", "Busybox", "Modules", "ModulesFrom", "Nodes"];

    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        object value = inputData is PSObject { BaseObject: not PSCustomObject } wrapped ? wrapped.BaseObject : inputData;
        return value switch
        {
            InitramfsDefinition definition => definition,
            string folder when folder.Length > 0 => new InitramfsDefinition { Folder = folder },
            System.IO.DirectoryInfo folder => new InitramfsDefinition { Folder = folder.FullName },
            IDictionary table => FromTable(table),
            _ => throw new ArgumentTransformationMetadataException(
                $"'{value}' is no initramfs. Give a folder, or a table with {string.Join(", ", Keys)}; for a finished file use -Initrd."),
        };
    }

    private static InitramfsDefinition FromTable(IDictionary table)
    {
        Dictionary<string, object?> values = new(StringComparer.OrdinalIgnoreCase);
        foreach (DictionaryEntry entry in table)
        {
            string key = (entry.Key.ToString() ?? string.Empty).Replace("-", string.Empty, StringComparison.Ordinal);
            if (!Keys.Contains(key, StringComparer.OrdinalIgnoreCase))
            {
                throw new ArgumentTransformationMetadataException($"An initramfs has no '{entry.Key}'; there are {string.Join(", ", Keys)}.");
            }

            values[key] = Unwrap(entry.Value);
        }

        return new InitramfsDefinition
        {
            Folder = Text(values, "Folder"),
            Files = Map(values, "Files"),
            Text = Map(values, "Text"),
            Links = Map(values, "Links"),
            Busybox = Text(values, "Busybox"),
            Modules = List(values, "Modules"),
            ModulesFrom = Text(values, "ModulesFrom"),
            Nodes = Map(values, "Nodes"),
        };
    }

    private static object? Unwrap(object? value) => value is PSObject wrapped ? wrapped.BaseObject : value;

    private static string? Text(Dictionary<string, object?> values, string key) => values.GetValueOrDefault(key)?.ToString();

    private static List<string> List(Dictionary<string, object?> values, string key) => values.GetValueOrDefault(key) switch
    {
        null => [],
        string one => [one],
        IEnumerable many => [.. many.Cast<object?>().Select(item => item?.ToString() ?? string.Empty)],
        var other => [other.ToString() ?? string.Empty],
    };

    private static Dictionary<string, string> Map(Dictionary<string, object?> values, string key)
    {
        Dictionary<string, string> map = new(StringComparer.Ordinal);
        switch (values.GetValueOrDefault(key))
        {
            case null:
                break;
            case IDictionary table:
                foreach (DictionaryEntry entry in table)
                {
                    map[entry.Key.ToString() ?? string.Empty] = Unwrap(entry.Value)?.ToString() ?? string.Empty;
                }

                break;
            default:
                throw new ArgumentTransformationMetadataException($"An initramfs' {key} is a table: @{{ '/path' = '…' }}.");
        }

        return map;
    }
}
