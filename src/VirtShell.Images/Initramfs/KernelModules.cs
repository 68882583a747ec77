using System;
using System.Collections.Generic;
using System.Linq;

namespace VirtShell.Images.Initramfs;

/// <summary>Picks modules with what they depend on, in load order.</summary>
internal sealed class KernelModules
{
    private enum VisitState
    {
        Open,
        Done,
    }

    private readonly record struct Dependency(string Name, bool IsOptional);

    private static readonly string[] s_extensions = [".ko", ".ko.xz", ".ko.zst", ".ko.gz"];

    /// <summary>A whole distribution has some seven thousand.</summary>
    private const int MostModules = 20_000;
    private const int MostNamed = 5;

    private readonly ModuleStore _store;
    private readonly Dictionary<string, string> _pathByName = new(StringComparer.Ordinal);
    private readonly Dictionary<string, IReadOnlyList<string>> _dependsByPath = new(StringComparer.Ordinal);
    private readonly HashSet<string> _builtIn;
    private readonly Dictionary<string, byte[]> _content = new(StringComparer.Ordinal);

    public KernelModules(ModuleStore store)
    {
        _store = store;
        var versions = store.Paths.Where(IsModule).Select(path => path.Split('/')[2]).Distinct(StringComparer.Ordinal).ToList();
        if (versions.Count != 1)
        {
            throw new ImageException(versions.Count == 0
                ? $"{store.Title} holds no kernel modules: name the kernel's own package or its /lib/modules folder."
                : $"{store.Title} holds modules of several kernels ({string.Join(", ", versions)}): name one version's folder.");
        }

        foreach (var path in store.Paths.Where(IsModule))
        {
            _pathByName[NameOf(path)] = path;
        }

        _builtIn = [.. Lines(store.ReadText("modules.builtin")).Select(NameOf)];
        ReadDependencyFile("lib/modules/" + versions[0] + "/", store.ReadText("modules.dep"));
    }

    /// <summary>Module files, decompressed, with their paths (without leading slash), each after what it depends on.</summary>
    public IReadOnlyList<(string Path, byte[] Content)> Select(IEnumerable<string> names)
    {
        var order = new List<string>();
        var seen = new Dictionary<string, VisitState>(StringComparer.Ordinal);
        List<string> canonical = [.. names.Select(Canonical)];
        _store.Fetch([.. canonical.Select(name => _pathByName.GetValueOrDefault(name)).OfType<string>()]);
        foreach (var name in canonical)
        {
            Visit(name, order, seen);
        }

        return [.. order.Select(path => (Uncompressed(path), Content(path)))];
    }

    /// <summary>Depth first, on a stack of our own: how long a chain of dependencies is, a file says.</summary>
    private void Visit(string first, List<string> order, Dictionary<string, VisitState> seen)
    {
        Stack<(string Name, IEnumerator<Dependency> Needs)> open = new();
        Enter(new Dependency(first, IsOptional: false));
        while (open.TryPeek(out var at))
        {
            if (at.Needs.MoveNext())
            {
                Enter(at.Needs.Current);
            }
            else
            {
                open.Pop();
                seen[at.Name] = VisitState.Done;
                order.Add(_pathByName[at.Name]);
            }
        }

        void Enter(Dependency wanted)
        {
            if (seen.TryGetValue(wanted.Name, out var state))
            {
                if (state == VisitState.Open && !wanted.IsOptional)
                {
                    throw Circle(wanted.Name, open.Select(one => one.Name));
                }
            }
            else if (_pathByName.TryGetValue(wanted.Name, out var path))
            {
                if (seen.Count >= MostModules)
                {
                    throw new ImageException($"{first} in {_store.Title} needs more than {MostModules} modules: its modules.dep is damaged. Name another folder or package.");
                }

                seen.Add(wanted.Name, VisitState.Open);
                open.Push((wanted.Name, Dependencies(path).GetEnumerator()));
            }
            else if (!wanted.IsOptional && !_builtIn.Contains(wanted.Name))
            {
                // What is built into the kernel is there already; a soft dependency may be missing altogether.
                throw Unknown(wanted.Name);
            }
        }
    }

    private IEnumerable<Dependency> Dependencies(string path)
    {
        if (_dependsByPath.TryGetValue(path, out var known))
        {
            return known.Select(name => new Dependency(name, IsOptional: false));
        }

        var info = ModuleInfo.Read(Content(path), path);
        return info.Depends.Select(name => new Dependency(Canonical(name), IsOptional: false))
            .Concat(info.SoftDepends.Select(name => new Dependency(Canonical(name), IsOptional: true)));
    }

    private ImageException Circle(string name, IEnumerable<string> innermostFirst)
    {
        List<string> circle = [.. innermostFirst.TakeWhile(other => other != name).Reverse().Take(MostNamed)];
        return new ImageException($"Modules in {_store.Title} depend on each other in a circle: {string.Join(" -> ", [name, .. circle])} -> {name}. Its modules.dep is damaged.");
    }

    private byte[] Content(string path)
    {
        if (!_content.TryGetValue(path, out var content))
        {
            content = _store.Read(path);
            _content.Add(path, content);
        }

        return content;
    }

    private void ReadDependencyFile(string start, string? text)
    {
        // "kernel/a.ko.xz: kernel/b.ko.xz kernel/c.ko.xz", the nearest dependency first (modules.dep(5))
        foreach (var line in Lines(text))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0)
            {
                _dependsByPath[start + line[..colon]] = [.. line[(colon + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries).Reverse().Select(NameOf)];
            }
        }
    }

    private ImageException Unknown(string name)
    {
        var near = _pathByName.Keys
            .Where(other => other.Contains(name, StringComparison.Ordinal) || name.Contains(other, StringComparison.Ordinal) || Distance(other, name) <= 2)
            .Order(StringComparer.Ordinal)
            .Take(5)
            .ToList();
        var hint = near.Count == 0 ? string.Empty : $" Near it: {string.Join(", ", near)}.";
        return new ImageException($"{_store.Title} has no module {name}, neither as a file nor built in.{hint}");
    }

    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var old = row[j];
                row[j] = Math.Min(Math.Min(row[j] + 1, row[j - 1] + 1), diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = old;
            }
        }

        return row[b.Length];
    }

    private static IEnumerable<string> Lines(string? text) => (text ?? string.Empty).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static bool IsModule(string path) => s_extensions.Any(extension => path.EndsWith(extension, StringComparison.Ordinal));

    private static string NameOf(string path)
    {
        var name = path[(path.LastIndexOf('/') + 1)..];
        return Canonical(name.IndexOf(".ko", StringComparison.Ordinal) is > 0 and var end ? name[..end] : name);
    }

    /// <summary>Modules are named with underscores, whatever their files are called.</summary>
    private static string Canonical(string name) => name.Trim().Replace('-', '_');

    private static string Uncompressed(string path) => path[..(path.IndexOf(".ko", path.LastIndexOf('/'), StringComparison.Ordinal) + ".ko".Length)];
}
