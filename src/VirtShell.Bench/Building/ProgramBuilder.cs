using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Threading;

namespace VirtShell.Bench.Building;

/// <summary>The built programs.</summary>
/// <param name="Main">All programs in one; also a guest's init.</param>
/// <param name="Spawned">What <c>spawn</c> starts.</param>
/// <param name="Compiler">Which compiler built them, in its own words.</param>
internal sealed record BuiltPrograms(string Main, string Spawned, string Compiler);

/// <summary>Compiles the programs with the host's GCC, for the plain x86-64 baseline and without shared libraries.</summary>
internal static class ProgramBuilder
{
    private const string SpawnedSource = "spawned.c";
    private static readonly string[] s_flags = ["-O2", "-march=x86-64", "-mtune=generic", "-static", "-s", "-Wall", "-Wextra", "-Werror"];

    /// <exception cref="BenchException">There is no compiler, or it failed.</exception>
    public static BuiltPrograms Build(string cacheFolder, CancellationToken cancellation)
    {
        string gcc = HostTool.Find("gcc") ?? throw new BenchException("gcc is not installed, and the benchmark programs are built with it (on Debian: apt-get install gcc libc6-dev).");
        string compiler = HostTool.Run(gcc, ["--version"], cancellation).Output.Split('\n')[0].Trim();
        Dictionary<string, string> sources = ReadSources();
        string folder = Path.Combine(cacheFolder, "bench", Fingerprint(compiler, sources));
        var built = new BuiltPrograms(Path.Combine(folder, "bench"), Path.Combine(folder, "spawned"), compiler);
        if (File.Exists(built.Main) && File.Exists(built.Spawned))
        {
            return built;
        }

        Directory.CreateDirectory(folder);
        foreach ((string name, string text) in sources)
        {
            File.WriteAllText(Path.Combine(folder, name), text);
        }

        Compile(gcc, sources.Keys.Where(name => name.EndsWith(".c", StringComparison.Ordinal) && name != SpawnedSource), folder, built.Main, cancellation);
        Compile(gcc, [SpawnedSource], folder, built.Spawned, cancellation);
        return built;
    }

    private static void Compile(string gcc, IEnumerable<string> sources, string folder, string result, CancellationToken cancellation)
    {
        // Built under another name first: what lies under its own is whole, also beside a second process.
        string temporary = $"{result}.{Environment.ProcessId}";
        (int exitCode, string output) = HostTool.Run(gcc, [.. s_flags, "-o", temporary, .. sources.Select(name => Path.Combine(folder, name))], cancellation);
        if (exitCode != 0)
        {
            string hint = output.Contains("-lc", StringComparison.Ordinal) ? " The static C library is missing (on Debian: apt-get install libc6-dev)." : string.Empty;
            throw new BenchException($"gcc could not build the benchmark programs.{hint}\n{output.Trim()}");
        }

        File.Move(temporary, result, overwrite: true);
    }

    private static Dictionary<string, string> ReadSources()
    {
        Assembly assembly = typeof(ProgramBuilder).Assembly;
        var sources = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string name in assembly.GetManifestResourceNames().Order(StringComparer.Ordinal))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            sources.Add(name, reader.ReadToEnd());
        }

        return sources;
    }

    private static string Fingerprint(string compiler, Dictionary<string, string> sources)
    {
        string all = compiler + string.Join(' ', s_flags) + string.Concat(sources.Select(s => $"\0{s.Key}\0{s.Value}"));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(all)))[..16];
    }
}
