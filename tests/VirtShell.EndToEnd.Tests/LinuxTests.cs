using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using VirtShell.Harness;
using VirtShell.Host;
using Xunit;

namespace VirtShell.EndToEnd.Tests;

/// <summary>Debian's own kernels, as pipelines/linux.yaml runs them.</summary>
public sealed class LinuxTests
{
    private const string Item = "*(cloud-amd64, 256M)";

    [SkippableFact]
    public async Task A_debian_kernel_boots_to_a_shell_and_powers_off_the_same_way_twice()
    {
        RequireApt();

        // Both at the same time: each is load for the other, and neither may notice.
        RunResult[] runs = await Task.WhenAll(Suites.RunFileAsync("pipelines/linux.yaml", Item), Suites.RunFileAsync("pipelines/linux.yaml", Item));

        Assert.All(runs, run => Assert.True(run.Success, Suites.Explain(run)));
        ItemResult first = Assert.Single(runs[0].Items);
        ItemResult second = Assert.Single(runs[1].Items);
        Assert.Equal(VmEndKind.PowerOff, first.End);
        Assert.Equal(first.SerialText, second.SerialText);
        Assert.Equal(first.Serial, second.Serial);
        Assert.Equal(first.Metrics.Single(m => m.Name == "instructions").Value, second.Metrics.Single(m => m.Name == "instructions").Value);
        Assert.Equal(first.Steps.Select(s => s.Output), second.Steps.Select(s => s.Output));
    }

    [SkippableFact]
    public async Task A_disk_image_that_vanishes_while_in_use_ends_that_guest_alone()
    {
        RequireApt();
        string folder = Directory.CreateTempSubdirectory("virtshell-e2e-").FullName;
        try
        {
            string image = Path.Combine(folder, "disk.img");
            await File.WriteAllBytesAsync(image, new byte[4 << 20]);
            string suite = Path.Combine(folder, "suite.yaml");
            await File.WriteAllTextAsync(suite, """
                suite: s
                tests:
                  - name: reader
                    vm:
                      kernel: apt:linux-image-cloud-amd64#boot/vmlinuz-*
                      initramfs: {busybox: "apt:busybox-static#bin/busybox", modules: [virtio_pci, virtio_blk]}
                      cmdline: console=ttyS0,115200 quiet
                      memory: 128M
                      cpu: qemu64
                      disks: [{source: disk.img, access: read-only}]
                    steps:
                      - run: while echo 3 > /proc/sys/vm/drop_caches && dd if=/dev/vda of=/dev/null bs=64k; do :; done
                        title: read for ever
                        timeout: 10m
                  - name: bystander
                    vm: timer
                    assert: {end: poweroff}
                """);

            RunResult run = await SuiteRunner.RunAsync(new SuiteRunOptions { SuiteFiles = [suite] }, new Truncator(image));

            ItemResult reader = run.Items[0];
            Assert.Equal((Outcome.Error, VmEndKind.StorageFault), (reader.Outcome, reader.End));
            Assert.Contains("disk.img", reader.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", reader.Message, StringComparison.Ordinal);
            Assert.Equal(Outcome.Passed, run.Items[1].Outcome);
            Assert.Equal(2, run.ExitCode);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void RequireApt()
    {
        Skip.IfNot(OperatingSystem.IsLinux() && File.Exists("/usr/bin/apt-get"), "apt-get is not here: this test takes its kernel from Debian's archive.");
        using Process apt = Process.Start(new ProcessStartInfo("apt-cache", ["policy", "linux-image-cloud-amd64"]) { RedirectStandardOutput = true })!;
        string policy = apt.StandardOutput.ReadToEnd();
        apt.WaitForExit();
        Skip.If(!policy.Contains("Candidate:", StringComparison.Ordinal), "apt knows no linux-image-cloud-amd64 (apt-get update, or another distribution).");
    }

    /// <summary>Cuts the image to nothing once the guest is seen reading it.</summary>
    private sealed class Truncator(string image) : IRunObserver
    {
        public void OnItemProgress(ItemInfo item, ItemProgress progress)
        {
            if (progress.Activity.Contains("read for ever", StringComparison.Ordinal) && progress.GuestTime > TimeSpan.FromSeconds(3))
            {
                File.WriteAllBytes(image, []);
            }
        }
    }
}
