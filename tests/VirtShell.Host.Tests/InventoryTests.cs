using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using VirtShell.Cpu;
using VirtShell.Host.Inventory;
using VirtShell.Images;
using VirtShell.Machine;
using Xunit;

namespace VirtShell.Host.Tests;

public sealed class InventoryTests
{
    [Fact]
    public void A_definition_survives_with_everything_in_it()
    {
        using TemporaryFolder home = new();
        VmDefinition written = new()
        {
            Name = "Web server 1",
            Notes = "über \"quoted\"",
            MemoryBytes = 512 << 20,
            CpuModel = CpuModel.I486,
            Clock = ClockMode.Virtual,
            Engine = EngineKind.Interpreter,
            Seed = ulong.MaxValue,
            RtcStart = RtcStart.At(new DateTime(2031, 2, 3, 4, 5, 6, DateTimeKind.Utc)),
            Kernel = "apt:linux-image-cloud-amd64#boot/vmlinuz-*",
            Initramfs = new InitramfsDefinition
            {
                Busybox = "apt:busybox-static#bin/busybox",
                Text = new Dictionary<string, string> { ["/init"] = "#!/bin/sh\nexec sh\n" },
                Modules = ["virtio_blk"],
                ModulesFrom = "apt:linux-image-cloud-amd64",
            },
            CommandLine = "console=ttyS0 quiet",
            Disks = [new VmDisk("a.img", DiskAccess.ReadOnly), new VmDisk("b.img"), new VmDisk("c.img", OverlayLimit: 1 << 30)],
            Cds = [new VmCdDrive("d.iso", IdePlace.PrimarySlave), new VmCdDrive()],
            Floppies = [new VmFloppyDrive("e.img", DiskAccess.ReadWrite)],
            BaseFolder = "/srv/vms",
            CrashAction = CrashAction.Restart,
            CrashRestartLimit = 2,
            ResetAction = ResetAction.EndRun,
            DetectPanics = false,
            Parts = ["virtio-rng=off", "com2.pace=on"],
            HangInstructions = 5_000_000_000,
        };
        using (VmHost host = new(home.Path))
        {
            host.Create(written);
        }

        using VmHost again = new(home.Path);
        VmDefinition read = Assert.Single(again.VirtualMachines).Definition;
        Assert.Equal(written.Initramfs.Text, read.Initramfs!.Text);
        Assert.Equal(written.Initramfs.Modules, read.Initramfs.Modules);
        Assert.Equal(written.Initramfs.Busybox, read.Initramfs.Busybox);
        Assert.Equal(written.Disks, read.Disks);
        Assert.Equal(written.Parts, read.Parts);
        Assert.Equal(written.Cds, read.Cds);
        Assert.Equal(written.Floppies, read.Floppies);
        Assert.Equal(written with { Initramfs = null, Modules = [], Disks = [], Cds = [], Floppies = [], Parts = [] }, read with { Initramfs = null, Modules = [], Disks = [], Cds = [], Floppies = [], Parts = [] });
    }

    /// <summary>A definition from before overlays had a limit.</summary>
    [Fact]
    public void A_disk_without_a_limit_has_the_default()
    {
        using TemporaryFolder home = new();
        using (VmHost host = new(home.Path))
        {
            host.Create(Vm.Guest("hello") with { Disks = [new VmDisk("b.img", OverlayLimit: 1 << 30)] });
        }

        string path = Assert.Single(Directory.GetFiles(home.File("vms"), "*.json"));
        string[] lines = File.ReadAllLines(path);
        string[] old = [.. lines.Where(line => !line.Contains("overlayLimit", StringComparison.Ordinal))];
        Assert.Equal(lines.Length - 1, old.Length);
        File.WriteAllLines(path, old);
        using VmHost again = new(home.Path);
        Assert.Equal(new VmDisk("b.img"), Assert.Single(Assert.Single(again.VirtualMachines).Definition.Disks));
    }

    [Fact]
    public void Names_are_found_and_taken_without_case()
    {
        using VmHost host = new(null);
        VirtualMachine vm = host.Create(new VmDefinition { Name = "Alpha" });
        Assert.Same(vm, host.Find("ALPHA"));
        Assert.Null(host.Find("beta"));
        VmException error = Assert.Throws<VmException>(() => host.Create(new VmDefinition { Name = "alpha" }));
        Assert.Equal(VmErrorKind.NameInUse, error.Kind);
    }

    [Theory]
    [InlineData("")]
    [InlineData("  ")]
    [InlineData(" a")]
    [InlineData("a*")]
    [InlineData("a[1]")]
    [InlineData("a\nb")]
    public void Bad_names_are_refused(string name)
    {
        using VmHost host = new(null);
        VmException error = Assert.Throws<VmException>(() => host.Create(new VmDefinition { Name = name }));
        Assert.Equal(VmErrorKind.InvalidDefinition, error.Kind);
    }

    [Fact]
    public void Contradictions_are_refused()
    {
        VmDefinition good = new() { Name = "a" };
        VmDefinition[] bad =
        [
            good with { Name = new string('x', 101) },
            good with { MemoryBytes = 0 },
            good with { MemoryBytes = (1 << 20) + 1 },
            good with { MemoryBytes = 2UL << 40 },
            good with { Guest = "hello", Kernel = "k" },
            good with { Kernel = "k", Initrd = "i", Initramfs = new InitramfsDefinition() },
            good with { Guest = "hello", Initrd = "i" },
            good with { Kernel = "https://example.org/vmlinuz" },
            good with { Kernel = "k", KernelSha256 = "12" },
            good with { Kernel = "k", Firmware = "f" },
            good with { Kernel = "k", Modules = [" "] },
            good with { Kernel = "k", Initrd = "i", Modules = ["m"] },
            good with { Guest = "hello", Modules = ["m"] },
            good with { Guest = "hello", Firmware = "f" },
            good with { Firmware = "f", Initrd = "i" },
            good with { Firmware = "https://example.org/bios.bin" },
            good with { Disks = [new VmDisk(" ")] },
            good with { Parts = ["tape=off"] },
            good with { Parts = ["virtio-blk=off"], Disks = [new VmDisk("d.img")] },
            good with { HangInstructions = -1 },
            good with { CrashRestartLimit = -1 },
        ];
        using VmHost host = new(null);
        Assert.All(bad, one => Assert.Equal(VmErrorKind.InvalidDefinition, Assert.Throws<VmException>(() => host.Create(one)).Kind));
        Assert.Empty(host.VirtualMachines);
    }

    [Fact]
    public void Two_hosts_on_one_home_see_each_others_changes()
    {
        using TemporaryFolder home = new();
        using VmHost one = new(home.Path);
        using VmHost other = new(home.Path);
        VirtualMachine mine = one.Create(new VmDefinition { Name = "shared" });
        VirtualMachine theirs = other.Find("shared")!;
        Assert.Equal(mine.Id, theirs.Id);
        Assert.Equal(VmErrorKind.NameInUse, Assert.Throws<VmException>(() => other.Create(new VmDefinition { Name = "SHARED" })).Kind);

        theirs.Configure(theirs.Definition with { Name = "renamed", Notes = "by the other one" });
        Assert.Null(one.Find("shared"));
        Assert.Same(mine, one.Find("renamed"));
        Assert.Equal("by the other one", mine.Definition.Notes);

        one.Remove(mine);
        Assert.Empty(other.VirtualMachines);
        Assert.Equal(VmErrorKind.NotFound, Assert.Throws<VmException>(() => one.Remove(mine)).Kind);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{ \"format\": 1, \"vm\": { \"name\": \"broken\", \"memoryBytes\": ")]
    [InlineData("{ \"format\": 1, \"vm\": { \"name\": \"broken\", \"memoryBytes\": -4 } }")]
    [InlineData("{ \"format\": 1, \"vm\": { \"name\": \"broken\", \"memoryBytes\": 17 } }")]
    [InlineData("{ \"format\": 999, \"vm\": { \"name\": \"broken\" } }")]
    [InlineData("{ \"format\": 1, \"vm\": { } }")]
    public void A_damaged_file_is_that_VMs_trouble_only(string content)
    {
        using TemporaryFolder home = new();
        using (VmHost host = new(home.Path))
        {
            host.Create(new VmDefinition { Name = "good" });
            VirtualMachine bad = host.Create(new VmDefinition { Name = "bad" });
            File.WriteAllText(new DefinitionStore(home.Path).PathOf(bad.Id), content);
        }

        using VmHost again = new(home.Path);
        Assert.Equal(2, again.VirtualMachines.Count);
        Assert.Null(again.Find("good")!.DefinitionError);
        VirtualMachine damaged = again.VirtualMachines.Single(vm => vm.DefinitionError is not null);
        if (content.Contains("broken"))
        {
            Assert.Equal("broken", damaged.Name);
        }

        VmException error = Assert.Throws<VmException>(() => damaged.Start());
        Assert.Equal(VmErrorKind.InvalidDefinition, error.Kind);
        Assert.Equal(damaged.DefinitionError, error.Message);
        Assert.Contains(damaged.Id.ToString("D"), error.Message);
        again.Remove(damaged);
        Assert.Single(again.VirtualMachines);
    }

    [Fact]
    public void A_mended_file_is_taken_again()
    {
        using TemporaryFolder home = new();
        using VmHost host = new(home.Path);
        VirtualMachine vm = host.Create(new VmDefinition { Name = "vm" });
        string path = new DefinitionStore(home.Path).PathOf(vm.Id);
        string text = File.ReadAllText(path);
        File.WriteAllText(path, "{");
        Assert.NotNull(Assert.Single(host.VirtualMachines).DefinitionError);
        File.WriteAllText(path, text);
        Assert.Null(Assert.Single(host.VirtualMachines).DefinitionError);
    }

    [Fact]
    public async Task Many_hosts_creating_at_once_lose_nothing()
    {
        using TemporaryFolder home = new();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(number => Task.Run(() =>
        {
            using VmHost host = new(home.Path);
            for (int i = 0; i < 10; i++)
            {
                host.Create(new VmDefinition { Name = $"vm-{number}-{i}" });
            }
        })));
        using VmHost all = new(home.Path);
        Assert.Equal(80, all.VirtualMachines.Count);
        Assert.Empty(Directory.GetFiles(Path.Combine(home.Path, "vms"), "*.tmp"));
    }

    [Fact]
    public void A_home_that_cannot_be_made_is_a_clear_error()
    {
        using TemporaryFolder home = new();
        File.WriteAllText(home.File("file"), string.Empty);
        VmException error = Assert.Throws<VmException>(() => new VmHost(home.File("file/below")));
        Assert.Equal(VmErrorKind.StorageFailed, error.Kind);
        Assert.Contains("VIRTSHELL_HOME", error.Message);
    }

    [Fact]
    public void A_copied_definition_gets_an_identity_of_its_own()
    {
        using VmHost host = new(null);
        VirtualMachine one = host.Create(new VmDefinition { Name = "one" });
        VirtualMachine two = host.Create(one.Definition with { Name = "two" });
        Assert.NotEqual(one.Id, two.Id);
        Assert.Equal(2, host.VirtualMachines.Count);
    }

    [Fact]
    public void A_run_lock_keeps_others_out_until_it_is_released()
    {
        using TemporaryFolder home = new();
        DefinitionStore store = new(home.Path);
        Guid id = Guid.NewGuid();
        using (RunLock held = RunLock.Take(store, id, "vm"))
        {
            Assert.Equal(Environment.ProcessId, RunLock.FindOwner(store, id)!.ProcessId);
            VmException error = Assert.Throws<VmException>(() => RunLock.Take(store, id, "vm"));
            Assert.Equal(VmErrorKind.InvalidState, error.Kind);
            Assert.Contains($"process {Environment.ProcessId}", error.Message);
        }

        Assert.Null(RunLock.FindOwner(store, id));
        RunLock.Take(store, id, "vm").Dispose();
    }

    [Fact]
    public void A_name_left_by_a_killed_process_means_nothing()
    {
        using TemporaryFolder home = new();
        DefinitionStore store = new(home.Path);
        Guid id = Guid.NewGuid();
        File.WriteAllText(store.OwnerPathOf(id), "{ \"processId\": 1, \"startedAt\": \"2026-01-01T00:00:00Z\" }");
        File.WriteAllText(store.LockPathOf(id), string.Empty);
        Assert.Null(RunLock.FindOwner(store, id));
        RunLock.Take(store, id, "vm").Dispose();
    }
}
