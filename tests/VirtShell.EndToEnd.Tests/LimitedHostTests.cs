using System;
using System.Diagnostics;
using System.IO;
using System.Threading.Tasks;
using Xunit;

namespace VirtShell.EndToEnd.Tests;

/// <summary>A host that gives the program too little: each command says so, ends with its exit code, and never takes the process down.</summary>
public sealed class LimitedHostTests : IDisposable
{
    /// <summary>A user that has no processes, so that its limit on them is this program's alone.</summary>
    private const string Nobody = "54321";

    private const string Run = "run --guest hello --memory 16M";
    private const string Test = "test smoke.yaml --filter *greeting*";

    private readonly string _folder = Directory.CreateTempSubdirectory("virtshell-e2e-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [SkippableTheory]
    [InlineData("-n", 30, Run, 2, "may open 30 files and needs 128", "ulimit -n")]
    [InlineData("-n", 30, Test, 2, "may open 30 files and needs 128", "ulimit -n")]
    [InlineData("-n", 127, Test, 2, "may open 127 files and needs 128", "ulimit -n")]
    [InlineData("-n", 128, Run, 0, "", "")]
    [InlineData("-n", 128, Test, 0, "", "")]
    [InlineData("-u", 12, Run, 2, "fewer than 12 more threads", "ulimit -u")]
    [InlineData("-u", 12, Test, 2, "fewer than 12 more threads", "ulimit -u")]
    [InlineData("-u", 40, Run, 0, "", "")]
    [InlineData("-u", 40, Test, 0, "", "")]
    public async Task Too_little_is_told(string limit, int value, string command, int code, string problem, string advice)
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "Limits are set by bash's ulimit, on Linux.");
        bool asNobody = limit == "-u";
        if (asNobody)
        {
            Skip.IfNot(Environment.UserName == "root", "A user of its own, whose threads are counted, needs root.");
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(_folder, (UnixFileMode)511);
            }

            Skip.IfNot((await RunAsync("true", "guests", asNobody)).Code == 0, "Another user cannot run the program from where it lies.");
        }

        (int actual, string output, string error) = await RunAsync($"ulimit {limit} {value}", command.Replace("smoke.yaml", Path.Combine(Suites.Root, "pipelines", "smoke.yaml"), StringComparison.Ordinal), asNobody);

        Assert.True(actual == code, $"{actual}: {output}{error}");
        Assert.Contains(problem, error, StringComparison.Ordinal);
        Assert.Contains(advice, error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output + error, StringComparison.Ordinal);
    }

    private async Task<(int Code, string Output, string Error)> RunAsync(string before, string command, bool asNobody)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "virtshell.dll");
        string dotnet = Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet";
        string script = $"{before} && set -f && exec '{dotnet}' '{program}' {command}";
        var start = new ProcessStartInfo(asNobody ? "setpriv" : "bash", asNobody ? [$"--reuid={Nobody}", $"--regid={Nobody}", "--clear-groups", "bash", "-c", script] : ["-c", script])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder,
        };
        start.Environment["HOME"] = _folder;
        start.Environment["VIRTSHELL_HOME"] = Path.Combine(_folder, "home");
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }
}
