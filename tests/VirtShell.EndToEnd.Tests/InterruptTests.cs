using System;
using System.Diagnostics;
using System.IO;
using System.Threading.Tasks;
using Xunit;

namespace VirtShell.EndToEnd.Tests;

/// <summary>Ctrl+C on the console program while guests print all they can.</summary>
public sealed class InterruptTests : IDisposable
{
    // Beyond what the program needs to start its second item by far, and spent in the guest then.
    private static readonly TimeSpan s_work = TimeSpan.FromSeconds(2);

    private readonly string _folder = Directory.CreateTempSubdirectory("virtshell-e2e-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [SkippableTheory]
    [InlineData("translator")]
    [InlineData("interpreter")]
    public async Task A_run_that_is_cut_short_has_reports_with_what_was_printed(string engine)
    {
        Skip.If(OperatingSystem.IsWindows(), "A process is interrupted by SIGINT here.");
        string suite = Path.Combine(_folder, "s.yaml");
        string report = Path.Combine(_folder, "report");
        await File.WriteAllTextAsync(suite, $$"""
            suite: s
            tests:
              - name: before
                vm: hello
                assert: {end: poweroff}
              - name: flood
                vm: {guest: attack, cmdline: attack=serial-flood, engine: {{engine}}}
                limits: {serial-bytes: 1G}
            """);
        using Process process = ConsoleProgram.Start(["test", suite, "--jobs", "1", "--report", report]);
        string? line;
        do
        {
            line = await process.StandardOutput.ReadLineAsync();
        }
        while (line is not null && !line.Contains("s / before", StringComparison.Ordinal));

        TimeSpan before = process.TotalProcessorTime;
        while (!process.HasExited && process.TotalProcessorTime - before < s_work)
        {
            await Task.Delay(20);
            process.Refresh();
        }

        using (Process interrupt = Process.Start("kill", ["-INT", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]))
        {
            await interrupt.WaitForExitAsync();
        }

        (int code, string output, string error) = await ConsoleProgram.FinishAsync(process);

        Assert.True(code == 130, $"{code}: {line}{output}{error}");
        Assert.All(new[] { "report.html", "report.json", "junit.xml" }, f => Assert.True(File.Exists(Path.Combine(report, f)), f));
        Assert.Contains(Directory.EnumerateFiles(Path.Combine(report, "serial")), f => f.Contains("flood", StringComparison.Ordinal) && new FileInfo(f).Length > 0);
        Assert.DoesNotContain("   at ", output + error, StringComparison.Ordinal);
    }
}
