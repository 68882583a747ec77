using System;
using System.Collections.Generic;
using System.IO;

namespace VirtShell.Architecture.Tests;

/// <summary>The working copy that the tests were built in.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    public static IEnumerable<string> SourceFiles(string folder) => Find(folder, "*.cs");

    public static IEnumerable<string> Find(string folder, string pattern)
    {
        var separator = Path.DirectorySeparatorChar;
        foreach (var path in Directory.EnumerateFiles(Path.Combine(Root, folder), pattern, SearchOption.AllDirectories))
        {
            if (!path.Contains($"{separator}obj{separator}", StringComparison.Ordinal) && !path.Contains($"{separator}bin{separator}", StringComparison.Ordinal))
            {
                yield return path;
            }
        }
    }

    public static string Relative(string path) => Path.GetRelativePath(Root, path).Replace('\\', '/');

    /// <summary>The name of the project that a source file belongs to: that of the nearest folder above it with a project file.</summary>
    public static string ProjectOf(string path)
    {
        for (var folder = Directory.GetParent(path); folder is not null && folder.FullName.Length > Root.Length; folder = folder.Parent)
        {
            foreach (var project in folder.EnumerateFiles("*.csproj"))
            {
                return Path.GetFileNameWithoutExtension(project.Name);
            }
        }

        throw new InvalidOperationException($"{path} belongs to no project.");
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "VirtShell.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException("These tests must be built within the repository.");
    }
}
