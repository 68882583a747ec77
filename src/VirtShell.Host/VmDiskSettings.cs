using System.Collections.Generic;
using VirtShell.Settings;

namespace VirtShell.Host;

/// <summary>The settings of a disk, one row each.</summary>
public static class VmDiskSettings
{
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
        new WordKind<DiskAccess>(
            new("overlay", DiskAccess.Overlay, "writes are thrown away when the VM is switched off"),
            new("read-only", DiskAccess.ReadOnly),
            new("read-write", DiskAccess.ReadWrite, "writes go to the image")),
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
        new NumberKind(NumberUnit.Size, least: 1L << 20, most: 512L << 30),
        d => d.OverlayLimit,
        (d, v) => d with { OverlayLimit = v })
    {
        Name = "overlay-limit",
        Property = nameof(VmDisk.OverlayLimit),
        Title = "overlay limit",
        Meaning = "Bytes of changes that an overlay takes, beyond which the guest's writes fail",
    };

    public static IReadOnlyList<Setting<VmDisk>> All { get; } = [Source, Access, OverlayLimit];

    internal static RecordOf<VmDisk> Kind { get; } = new("a disk", All, d => d.Source);
}
