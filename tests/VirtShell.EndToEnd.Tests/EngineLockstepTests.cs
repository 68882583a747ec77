using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text;
using VirtShell.Cpu;
using VirtShell.Guests;
using VirtShell.Host;
using VirtShell.Host.Lockstep;
using VirtShell.Images;
using VirtShell.Machine;
using Xunit;

namespace VirtShell.EndToEnd.Tests;

/// <summary>Whole systems on both engines at once: the same bytes, counts, times and memory.</summary>
public sealed class EngineLockstepTests
{
    private const long GuestLimit = 12_000_000;
    private const long KernelLimit = 6_000_000_000;

    public static TheoryData<string> Guests => [.. GuestCatalog.All.Select(static g => g.Name)];

    [Theory]
    [MemberData(nameof(Guests))]
    public void Bundled_guests_do_the_same_on_both_engines(string guest)
    {
        using VmHost host = new(homeFolder: null, workers: 1);
        VmDefinition definition = new() { Name = guest, Guest = guest, MemoryBytes = 32 << 20, Clock = ClockMode.Virtual };

        // An odd chunk: boundaries fall anywhere.
        EngineLockstepResult result = EngineLockstep.Run(host, definition, new EngineLockstepOptions { Chunk = 9_973, InstructionLimit = GuestLimit });

        Assert.True(result.Report is null, result.Report);
        Assert.InRange(result.Instructions, 1, GuestLimit);
    }

    [SkippableFact]
    public void A_debian_kernel_boots_the_same_way_on_both_engines()
    {
        RequireApt();
        using VmHost host = new(homeFolder: null, workers: 1);
        VmDefinition definition = new()
        {
            Name = "debian",
            Kernel = "apt:linux-image-cloud-amd64#boot/vmlinuz-*",
            Initramfs = new InitramfsDefinition
            {
                Busybox = "apt:busybox-static#bin/busybox",
                Text = new Dictionary<string, string>
                {
                    ["/init"] = """
                        #!/bin/sh
                        mount -t proc proc /proc
                        uname -a
                        cat /proc/cpuinfo | sha256sum
                        for i in 1 2 3; do ls -lR /bin | md5sum; done
                        poweroff -f
                        """,
                },
            },
            CommandLine = "console=ttyS0,115200 quiet panic=-1",
            MemoryBytes = 128 << 20,
            CpuModel = CpuModel.Qemu64,
            Clock = ClockMode.Virtual,
            BaseFolder = Directory.GetCurrentDirectory(),
        };

        EngineLockstepResult result = EngineLockstep.Run(host, definition, new EngineLockstepOptions { Chunk = 999_983, MemoryInterval = 50, InstructionLimit = KernelLimit });

        Assert.True(result.Report is null, result.Report);
        Assert.Equal(MachineExitKind.PowerOff, result.End);
        Assert.Contains("GNU/Linux", Encoding.Latin1.GetString(result.Serial.Span), StringComparison.Ordinal);
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
