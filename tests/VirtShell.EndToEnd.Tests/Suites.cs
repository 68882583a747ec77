using System;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using VirtShell.Harness;

namespace VirtShell.EndToEnd.Tests;

/// <summary>Runs suites from text or from the repository.</summary>
internal static class Suites
{
    public static string Root { get; } = FindRoot();

    public static async Task<RunResult> RunTextAsync(string yaml, SuiteRunOptions? options = null)
    {
        string folder = Directory.CreateTempSubdirectory("virtshell-e2e-").FullName;
        try
        {
            string path = Path.Combine(folder, "suite.yaml");
            await File.WriteAllTextAsync(path, yaml);
            return await SuiteRunner.RunAsync((options ?? new SuiteRunOptions { SuiteFiles = [] }) with { SuiteFiles = [path] });
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    public static Task<RunResult> RunFileAsync(string relative, string? filter = null) =>
        SuiteRunner.RunAsync(new SuiteRunOptions { SuiteFiles = [Path.Combine(Root, relative)], Filter = filter });

    /// <summary>What went wrong, for a test's message.</summary>
    public static string Explain(RunResult run) => string.Join('\n', run.Items.Where(i => i.Outcome != Outcome.Passed).Select(i => $"{i.Name}: {i.Outcome}: {i.Message}"));

    private static string FindRoot()
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
