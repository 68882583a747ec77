using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using VirtShell.Harness.Model;
using VirtShell.Harness.Yaml;
using VirtShell.Host;

namespace VirtShell.Harness.Loading;

/// <summary>
/// What <c>${{ ... }}</c> can name in a test: <c>matrix.AXIS[.KEY]</c>, <c>disk.vda.sha256</c> and <c>disk.vda.size</c> of
/// generated disks, <c>env.NAME</c>.
/// </summary>
internal sealed class NameScope(MatrixRow row, Diagnostics diagnostics)
{
    private static readonly string[] s_families = ["matrix", "disk", "env"];

    /// <summary>The machine's disks, once they are known; null where they are wrong, which is told elsewhere.</summary>
    public IReadOnlyList<DiskSpec>? Disks { get; set; } = [];

    /// <summary>A place where only the environment is known, in words; null in a test.</summary>
    public string? Where { get; init; }

    public SuiteNode? Resolve(string name, Mark mark)
    {
        string[] parts = name.Split('.');
        if (Where is not null && parts[0] is ("matrix" or "disk"))
        {
            diagnostics.Add(mark, $"\"{Printable.Escape(name)}\" is not known {Where}; only env.NAME is");
            return null;
        }

        switch (parts[0])
        {
            case "matrix" when parts.Length >= 2:
                return ResolveMatrix(parts, mark);
            case "env" when parts.Length == 2:
                string? value = Environment.GetEnvironmentVariable(parts[1]);
                if (value is null)
                {
                    diagnostics.Add(mark, $"the environment variable {Printable.Escape(parts[1])} is not set");
                    return null;
                }

                return new ScalarNode(mark, value, isPlain: false);
            case "disk" when parts.Length == 3:
                return ResolveDisk(parts[1], parts[2], mark);
            default:
                string near = s_families.Contains(parts[0]) ? string.Empty : Nearest.Find(parts[0], s_families) is { } family ? $"; did you mean \"{family}\"?" : string.Empty;
                diagnostics.Add(mark, $"unknown name \"{Printable.Escape(name)}\"{near} Known: matrix.AXIS, matrix.AXIS.KEY, disk.vda.sha256, disk.vda.size, env.NAME.");
                return null;
        }
    }

    private SuiteNode? ResolveMatrix(string[] parts, Mark mark)
    {
        SuiteNode? value = row.Find(parts[1]);
        if (value is null)
        {
            string[] axes = [.. row.Values.Select(v => v.Key)];
            diagnostics.Add(mark, axes.Length == 0
                ? $"\"matrix.{Printable.Escape(parts[1])}\": this test has no matrix"
                : $"the matrix has no axis \"{Printable.Escape(parts[1])}\"{Nearest.Hint(parts[1], axes)}");
            return null;
        }

        for (int i = 2; i < parts.Length; i++)
        {
            SuiteNode? member = (value as MappingNode)?.Find(parts[i]);
            if (member is null)
            {
                string[] keys = value is MappingNode mapping ? [.. mapping.Entries.Select(e => e.Key.Value)] : [];
                diagnostics.Add(mark, value is MappingNode
                    ? $"the value of axis \"{parts[1]}\" on line {value.Mark.Line} has no key \"{Printable.Escape(parts[i])}\"{Nearest.Hint(parts[i], keys)}"
                    : $"the value of axis \"{parts[1]}\" on line {value.Mark.Line} is {value.Describe()}, which has no keys");
                return null;
            }

            value = member;
        }

        return value;
    }

    private ScalarNode? ResolveDisk(string disk, string property, Mark mark)
    {
        if (Disks is null)
        {
            return null;
        }

        string[] names = [.. Enumerable.Range(0, Disks.Count).Where(i => Disks[i].IsGenerated).Select(DiskName)];
        int index = Array.FindIndex(names, n => n == disk);
        if (index < 0)
        {
            diagnostics.Add(mark, $"there is no generated disk \"{Printable.Escape(disk)}\"{Nearest.Hint(disk, names)}");
            return null;
        }

        DiskSpec spec = Disks.Where(d => d.IsGenerated).ElementAt(index);
        switch (property)
        {
            case "sha256":
                return new ScalarNode(mark, GeneratedDisk.Sha256(spec.Generate, spec.Seed), isPlain: false);
            case "size":
                return new ScalarNode(mark, spec.Generate.ToString(CultureInfo.InvariantCulture), isPlain: false);
            default:
                diagnostics.Add(mark, $"a disk has no \"{Printable.Escape(property)}\"{Nearest.Hint(property, ["sha256", "size"])}");
                return null;
        }
    }

    /// <summary>vda, vdb, ...: as Linux names virtio disks.</summary>
    private static string DiskName(int index) => $"vd{(char)('a' + Math.Min(index, 25))}";
}
