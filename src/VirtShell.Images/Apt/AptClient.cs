using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;

namespace VirtShell.Images.Apt;

/// <summary>
/// The host's apt, asked for packages without installing anything or changing the host. For the host's own
/// architecture its package lists serve as they are. Where they have no such package, are too old to download by, or
/// belong to another architecture, lists of our own are kept in a state folder below the cache: with the host's
/// sources, keyrings, pins and proxies, but its own lists, archives and status, and none of the host's hooks.
/// Every call runs under the cache's lock.
/// </summary>
internal sealed class AptClient(ImageCache cache)
{
    private readonly HashSet<string> _updated = [];
    private readonly Dictionary<(string Name, string? Version, string Architecture), (AptPackage Package, string DebPath)> _known = [];
    private readonly string? _aptGet = HostCommand.Find("apt-get");
    private readonly string? _aptCache = HostCommand.Find("apt-cache");
    private readonly string? _aptConfig = HostCommand.Find("apt-config");
    private string? _dump;
    private string _updateComplaint = string.Empty;

    public bool IsPresent => _aptGet is not null && _aptCache is not null && _aptConfig is not null;

    /// <summary>The deb of a package, from the cache or downloaded, with what the lists say about it.</summary>
    public (AptPackage Package, string DebPath) Get(string name, string? version, string architecture, IProgress<string>? progress, CancellationToken cancellation)
    {
        if (!IsPresent)
        {
            throw new ImageException("apt: sources need apt-get, which this host does not have (it comes with Debian and Ubuntu); give a path or an https: source instead.");
        }

        using (cache.Lock("apt", progress, cancellation))
        {
            // One process keeps to one version of a package, however long it runs.
            var key = (name, version, architecture);
            if (_known.TryGetValue(key, out var found) && File.Exists(found.DebPath))
            {
                return found;
            }

            return Look(name, version, architecture, anew: false, progress, cancellation, out var complaint) is { } package
                ? _known[key] = package
                : Remembered(name, version, architecture) ?? throw Explain(name, version, architecture, complaint);
        }
    }

    /// <summary>Downloads a package once more whose deb in the cache turned out to be damaged.</summary>
    /// <returns>The path of the deb.</returns>
    public string FetchAnew(AptPackage package, string architecture, IProgress<string>? progress, CancellationToken cancellation)
    {
        using (cache.Lock("apt", progress, cancellation))
        {
            return Look(package.Name, package.Version, architecture, anew: true, progress, cancellation, out var complaint) is { } found && found.Package.Sha256 == package.Sha256
                ? found.DebPath
                : throw Explain(package.Name, package.Version, architecture, complaint);
        }
    }

    private (AptPackage Package, string DebPath)? Look(string name, string? version, string architecture, bool anew, IProgress<string>? progress, CancellationToken cancellation, out string complaint)
    {
        complaint = string.Empty;
        foreach (var attempt in Attempts(architecture))
        {
            if (attempt.Update && !Update(architecture, progress, cancellation))
            {
                continue;
            }

            if (Show(name, version, attempt.Environment, cancellation) is not { } package)
            {
                continue;
            }

            if (TryDownload(package, attempt.Environment, anew, progress, cancellation, out var deb, out var problem))
            {
                return (package, deb);
            }

            complaint = problem;
        }

        return null;
    }

    /// <summary>The lists to ask, in order.</summary>
    private IEnumerable<(bool Update, KeyValuePair<string, string>[] Environment)> Attempts(string architecture)
    {
        if (architecture == Setting("APT::Architecture"))
        {
            yield return (false, []);
        }

        var own = OwnState(architecture);
        if (Directory.EnumerateFiles(Path.Combine(own.Folder, "state", "lists")).Any(file => file.EndsWith("_Packages", StringComparison.Ordinal)))
        {
            yield return (false, own.Environment);
        }

        yield return (true, own.Environment);
    }

    private AptPackage? Show(string name, string? version, KeyValuePair<string, string>[] environment, CancellationToken cancellation)
    {
        var what = version is null ? name : $"{name}={version}";
        List<string> arguments = ["show", "--no-all-versions"];
        if (environment.Length == 0)
        {
            // Many containers turn apt's binary caches off, which makes each question cost a second; keep them here.
            var folder = cache.Sub("apt", "host");
            arguments.AddRange(["-o", $"Dir::Cache::pkgcache={folder}/pkgcache.bin", "-o", $"Dir::Cache::srcpkgcache={folder}/srcpkgcache.bin"]);
        }

        var result = HostCommand.Run(HostCommand.Prepare(_aptCache!, [.. arguments, what], environment: environment), cancellation);

        // A package that others merely provide has no stanza of its own name.
        return result.ExitCode == 0 && AptPackage.Parse(result.Output) is { } package && package.Name == name ? package : null;
    }

    private bool TryDownload(AptPackage package, KeyValuePair<string, string>[] environment, bool anew, IProgress<string>? progress, CancellationToken cancellation, out string deb, out string problem)
    {
        problem = string.Empty;
        deb = DebPath(package.Sha256);
        if (anew || !File.Exists(deb))
        {
            progress?.Report($"Downloading {package.Name} {package.Version} ({Math.Max(1, package.Size >> 10)} KiB)");
            var folder = cache.NewTemporaryFolder();
            try
            {
                var result = HostCommand.Run(
                    HostCommand.Prepare(_aptGet!, ["download", "-q", "-o", "APT::Sandbox::User=root", $"{package.Name}={package.Version}"], folder, environment),
                    cancellation);
                var file = Directory.EnumerateFiles(folder, "*.deb").FirstOrDefault();
                if (result.ExitCode != 0 || file is null)
                {
                    problem = result.Complaint;
                    return false;
                }

                if (ResolvedFile.Hash(file) is var actual && actual != package.Sha256)
                {
                    problem = $"the downloaded file has the sha256 {actual}, the package list says {package.Sha256}";
                    return false;
                }

                File.Move(file, deb, overwrite: true);
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }

        Remember(package);
        return true;
    }

    private string DebPath(string sha256) => Path.Combine(cache.Sub("debs"), HttpsFetcher.CheckHash(sha256) + ".deb");

    /// <summary>What a name meant last time, for a host that has lost its lists and its network.</summary>
    private void Remember(AptPackage package)
    {
        var text = $"Package: {package.Name}\nVersion: {package.Version}\nArchitecture: {package.Architecture}\nSHA256: {package.Sha256}\nSize: {package.Size}\nDepends: {string.Join(", ", package.Depends)}\n";
        foreach (var file in (ReadOnlySpan<string>)[$"{package.Name}_{package.Architecture}", $"{package.Name}={package.Version}_{package.Architecture}"])
        {
            cache.WriteWhole(RecordPath(file), stream => stream.Write(Encoding.UTF8.GetBytes(text)));
        }
    }

    private (AptPackage Package, string DebPath)? Remembered(string name, string? version, string architecture)
    {
        foreach (var suffix in (string[])[architecture, "all"])
        {
            var record = RecordPath(version is null ? $"{name}_{suffix}" : $"{name}={version}_{suffix}");
            if (cache.Find(record) is not null && AptPackage.Parse(File.ReadAllText(record)) is { } package && File.Exists(DebPath(package.Sha256)))
            {
                return (package, DebPath(package.Sha256));
            }
        }

        return null;
    }

    private string RecordPath(string name) => Path.Combine(cache.Sub("apt", "records"), name.Replace(':', '%'));

    private ImageException Explain(string name, string? version, string architecture, string complaint)
    {
        var what = version is null ? name : $"{name}={version}";
        var update = _updateComplaint.Length == 0 ? string.Empty : $" Fetching the package lists went wrong: {_updateComplaint}";
        return complaint.Length > 0
            ? new ImageException($"Package {what} ({architecture}) cannot be downloaded: {complaint}. Check the network and /etc/apt/sources.list.d.{update}")
            : new ImageException($"The host's apt sources have no package {what} for {architecture}. Check its name (apt-cache search), or add a source that has it.{update}");
    }

    /// <summary>Our own state folder for an architecture, and the environment that makes apt use it.</summary>
    private (string Folder, KeyValuePair<string, string>[] Environment) OwnState(string architecture)
    {
        var folder = cache.Sub("apt", architecture);
        foreach (var part in (ReadOnlySpan<string>)["state/lists/partial", "cache/archives/partial", "conf.d"])
        {
            Directory.CreateDirectory(Path.Combine(folder, part));
        }

        var status = Path.Combine(folder, "state", "status");
        if (!File.Exists(status))
        {
            File.WriteAllBytes(status, []);
        }

        // How to reach and trust servers is the host's business; hooks and caches of the host are none of ours.
        var text = new StringBuilder();
        foreach (var line in Dump().Split('\n'))
        {
            if (line.StartsWith("Acquire::", StringComparison.Ordinal) && !line.StartsWith("Acquire::Languages", StringComparison.Ordinal))
            {
                text.Append(line).Append('\n');
            }
        }

        text.Append($"Dir::State \"{folder}/state\";\nDir::State::status \"{status}\";\nDir::Cache \"{folder}/cache\";\n");
        text.Append($"Dir::Etc::parts \"{folder}/conf.d\";\nDir::Etc::main \"{folder}/none.conf\";\n");
        text.Append($"APT::Architecture \"{architecture}\";\nAPT::Architectures \"{architecture}\";\n");
        text.Append("APT::Sandbox::User \"root\";\nAcquire::Languages \"none\";\nAcquire::Retries \"3\";\n");
        var configuration = Path.Combine(folder, "apt.conf");
        var wanted = text.ToString();
        if (!File.Exists(configuration) || File.ReadAllText(configuration) != wanted)
        {
            cache.WriteWhole(configuration, stream => stream.Write(Encoding.UTF8.GetBytes(wanted)));
        }

        return (folder, [new("APT_CONFIG", configuration)]);
    }

    /// <summary>Fetches our own lists once; a source that fails is no reason to give up while others serve.</summary>
    private bool Update(string architecture, IProgress<string>? progress, CancellationToken cancellation)
    {
        if (!_updated.Add(architecture))
        {
            return true;
        }

        progress?.Report($"Fetching package lists for {architecture}");
        var result = HostCommand.Run(HostCommand.Prepare(_aptGet!, ["update", "-q"], environment: OwnState(architecture).Environment), cancellation);
        if (result.Errors.Contains("E:", StringComparison.Ordinal) || result.Errors.Contains("W:", StringComparison.Ordinal))
        {
            _updateComplaint = result.Complaint;
        }

        return true;
    }

    private string Dump() => _dump ??= HostCommand.Run(HostCommand.Prepare(_aptConfig!, ["dump"]), CancellationToken.None).Output;

    private string Setting(string name)
    {
        var start = name + " \"";
        var line = Dump().Split('\n').FirstOrDefault(text => text.StartsWith(start, StringComparison.Ordinal));
        return line is null ? string.Empty : line[start.Length..].TrimEnd(';').TrimEnd('"');
    }
}
