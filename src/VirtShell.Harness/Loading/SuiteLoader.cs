using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using VirtShell.Harness.Model;
using VirtShell.Harness.Yaml;
using VirtShell.Host;

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
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(file);
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

        return Parse(SuiteText.Decode(bytes, file), file);
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
        root = ExpandFrame(root!, diagnostics);
        _ = TestKind.Suite.TryBind(root, diagnostics, out SuiteSpec suite);
        var items = new List<LoadedItem>();
        MappingNode? defaults = suite.Defaults as MappingNode;
        if (suite.Defaults is not null and not MappingNode and not BrokenNode and not ScalarNode { IsNull: true })
        {
            diagnostics.Add(suite.Defaults.Mark, $"expected a mapping as in a test, found {suite.Defaults.Describe()}");
        }

        if (suite.Tests is SequenceNode { Items.Count: > 0 } tests)
        {
            var names = new NameRegister();
            foreach (SuiteNode test in tests.Items)
            {
                LoadTest(suite, defaults, test, names, items, diagnostics);
            }
        }
        else if (suite.Tests is not null and not BrokenNode)
        {
            diagnostics.Add(suite.Tests.Mark, $"\"tests\" needs a list of tests, found {(suite.Tests is SequenceNode ? "an empty list" : suite.Tests.Describe())}");
        }

        diagnostics.ThrowIfAny();
        string folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        string? baseline = suite.Baseline is null ? null : Path.GetFullPath(suite.Baseline, folder);
        return new LoadedSuite(file, folder, suite.Name, baseline, items);
    }

    private static void LoadTest(SuiteSpec suite, MappingNode? defaults, SuiteNode node, NameRegister names, List<LoadedItem> items, Diagnostics diagnostics)
    {
        if (node is not MappingNode own)
        {
            if (node is BrokenNode)
            {
                return;
            }

            diagnostics.Add(node.Mark, $"a test is a mapping with name, vm, steps and more, found {node.Describe()}");
            return;
        }

        MappingNode test = defaults is null ? own : own.Over(defaults);
        SuiteNode? nameNode = own.Find("name");
        string name = (nameNode as ScalarNode)?.Value ?? string.Empty;
        if (name.Length > 0 && !names.Tests.TryAdd(name, nameNode!.Mark))
        {
            diagnostics.Add(nameNode.Mark, $"two tests are named \"{Printable.Escape(name)}\"; the first is on line {names.Tests[name].Line}");
        }

        SuiteNode? matrix = test.Find("matrix");
        if (matrix is not null)
        {
            // The matrix is not there yet, nor are the disks: its values know the environment alone.
            var environment = new NameScope(MatrixRow.Empty, diagnostics) { Where = "in a matrix" };
            matrix = Expressions.Substitute(matrix, environment.Resolve, diagnostics);
        }

        MappingNode body = test.Without("matrix");
        foreach (MatrixRow row in MatrixExpander.Expand(matrix, diagnostics))
        {
            TestSpec? spec = BindRow(body, row, suite, diagnostics);
            if (spec is null)
            {
                continue;
            }

            KeyValuePair<string, string>[] values = [.. row.Values.Select(v => new KeyValuePair<string, string>(v.Key, MatrixRow.Label(v.Value)))];
            string full = values.Length == 0 ? $"{suite.Name} / {spec.Name}" : $"{suite.Name} / {spec.Name} ({string.Join(", ", values.Select(v => v.Value))})";
            if (!names.Items.Add(full))
            {
                diagnostics.Add(matrix?.Mark ?? node.Mark, $"two combinations are named \"{Printable.Escape(full)}\"; give mapping values of an axis different \"name\"s");
                continue;
            }

            items.Add(new LoadedItem(full, spec.Name, values, spec));
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
            scope.Disks = VmKind.Disks.TryBind(disks, own, out IReadOnlyList<DiskSpec> bound) && !own.Any ? bound : null;
        }

        SuiteNode substituted = Expressions.Substitute(body, scope.Resolve, diagnostics);
        if (!TestKind.Test.TryBind(substituted, diagnostics, out TestSpec spec))
        {
            return null;
        }

        CheckBaseline(spec, suite, diagnostics);
        return spec;
    }

    /// <summary>The names that a suite has given out, each with its place.</summary>
    private sealed class NameRegister
    {
        public Dictionary<string, Mark> Tests { get; } = new(StringComparer.Ordinal);

        public HashSet<string> Items { get; } = new(StringComparer.Ordinal);
    }

    /// <summary>Expands what belongs to no test: it knows the environment alone.</summary>
    private static SuiteNode ExpandFrame(SuiteNode root, Diagnostics diagnostics)
    {
        if (root is not MappingNode mapping)
        {
            return root;
        }

        var environment = new NameScope(MatrixRow.Empty, diagnostics) { Where = "outside of tests" };
        return new MappingNode(mapping.Mark, [.. mapping.Entries.Select(e => e.Key.Value is "suite" or "baseline" or "description"
            ? new KeyValuePair<ScalarNode, SuiteNode>(e.Key, Expressions.Substitute(e.Value, environment.Resolve, diagnostics))
            : e)]);
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
