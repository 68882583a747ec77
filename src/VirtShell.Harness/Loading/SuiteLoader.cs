using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using VirtShell.Harness.Model;
using VirtShell.Harness.Yaml;
using VirtShell.Storage;

namespace VirtShell.Harness.Loading;

/// <summary>A suite file, read and checked.</summary>
/// <param name="File">As the user named it.</param>
/// <param name="Folder">The folder against which its sources and baseline resolve.</param>
/// <param name="BaselinePath">Full path of its baseline file, or null.</param>
internal sealed record LoadedSuite(string File, string Folder, string Name, string? BaselinePath, IReadOnlyList<LoadedItem> Items);

/// <summary>A test with one combination of its matrix.</summary>
internal sealed record LoadedItem(string Name, string TestName, IReadOnlyList<KeyValuePair<string, string>> Matrix, TestSpec Test);

/// <summary>Reads suite files: YAML, defaults, matrix, expressions, model. Everything wrong with a file is reported at once.</summary>
internal static class SuiteLoader
{
    /// <summary>The most bytes of a suite file.</summary>
    private const int LargestFile = 16 << 20;

    /// <exception cref="SuiteException">Any of the files is broken.</exception>
    public static IReadOnlyList<LoadedSuite> LoadAll(IEnumerable<string> files)
    {
        var suites = new List<LoadedSuite>();
        var problems = new List<SuiteDiagnostic>();
        foreach (string file in files)
        {
            try
            {
                suites.Add(Load(file));
            }
            catch (SuiteException e)
            {
                problems.AddRange(e.Diagnostics);
            }
        }

        return problems.Count == 0 ? suites : throw new SuiteException(problems);
    }

    public static LoadedSuite Load(string file)
    {
        string text;
        try
        {
            text = TextOf(FileContent.Read(file, LargestFile, allowPipe: true));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            string reason = e switch
            {
                FileNotFoundException or DirectoryNotFoundException => "there is no such suite file",
                UnauthorizedAccessException when Directory.Exists(file) => "this is a folder; name the suite file in it",
                _ => $"cannot be read: {e.Message}",
            };
            throw new SuiteException([new SuiteDiagnostic(file, 0, 0, reason)]);
        }

        return Parse(text, file);
    }

    /// <summary>UTF-8, or what a byte order mark says.</summary>
    private static string TextOf(byte[] bytes)
    {
        using var reader = new StreamReader(new MemoryStream(bytes, writable: false));
        return reader.ReadToEnd();
    }

    public static LoadedSuite Parse(string text, string file)
    {
        var diagnostics = new Diagnostics(file);
        SuiteNode? root = NodeReader.Read(text, diagnostics);
        if (root is null)
        {
            diagnostics.ThrowIfAny();
        }

        if (root is ScalarNode { IsNull: true })
        {
            diagnostics.Add(new Mark(1, 1), "the file is empty; a suite needs \"suite\" (its name) and \"tests\"");
            diagnostics.ThrowIfAny();
        }

        // Even when the frame is broken, the tests' own errors are worth telling in the same go.
        _ = TestKind.Suite.TryBind(root!, diagnostics, out SuiteSpec suite);
        var items = new List<LoadedItem>();
        MappingNode? defaults = suite.Defaults as MappingNode;
        if (suite.Defaults is not null and not MappingNode and not ScalarNode { IsNull: true })
        {
            diagnostics.Add(suite.Defaults.Mark, $"expected a mapping as in a test, found {suite.Defaults.Describe()}");
        }

        if (suite.Tests is SequenceNode { Items.Count: > 0 } tests)
        {
            var names = new Dictionary<string, Mark>(StringComparer.Ordinal);
            foreach (SuiteNode test in tests.Items)
            {
                LoadTest(suite, defaults, test, names, items, diagnostics);
            }
        }
        else if (suite.Tests is not null)
        {
            diagnostics.Add(suite.Tests.Mark, $"\"tests\" needs a list of tests, found {(suite.Tests is SequenceNode ? "an empty list" : suite.Tests.Describe())}");
        }

        diagnostics.ThrowIfAny();
        string folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        string? baseline = suite.Baseline is null ? null : Path.GetFullPath(suite.Baseline, folder);
        return new LoadedSuite(file, folder, suite.Name, baseline, items);
    }

    private static void LoadTest(SuiteSpec suite, MappingNode? defaults, SuiteNode node, Dictionary<string, Mark> names, List<LoadedItem> items, Diagnostics diagnostics)
    {
        if (node is not MappingNode own)
        {
            diagnostics.Add(node.Mark, $"a test is a mapping with name, vm, steps and more, found {node.Describe()}");
            return;
        }

        MappingNode test = defaults is null ? own : own.Over(defaults);
        SuiteNode? nameNode = own.Find("name");
        string name = (nameNode as ScalarNode)?.Value ?? string.Empty;
        if (name.Length > 0 && !names.TryAdd(name, nameNode!.Mark))
        {
            diagnostics.Add(nameNode.Mark, $"two tests are named \"{Printable.Escape(name)}\"; the first is on line {names[name].Line}");
        }

        SuiteNode? matrix = test.Find("matrix");
        MappingNode body = test.Without("matrix");
        foreach (MatrixRow row in MatrixExpander.Expand(matrix, diagnostics))
        {
            TestSpec? spec = BindRow(body, row, suite, diagnostics);
            if (spec is null)
            {
                continue;
            }

            KeyValuePair<string, string>[] values = [.. row.Values.Select(v => new KeyValuePair<string, string>(v.Key, MatrixRow.Label(v.Value)))];
            string full = values.Length == 0 ? $"{suite.Name} / {name}" : $"{suite.Name} / {name} ({string.Join(", ", values.Select(v => v.Value))})";
            if (items.Any(i => i.Name == full))
            {
                diagnostics.Add(matrix?.Mark ?? node.Mark, $"two combinations are named \"{Printable.Escape(full)}\"; give mapping values of an axis different \"name\"s");
                continue;
            }

            items.Add(new LoadedItem(full, name, values, spec));
        }
    }

    private static TestSpec? BindRow(MappingNode body, MatrixRow row, SuiteSpec suite, Diagnostics diagnostics)
    {
        var scope = new NameScope(row, diagnostics);
        var own = new Diagnostics(diagnostics.File);

        // Disks first: steps may name their checksums. What is wrong with them is reported when the whole test is bound.
        SuiteNode? disks = (body.Find("vm") as MappingNode)?.Find("disks");
        if (disks is not null)
        {
            disks = Expressions.Substitute(disks, new NameScope(row, own).Resolve, own);
            scope.Disks = VmKind.Disks.TryBind(disks, own, out IReadOnlyList<DiskSpec> bound) ? bound : [];
        }

        SuiteNode substituted = Expressions.Substitute(body, scope.Resolve, diagnostics);
        if (!TestKind.Test.TryBind(substituted, diagnostics, out TestSpec spec))
        {
            return null;
        }

        CheckBaseline(spec, suite, diagnostics);
        return spec;
    }

    private static void CheckBaseline(TestSpec spec, SuiteSpec suite, Diagnostics diagnostics)
    {
        if (suite.Baseline is not null)
        {
            return;
        }

        foreach (MetricSpec metric in spec.Assert.Metrics.Bounds.Values.Where(m => m.Tolerance is not null))
        {
            diagnostics.Add(metric.Mark, "\"tolerance\" compares with a baseline, and this suite names none; add \"baseline: FILE.json\" at its top");
        }
    }
}
