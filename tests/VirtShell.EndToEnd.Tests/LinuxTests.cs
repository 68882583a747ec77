using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using VirtShell.Harness;
using Xunit;

namespace VirtShell.EndToEnd.Tests;

/// <summary>Debian's own kernels, as pipelines/linux.yaml runs them.</summary>
public sealed class LinuxTests
{
    [SkippableFact]
    public async Task A_debian_kernel_boots_to_a_shell_and_powers_off()
    {
        RequireApt();
        RunResult run = await Suites.RunFileAsync("pipelines/linux.yaml", "*(cloud-amd64, 256M)");

        ItemResult item = Assert.Single(run.Items);
        Skip.If(item.Outcome == Outcome.Error && item.Message.Contains("network", StringComparison.OrdinalIgnoreCase), $"No way to fetch Debian's kernel: {item.Message}");
        Assert.True(run.Success, Suites.Explain(run));
        Assert.Equal(0, item.Steps.First(s => s.ExitStatus is not null).ExitStatus);
    }

    private static void RequireApt()
    {
        Skip.IfNot(OperatingSystem.IsLinux() && File.Exists("/usr/bin/apt-get"), "apt-get is not here: this test takes its kernel from Debian's archive.");
        using Process apt = Process.Start(new ProcessStartInfo("apt-cache", ["policy", "linux-image-cloud-amd64"]) { RedirectStandardOutput = true })!;
        string policy = apt.StandardOutput.ReadToEnd();
        apt.WaitForExit();
        Skip.If(!policy.Contains("Candidate:", StringComparison.Ordinal), "apt knows no linux-image-cloud-amd64 (apt-get update, or another distribution).");
    }
}
