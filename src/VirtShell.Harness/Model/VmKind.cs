using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Guests;
using VirtShell.Harness.Yaml;
using VirtShell.Host;

namespace VirtShell.Harness.Model;

/// <summary>How machines are written in suites.</summary>
internal static class VmKind
{
    private const long SectorSize = 512;
    private const long MaximumGeneratedDisk = 1L << 30;

    public static readonly ObjectKind<InitramfsSpec> Initramfs = new ObjectKind<InitramfsSpec>("initramfs", "an initramfs", "An initramfs built for this machine: later parts replace earlier ones at the same path.")
        .WithSettings(InitramfsSettings.All, t => t.Definition, (t, v) => t.Definition = v);

    public static readonly ObjectKind<DiskSpec> Disk = new ObjectKind<DiskSpec>("disk", "a disk", "A raw disk image on virtio-blk, or generated content.")
        .Shorthand(Kinds.NonEmptyText, (t, v) => t.Disk = t.Disk with { Source = v })
        .WithSettings(VmDiskSettings.All, t => t.Disk, (t, v) => t.Disk = v)
        .With("generate", "Size of a disk with pseudo-random content; ${{ disk.vda.sha256 }} is its checksum.", Kinds.Size, (t, v) => t.Generate = v)
        .With("seed", "Seed of the generated content.", Kinds.Seed, (t, v) => t.Seed = v)
        .AtMostOne("source", "generate")
        .Check(CheckDisk);

    public static readonly ListKind<DiskSpec> Disks = new(Disk, allowSingle: true);

    public static readonly ObjectKind<VmSpec> Vm = new ObjectKind<VmSpec>("vm", "a vm", "The machine: what it boots and what it is made of.")
        .Shorthand(Kinds.NonEmptyText, (t, v) => t.Definition = t.Definition with { Guest = v })
        .WithSettings(
            VmSettings.All,
            t => t.Definition,
            (t, v) => t.Definition = v,
            new Dictionary<string, Action<ObjectKind<VmSpec>, string>>
            {
                [VmSettings.Initramfs.Name] = (kind, meaning) => kind.With(VmSettings.Initramfs.Name, meaning, Initramfs, (t, v) => t.Definition = t.Definition with { Initramfs = v.Definition }),
                [VmSettings.Disks.Name] = (kind, meaning) => kind.With(VmSettings.Disks.Name, meaning, Disks, (t, v) => t.Disks = v),
            })
        .AtMostOne("guest", "kernel")
        .AtMostOne("initrd", "initramfs")
        .AtMostOne("guest", "initrd")
        .AtMostOne("guest", "initramfs")
        .Check(CheckVm);

    private static void CheckDisk(DiskSpec disk, MappingNode? mapping, SuiteNode node, Diagnostics diagnostics)
    {
        if (disk.IsGenerated && disk.Generate == 0)
        {
            diagnostics.Add(node.Mark, "a disk needs \"source\" (an image) or \"generate\" (a size)");
        }
        else if (disk.IsGenerated && (disk.Generate % SectorSize != 0 || disk.Generate > MaximumGeneratedDisk))
        {
            diagnostics.Add(mapping!.Find("generate")!.Mark, "a generated disk is a multiple of 512 bytes and at most 1G");
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

        VmDefinition definition = vm.Definition;
        Add(definition.Kernel, "kernel", mapping?.Find("kernel"));
        Add(definition.Initrd, "initrd", mapping?.Find("initrd"));
        foreach (DiskSpec disk in vm.Disks)
        {
            if (!disk.IsGenerated)
            {
                vm.Sources.Add(new PlacedSource(disk.Disk.Source, "disk image", disk.Mark));
            }
        }

        if (definition.Initramfs is { } own && mapping?.Find("initramfs") is MappingNode node)
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
        VmDefinition definition = vm.Definition;
        if (definition.Guest is null && definition.Kernel is null && vm.Disks.Count == 0)
        {
            diagnostics.Add(node.Mark, "a vm needs \"guest\" (a bundled guest), \"kernel\" (an image) or \"disks\" that it boots from");
        }

        if (definition.Guest is not null && GuestCatalog.Find(definition.Guest) is null)
        {
            string[] names = [.. GuestCatalog.All.Select(g => g.Name)];
            diagnostics.Add(mapping?.Find("guest")?.Mark ?? node.Mark, $"there is no bundled guest \"{Printable.Escape(definition.Guest)}\"{Nearest.Hint(definition.Guest, names)}");
        }

        if (definition.Kernel is not null && definition.Kernel.StartsWith("https:", StringComparison.OrdinalIgnoreCase) && definition.KernelSha256 is null)
        {
            diagnostics.Add(mapping!.Find("kernel")!.Mark, "an https: kernel needs \"kernel-sha256\", so that every run boots the same bytes");
        }

        if (VmParts.Problem(definition.Parts, vm.Disks.Count) is { } problem)
        {
            diagnostics.Add(mapping?.Find("parts")?.Mark ?? node.Mark, Printable.Escape(problem));
        }

        AddSources(vm, mapping);
    }
}
