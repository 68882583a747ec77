using System;
using System.Linq;
using VirtShell.Cpu;
using VirtShell.Guests;
using VirtShell.Harness.Yaml;
using VirtShell.Host;
using VirtShell.Machine;

namespace VirtShell.Harness.Model;

/// <summary>How machines are written in suites.</summary>
internal static class VmKind
{
    /// <summary>The least that a machine takes, and what 32-bit physical addressing below the PCI hole leaves well alone.</summary>
    private const long MinimumMemory = 64L << 10;

    private const long MaximumMemory = 64L << 30;
    private const long PageSize = 4096;
    private const long SectorSize = 512;
    private const long MaximumGeneratedDisk = 1L << 30;

    public static readonly ObjectKind<InitramfsSpec> Initramfs = new ObjectKind<InitramfsSpec>("initramfs", "an initramfs", "An initramfs built for this machine: later parts replace earlier ones at the same path.")
        .With("folder", "A folder whose content is copied.", Kinds.NonEmptyText, (t, v) => t.Folder = v)
        .With("busybox", "A busybox binary (for example apt:busybox-static#bin/busybox), installed with a link for every applet.", Kinds.NonEmptyText, (t, v) => t.Busybox = v)
        .With("files", "Path in the initramfs: source (path, apt:, https:).", new MapKind<string>("a path", Kinds.NonEmptyText), (t, v) => t.Files = v)
        .With("text", "Path in the initramfs: content. /init, what lies in /bin and /sbin, and what begins with #! is executable.", new MapKind<string>("a path", Kinds.Text), (t, v) => t.Text = v)
        .With("links", "Path in the initramfs: target of the symbolic link.", new MapKind<string>("a path", Kinds.NonEmptyText), (t, v) => t.Links = v)
        .With("nodes", "Path in the initramfs: device node as \"c MAJOR MINOR\" or \"b MAJOR MINOR\".", new MapKind<string>("a path", Kinds.NonEmptyText), (t, v) => t.Nodes = v)
        .With("modules", "Kernel modules by name; their dependencies come along, and /etc/modules-load lists all in load order.", new ListKind<string>(Kinds.NonEmptyText, allowSingle: true), (t, v) => t.Modules = v)
        .With("modules-from", "The package (apt:PACKAGE) or folder that holds the modules. Default: the package of the kernel.", Kinds.NonEmptyText, (t, v) => t.ModulesFrom = v);

    public static readonly ObjectKind<DiskSpec> Disk = new ObjectKind<DiskSpec>("disk", "a disk", "A raw disk image on virtio-blk, or generated content.")
        .Shorthand(Kinds.NonEmptyText, (t, v) => t.Source = v)
        .With("source", "A raw image: path, apt: or https: source.", Kinds.NonEmptyText, (t, v) => t.Source = v)
        .With("generate", "Size of a disk with pseudo-random content; ${{ disk.vda.sha256 }} is its checksum.", Kinds.Size, (t, v) => t.Generate = v)
        .With("seed", "Seed of the generated content.", Kinds.Seed, (t, v) => t.Seed = v)
        .With("access", "overlay (default: writes are thrown away), read-only, or read-write.", new ChoiceKind<DiskAccess>(("overlay", DiskAccess.Overlay), ("read-only", DiskAccess.ReadOnly), ("read-write", DiskAccess.ReadWrite)), (t, v) => t.Access = v)
        .With("overlay-limit", "Bytes of changes that an overlay takes: 1M to 512G. Default 16G. Writes beyond them fail for the guest.", Kinds.Size, (t, v) => t.OverlayLimit = v)
        .AtMostOne("source", "generate")
        .Check(CheckDisk);

    public static readonly ListKind<DiskSpec> Disks = new(Disk, allowSingle: true);

    public static readonly ObjectKind<VmSpec> Vm = new ObjectKind<VmSpec>("vm", "a vm", "The machine: what it boots and what it is made of.")
        .Shorthand(Kinds.NonEmptyText, (t, v) => t.Guest = v)
        .With("guest", "A bundled guest by name (virtshell guests lists them).", Kinds.NonEmptyText, (t, v) => t.Guest = v)
        .With("kernel", "A Linux bzImage or zImage, an ELF kernel (vmlinux, by PVH where it has that entry), a Multiboot image, or a real-mode program with a Linux header (iPXE): path, apt:PACKAGE[:ARCH]#GLOB, or https: with kernel-sha256.", Kinds.NonEmptyText, (t, v) => t.Kernel = v)
        .With("kernel-sha256", "SHA-256 of the kernel; required for https: sources.", Kinds.Sha256, (t, v) => t.KernelSha256 = v)
        .With("initrd", "A ready initramfs: path, apt: or https: source.", Kinds.NonEmptyText, (t, v) => t.Initrd = v)
        .With("initramfs", "An initramfs to build.", Initramfs, (t, v) => t.Initramfs = v)
        .With("cmdline", "Kernel command line.", Kinds.Text, (t, v) => t.CommandLine = v)
        .With("memory", "RAM: a multiple of 4K. Default 256M.", Kinds.Size, (t, v) => t.MemoryBytes = v)
        .With("cpu", "Processor model. Default x86-64-v3.", new ChoiceKind<CpuModel>(CpuModels.Words), (t, v) => t.Cpu = v)
        .With("clock", "virtual (default: deterministic, sleeping costs nothing) or host (paced by the host's clock).", new ChoiceKind<ClockMode>(("virtual", ClockMode.Virtual), ("host", ClockMode.Host)), (t, v) => t.Clock = v)
        .With("engine", "What executes the guest: auto (default: the translator where the host can run it), translator or interpreter. It changes speed and nothing else.", new ChoiceKind<EngineKind>(Engines.Words), (t, v) => t.Engine = v)
        .With("seed", "Seed of the machine's random sources. Default 0.", Kinds.Seed, (t, v) => t.Seed = v)
        .With("rtc", "What the machine's clock shows at the start, in UTC: a date such as 2026-01-01 (the default) or 2026-01-01T12:30:00, utc for the host's time, or localtime for its local time. With the host's time runs do not repeat.", Kinds.RtcStart, (t, v) => t.Rtc = v)
        .With("disks", "Disks in order: vda, vdb, ...", Disks, (t, v) => t.Disks = v)
        .With("hang-after", "Instructions without serial output, disk access or a halt after which the guest counts as hung. Default: no such check.", Kinds.Count, (t, v) => t.HangAfter = v)
        .With("on-reset", "What a reset by the guest does: end (default: the run ends) or restart (as a PC does).", new ChoiceKind<ResetAction>(("end", ResetAction.EndRun), ("restart", ResetAction.Restart)), (t, v) => t.OnReset = v)
        .AtMostOne("guest", "kernel")
        .AtMostOne("initrd", "initramfs")
        .AtMostOne("guest", "initrd")
        .AtMostOne("guest", "initramfs")
        .Check(CheckVm);

    private static void CheckDisk(DiskSpec disk, MappingNode? mapping, SuiteNode node, Diagnostics diagnostics)
    {
        if (disk.Source is null && disk.Generate == 0)
        {
            diagnostics.Add(node.Mark, "a disk needs \"source\" (an image) or \"generate\" (a size)");
        }
        else if (disk.Source is null && (disk.Generate % SectorSize != 0 || disk.Generate > MaximumGeneratedDisk))
        {
            diagnostics.Add(mapping!.Find("generate")!.Mark, "a generated disk is a multiple of 512 bytes and at most 1G");
        }

        if (mapping?.Find("overlay-limit") is { } limit && disk.OverlayLimit is < 1L << 20 or > 512L << 30)
        {
            diagnostics.Add(limit.Mark, "an overlay's limit is 1M to 512G");
        }
    }

    /// <summary>Notes what the machine is made of, with places, so that what is missing is told before anything runs.</summary>
    private static void AddSources(VmSpec vm, MappingNode? mapping)
    {
        void Add(string? source, string what, SuiteNode? node)
        {
            if (source is not null)
            {
                vm.Sources.Add(new PlacedSource(source, what, node?.Mark ?? vm.Mark));
            }
        }

        Add(vm.Kernel, "kernel", mapping?.Find("kernel"));
        Add(vm.Initrd, "initrd", mapping?.Find("initrd"));
        foreach (DiskSpec disk in vm.Disks)
        {
            if (disk.Source is not null)
            {
                vm.Sources.Add(new PlacedSource(disk.Source, "disk image", disk.Mark));
            }
        }

        if (vm.Initramfs is { } own && mapping?.Find("initramfs") is MappingNode node)
        {
            Add(own.Folder, "folder", node.Find("folder"));
            Add(own.Busybox, "busybox", node.Find("busybox"));
            Add(own.ModulesFrom, "source of modules", node.Find("modules-from"));
            foreach ((string path, string source) in own.Files)
            {
                Add(source, "file", (node.Find("files") as MappingNode)?.Find(path));
            }
        }
    }

    private static void CheckVm(VmSpec vm, MappingNode? mapping, SuiteNode node, Diagnostics diagnostics)
    {
        if (vm.Guest is null && vm.Kernel is null)
        {
            diagnostics.Add(node.Mark, "a vm needs \"guest\" (a bundled guest) or \"kernel\" (an image)");
        }

        if (vm.Guest is not null && GuestCatalog.Find(vm.Guest) is null)
        {
            string[] names = [.. GuestCatalog.All.Select(g => g.Name)];
            diagnostics.Add(mapping?.Find("guest")?.Mark ?? node.Mark, $"there is no bundled guest \"{Printable.Escape(vm.Guest)}\"{Nearest.Hint(vm.Guest, names)}");
        }

        if (vm.Kernel is not null && vm.Kernel.StartsWith("https:", StringComparison.OrdinalIgnoreCase) && vm.KernelSha256 is null)
        {
            diagnostics.Add(mapping!.Find("kernel")!.Mark, "an https: kernel needs \"kernel-sha256\", so that every run boots the same bytes");
        }

        AddSources(vm, mapping);
        if (vm.MemoryBytes < MinimumMemory || vm.MemoryBytes > MaximumMemory || vm.MemoryBytes % PageSize != 0)
        {
            diagnostics.Add(mapping?.Find("memory")?.Mark ?? node.Mark, "memory is a multiple of 4K, from 64K to 64G");
        }
    }
}
