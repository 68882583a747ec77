using System;
using System.Collections;
using System.Linq;
using System.Management.Automation;
using VirtShell.Host;
using VirtShell.Images;
using VirtShell.Settings;

namespace VirtShell.PowerShell.Binding;

/// <summary>
/// Lets an initramfs be given as a folder or as a table with the keys that suites use:
/// <c>@{ Busybox = 'apt:busybox-static#bin/busybox'; Text = @{ '/init' = "#!/bin/sh`nexec sh" } }</c>.
/// </summary>
public sealed class InitramfsTransformationAttribute : ArgumentTransformationAttribute
{
    private static string Keys => string.Join(", ", InitramfsSettings.All.Select(s => s.Property));

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
                $"'{value}' is no initramfs. Give a folder, or a table with {Keys}; for a finished file use -Initrd."),
        };
    }

    private static InitramfsDefinition FromTable(IDictionary table)
    {
        InitramfsDefinition definition = new();
        foreach (DictionaryEntry entry in table)
        {
            string key = (entry.Key.ToString() ?? string.Empty).Replace("-", string.Empty, StringComparison.Ordinal);
            Setting<InitramfsDefinition> part = InitramfsSettings.All.FirstOrDefault(s => s.Property.Equals(key, StringComparison.OrdinalIgnoreCase))
                ?? throw Bad($"An initramfs has no '{entry.Key}'; there are {Keys}.");
            var reader = new TableValue<InitramfsDefinition>(definition, entry.Value, Bad);
            part.Accept(reader);
            definition = reader.Result;
        }

        return definition;
    }

    private static ArgumentTransformationMetadataException Bad(string message) => new(message);
}
