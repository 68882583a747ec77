using System.Collections.Generic;
using VirtShell.Settings;

namespace VirtShell.Host;

/// <summary>The settings of a disk, one row each.</summary>
public static class VmDiskSettings
{
    internal static readonly WordKind<IdePlace> PlaceKind = new(
        new("next", IdePlace.Next, "the next that is free"),
        new("primary-master", IdePlace.PrimaryMaster),
        new("primary-slave", IdePlace.PrimarySlave),
        new("secondary-master", IdePlace.SecondaryMaster),
        new("secondary-slave", IdePlace.SecondarySlave));

    internal static readonly WordKind<DiskAccess> AccessKind = new(
        new("overlay", DiskAccess.Overlay, "writes are thrown away when the VM is switched off"),
        new("read-only", DiskAccess.ReadOnly),
        new("read-write", DiskAccess.ReadWrite, "writes go to the image"));

    internal static readonly NumberKind OverlayLimitKind = new(NumberUnit.Size, least: 1L << 20, most: 512L << 30);

    private static readonly VmDisk s_blank = new(string.Empty);

    public static Setting<VmDisk, string> Source { get; } = new(s_blank, SettingKinds.Source, d => d.Source, (d, v) => d with { Source = v! })
    {
        Name = "source",
        Property = nameof(VmDisk.Source),
        Title = "source",
        Meaning = "A raw image: path, apt: or https: source",
    };

    public static Setting<VmDisk, DiskAccess> Access { get; } = new(
        s_blank,
        AccessKind,
        d => d.Access,
        (d, v) => d with { Access = v })
    {
        Name = "access",
        Property = nameof(VmDisk.Access),
        Title = "access",
        Meaning = "How the image is used",
    };

    public static Setting<VmDisk, long> OverlayLimit { get; } = new(
        s_blank,
        OverlayLimitKind,
        d => d.OverlayLimit,
        (d, v) => d with { OverlayLimit = v })
    {
        Name = "overlay-limit",
        Property = nameof(VmDisk.OverlayLimit),
        Title = "overlay limit",
        Meaning = "Bytes of changes that an overlay takes, beyond which the guest's writes fail",
    };

    public static Setting<VmDisk, DiskInterface> Interface { get; } = new(
        s_blank,
        new WordKind<DiskInterface>(new("virtio", DiskInterface.Virtio), new("ide", DiskInterface.Ide, "for systems that know no virtio")),
        d => d.Interface,
        (d, v) => d with { Interface = v })
    {
        Name = "interface",
        Property = nameof(VmDisk.Interface),
        Title = "interface",
        Meaning = "What the disk is connected to",
    };

    public static Setting<VmDisk, IdePlace> Place { get; } = new(s_blank, PlaceKind, d => d.Place, (d, v) => d with { Place = v })
    {
        Name = "place",
        Property = nameof(VmDisk.Place),
        Title = "place",
        Meaning = "Where on the IDE controller the disk is",
    };

    public static IReadOnlyList<Setting<VmDisk>> All { get; } = [Source, Access, OverlayLimit, Interface, Place];

    internal static RecordOf<VmDisk> Kind { get; } = new("a disk", All, d => d.Source);
}
