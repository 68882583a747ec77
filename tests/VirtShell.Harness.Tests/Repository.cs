using System;
using System.IO;

namespace VirtShell.Harness.Tests;

/// <summary>Finds the repository's files from a test's build output.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    private static string Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "VirtShell.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException($"VirtShell.sln is in no folder above {AppContext.BaseDirectory}.");
    }
}
