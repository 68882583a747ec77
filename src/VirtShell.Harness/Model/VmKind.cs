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

    public static readonly ObjectKind<DiskSpec> Disk = new ObjectKind<DiskSpec>("disk", "a disk", "A raw disk image, or generated content.")
        .Shorthand(Kinds.NonEmptyText, (t, v) => t.Disk = t.Disk with { Source = v })
        .WithSettings(VmDiskSettings.All, t => t.Disk, (t, v) => t.Disk = v)
        .With("generate", "Size of a disk with pseudo-random content; ${{ disk.vda.sha256 }} is its checksum.", Kinds.Size, (t, v) => t.Generate = v)
        .With("seed", "Seed of the generated content.", Kinds.Seed, (t, v) => t.Seed = v)
        .AtMostOne("source", "generate")
        .Check(CheckDisk);

    public static readonly ListKind<DiskSpec> Disks = new(Disk, allowSingle: true);

    public static readonly ObjectKind<CdSpec> Cd = new ObjectKind<CdSpec>("cd", "a CD drive", "A CD drive with an ISO image in it, or empty.")
        .Shorthand(Kinds.NonEmptyText, (t, v) => t.Drive = t.Drive with { Source = v })
        .WithSettings(VmCdSettings.All, t => t.Drive, (t, v) => t.Drive = v);

    public static readonly ObjectKind<FloppySpec> Floppy = new ObjectKind<FloppySpec>("floppy", "a floppy drive", "A floppy drive with a raw image in it, or empty.")
        .Shorthand(Kinds.NonEmptyText, (t, v) => t.Drive = t.Drive with { Source = v })
        .WithSettings(VmFloppySettings.All, t => t.Drive, (t, v) => t.Drive = v);

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
                [VmSettings.Cds.Name] = (kind, meaning) => kind.With(VmSettings.Cds.Name, meaning, new ListKind<CdSpec>(Cd, allowSingle: true), (t, v) => t.Cds = v),
                [VmSettings.Floppies.Name] = (kind, meaning) => kind.With(VmSettings.Floppies.Name, meaning, new ListKind<FloppySpec>(Floppy, allowSingle: true), (t, v) => t.Floppies = v),
            })
        .AtMostOne("guest", "kernel")
        .AtMostOne("guest", "firmware")
        .AtMostOne("kernel", "firmware")
        .AtMostOne("firmware", "initrd")
        .AtMostOne("firmware", "initramfs")
        .AtMostOne("initrd", "initramfs")
        .AtMostOne("initrd", "modules")
        .AtMostOne("initramfs", "modules")
        .AtMostOne("guest", "modules")
        .AtMostOne("firmware", "modules")
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
        Add(definition.Firmware, "firmware", mapping?.Find("firmware"));
        foreach (string module in definition.Modules)
        {
            Add(module.Split(' ')[0], "module", mapping?.Find("modules"));
        }

        Add(definition.Initrd, "initrd", mapping?.Find("initrd"));
        foreach (DiskSpec disk in vm.Disks)
        {
            if (!disk.IsGenerated)
            {
                vm.Sources.Add(new PlacedSource(disk.Disk.Source, "disk image", disk.Mark));
            }
        }

        foreach (CdSpec cd in vm.Cds.Where(c => c.Drive.Source is not null))
        {
            vm.Sources.Add(new PlacedSource(cd.Drive.Source!, "CD image", cd.Mark));
        }

        foreach (FloppySpec floppy in vm.Floppies.Where(f => f.Drive.Source is not null))
        {
            vm.Sources.Add(new PlacedSource(floppy.Drive.Source!, "floppy image", floppy.Mark));
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
        if (definition.Guest is null && definition.Kernel is null && definition.Firmware is null && vm.Disks.Count + vm.Cds.Count + vm.Floppies.Count == 0)
        {
            diagnostics.Add(node.Mark, "a vm needs \"guest\" (a bundled guest), \"kernel\" (an image), \"firmware\" (a PC's), or \"disks\", \"cds\" or \"floppies\" that it boots from");
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

        if (definition.Firmware is not null && definition.Firmware.StartsWith("https:", StringComparison.OrdinalIgnoreCase))
        {
            diagnostics.Add(mapping!.Find("firmware")!.Mark, "firmware comes from a path or a package (apt:), not over https:");
        }

        if (VmParts.Problem(definition.Parts, [.. vm.Disks.Select(d => d.Disk)], definition.Cds.Count, definition.Floppies.Count) is { } problem)
        {
            diagnostics.Add(mapping?.Find("parts")?.Mark ?? node.Mark, Printable.Escape(problem));
        }

        if (DrivePlaces.Problem([.. vm.Disks.Select(d => d.Disk)], definition.Cds, definition.Floppies.Count) is { } crowded)
        {
            SuiteNode? drives = mapping?.Find("cds") ?? mapping?.Find("floppies") ?? mapping?.Find("disks");
            diagnostics.Add(drives?.Mark ?? node.Mark, Printable.Escape(crowded));
        }

        AddSources(vm, mapping);
    }
}
