using System;
using System.IO;
using System.Reflection;
using System.Runtime.Loader;

namespace VirtShell.PowerShell.Loading;

/// <summary>
/// Holds everything that the cmdlets stand on (VirtShell's own assemblies, Iced, YamlDotNet …) apart from the
/// assemblies of other modules, so that two modules can carry different versions of the same library. PowerShell
/// itself sees the cmdlet assembly only, which lives in the default context.
/// </summary>
public sealed class DependencyLoadContext : AssemblyLoadContext
{
    private const string OwnPrefix = "VirtShell.";
    private static readonly object s_gate = new();
    private static DependencyLoadContext? s_current;

    private readonly string _folder;

    private DependencyLoadContext(string folder)
        : base("VirtShell")
    {
        _folder = folder;
    }

    /// <summary>The folder that the running process takes dependencies from; null before <see cref="Register"/>.</summary>
    public static string? Folder => s_current?._folder;

    /// <summary>
    /// Makes the default context find VirtShell's own assemblies in <paramref name="folder"/>. The module's loader calls
    /// this before PowerShell looks at any cmdlet. The first folder stays for the life of the process, as the cmdlet assembly does.
    /// </summary>
    public static void Register(string folder)
    {
        lock (s_gate)
        {
            if (s_current is not null)
            {
                return;
            }

            s_current = new DependencyLoadContext(Path.GetFullPath(folder));
            Default.Resolving += static (_, name) => s_current.ResolveForCmdlets(name);
        }
    }

    protected override Assembly? Load(AssemblyName assemblyName)
    {
        ArgumentNullException.ThrowIfNull(assemblyName);
        string path = Path.Combine(_folder, assemblyName.Name + ".dll");
        return File.Exists(path) ? LoadFromAssemblyPath(path) : null;
    }

    // Third-party libraries are not offered to the default context: only this context's own assemblies may see them.
    private Assembly? ResolveForCmdlets(AssemblyName name) =>
        name.Name is { } simple && simple.StartsWith(OwnPrefix, StringComparison.Ordinal) && File.Exists(Path.Combine(_folder, simple + ".dll"))
            ? LoadFromAssemblyName(name)
            : null;
}
