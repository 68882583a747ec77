using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using VirtShell.Cpu;
using VirtShell.Host;
using VirtShell.Images;
using VirtShell.Machine;
using Xunit;

namespace VirtShell.EndToEnd.Tests;

/// <summary>What VMs say they take of the host's memory, beside what the process has grown by.</summary>
public sealed class HostMemoryTests
{
    private const int Guests = 6;
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(5);

    [SkippableFact]
    public async Task The_account_is_what_the_process_has_grown_by()
    {
        Skip.IfNot(Environment.GetEnvironmentVariable("VIRTSHELL_SOAK") == "memory", "Six Debian guests beside each other take minutes: ./test --soak memory.");
        using VmHost host = new(null);

        // One for the images that all share, and for the code of this process.
        VirtualMachine first = await Boot(host, 0);
        long before = ProportionalBytes();
        List<VirtualMachine> all = [];
        for (int number = 1; number <= Guests; number++)
        {
            all.Add(await Boot(host, number));
        }

        long grown = ProportionalBytes() - before;
        List<VmHostMemory> accounts = [.. all.Select(vm => vm.HostMemory)];
        long told = accounts.Sum(account => account.TotalBytes);
        Report(grown, accounts);
        Assert.Equal(VmState.Running, first.State);
        Assert.InRange(told, grown * 0.85, grown * 1.15);
    }

    private static async Task<VirtualMachine> Boot(VmHost host, int number)
    {
        VirtualMachine vm = host.Create(new VmDefinition
        {
            Name = "debian " + number.ToString(CultureInfo.InvariantCulture),
            Kernel = "apt:linux-image-cloud-amd64#boot/vmlinuz-*",
            Initramfs = new InitramfsDefinition
            {
                Busybox = "apt:busybox-static#bin/busybox",
                Text = new Dictionary<string, string> { ["/init"] = "#!/bin/sh\nmount -t proc proc /proc\necho it is up\nexec setsid cttyhack sh\n" },
            },
            CommandLine = "console=ttyS0,115200 quiet panic=-1",
            MemoryBytes = 128 << 20,
            CpuModel = CpuModel.Qemu64,
            Clock = ClockMode.Host,
            BaseFolder = Directory.GetCurrentDirectory(),
        });
        vm.Start();
        Assert.NotNull(await vm.WaitForSerialAsync("it is up", hostTimeLimit: s_patience));
        return vm;
    }

    private static long ProportionalBytes()
    {
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        string line = File.ReadLines("/proc/self/smaps_rollup").First(text => text.StartsWith("Pss:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
    }

    private static void Report(long grown, List<VmHostMemory> accounts)
    {
        if (Environment.GetEnvironmentVariable("VIRTSHELL_SOAK_REPORT") is { Length: > 0 } path)
        {
            File.AppendAllLines(path, [$"{Guests} Debian guests of 128 MiB: the process grew by {grown / Guests >> 10} KiB each", .. accounts.Select(account => "  " + account)]);
        }
    }
}
