using System;
using System.Collections;
using System.Linq;
using System.Management.Automation;
using VirtShell.Host;
using VirtShell.Settings;

namespace VirtShell.PowerShell.Binding;

/// <summary>
/// Lets a disk be given as a path (the guest's writes are then thrown away at power-off) or as a table with the access:
/// <c>@{ Source = 'root.img'; Access = 'ReadWrite' }</c>, and for an overlay the bytes of changes that it takes
/// (<c>OverlayLimit = 8GB</c>).
/// </summary>
public sealed class DiskTransformationAttribute : ArgumentTransformationAttribute
{
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        object value = inputData is PSObject { BaseObject: not PSCustomObject } wrapped ? wrapped.BaseObject : inputData;
        return value switch
        {
            null => Array.Empty<VmDisk>(),
            VmDisk disk => new[] { disk },
            string => new[] { One(value) },
            IDictionary => new[] { One(value) },
            IEnumerable many => many.Cast<object>().Select(One).ToArray(),
            _ => new[] { One(value) },
        };
    }

    private static VmDisk One(object item)
    {
        object value = item is PSObject { BaseObject: not PSCustomObject } wrapped ? wrapped.BaseObject : item;
        return value switch
        {
            VmDisk disk => disk,
            string path when path.Length > 0 => new VmDisk(path),
            System.IO.FileSystemInfo file => new VmDisk(file.FullName),
            IDictionary table => FromTable(table),
            _ => throw Bad($"'{value}' is no disk."),
        };
    }

    private static VmDisk FromTable(IDictionary table)
    {
        VmDisk disk = new(string.Empty);
        foreach (DictionaryEntry entry in table)
        {
            string key = entry.Key.ToString() ?? string.Empty;
            string name = key.Equals("Path", StringComparison.OrdinalIgnoreCase) ? VmDiskSettings.Source.Property : key;
            Setting<VmDisk> setting = VmDiskSettings.All.FirstOrDefault(s => s.Property.Equals(name, StringComparison.OrdinalIgnoreCase))
                ?? throw Bad($"A disk has no '{key}'; there are {string.Join(", ", VmDiskSettings.All.Select(s => s.Property))}.");
            var reader = new TableValue<VmDisk>(disk, entry.Value, Bad);
            setting.Accept(reader);
            disk = reader.Result;
        }

        return disk.Source.Length == 0 ? throw Bad("A disk needs a Source.") : disk;
    }

    private static ArgumentTransformationMetadataException Bad(string message) =>
        new(message + " Give a path, or a table: @{ Source = 'root.img'; Access = 'ReadWrite' }.");
}
