using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using VirtShell.Images;
using VirtShell.Machine;
using Xunit;

namespace VirtShell.Host.Tests;

/// <summary>A whole system that is saved while it boots, and at its prompt, and each time goes on in another host.</summary>
public sealed class SavedLinuxTests
{
    [SkippableFact]
    public void A_debian_kernel_boots_and_powers_off_the_same_way_with_states_between()
    {
        RequireApt();
        using TemporaryFolder folder = new();
        File.WriteAllBytes(folder.File("disk.img"), new byte[4 << 20]);
        VmDefinition definition = new()
        {
            Name = "linux",
            Kernel = "apt:linux-image-cloud-amd64#boot/vmlinuz-*",
            Initramfs = new InitramfsDefinition
            {
                Busybox = "apt:busybox-static#bin/busybox",
                Modules = ["virtio_pci", "virtio_blk"],
                Text = new Dictionary<string, string>
                {
                    ["/init"] = "#!/bin/sh\nmount -t proc proc /proc\nmount -t devtmpfs dev /dev\nwhile read -r module; do insmod \"$module\"; done < /etc/modules-load\nexec setsid cttyhack sh\n",
                },
            },
            CommandLine = "console=ttyS0,115200 quiet panic=-1",
            MemoryBytes = 256 << 20,
            Clock = ClockMode.Virtual,
            RtcStart = RtcStart.Repeatable,
            Disks = [new VmDisk("disk.img")],
            BaseFolder = folder.Path,
        };
        Conversation Driver() => new(
            "dd if=/dev/urandom of=/dev/vda bs=64k count=20 2>/dev/null; sync\n",
            "echo 3 > /proc/sys/vm/drop_caches; md5sum /dev/vda; cat /proc/uptime\n",
            "poweroff -f\n")
        {
            Prompt = '#',
            Mark = 400_000_000,
        };
        SavedRunTests.Outcome whole = SavedRunTests.Run(definition, Driver, []);
        Assert.Equal(VmEndKind.PowerOff, whole.End);
        Assert.Contains("/dev/vda", whole.Serial);
        SavedRunTests.Same(whole, SavedRunTests.Run(definition, Driver, [1, 3, 60, 200]));
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
