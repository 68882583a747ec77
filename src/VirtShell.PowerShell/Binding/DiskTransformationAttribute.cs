using System;
using System.Collections;
using System.Globalization;
using System.Linq;
using System.Management.Automation;
using VirtShell.Host;

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
        string? source = null;
        DiskAccess access = DiskAccess.Overlay;
        long limit = VmDisk.DefaultOverlayLimit;
        foreach (DictionaryEntry entry in table)
        {
            string key = entry.Key.ToString() ?? string.Empty;
            string text = entry.Value?.ToString() ?? string.Empty;
            if (key.Equals("Source", StringComparison.OrdinalIgnoreCase) || key.Equals("Path", StringComparison.OrdinalIgnoreCase))
            {
                source = text;
            }
            else if (key.Equals("Access", StringComparison.OrdinalIgnoreCase))
            {
                access = Enum.TryParse(text.Replace("-", string.Empty, StringComparison.Ordinal), ignoreCase: true, out DiskAccess parsed) && Enum.IsDefined(parsed)
                    ? parsed
                    : throw Bad($"'{text}' is no disk access; there are {string.Join(", ", Enum.GetNames<DiskAccess>())}.");
            }
            else if (key.Equals("OverlayLimit", StringComparison.OrdinalIgnoreCase))
            {
                limit = LanguagePrimitives.TryConvertTo(entry.Value, CultureInfo.InvariantCulture, out long bytes) ? bytes : throw Bad($"'{text}' is no number of bytes; write 8GB, for example.");
            }
            else
            {
                throw Bad($"A disk has no '{key}'.");
            }
        }

        return string.IsNullOrEmpty(source) ? throw Bad("A disk needs a Source.") : new VmDisk(source, access, limit);
    }

    private static ArgumentTransformationMetadataException Bad(string message) =>
        new(message + " Give a path, or a table: @{ Source = 'root.img'; Access = 'ReadWrite' }.");
}
