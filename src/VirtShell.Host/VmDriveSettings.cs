using System.Collections.Generic;
using VirtShell.Settings;

namespace VirtShell.Host;

/// <summary>The settings of a CD drive, one row each.</summary>
public static class VmCdSettings
{
    private static readonly VmCdDrive s_blank = new();

    public static Setting<VmCdDrive, string> Source { get; } = new(s_blank, SettingKinds.Source, d => d.Source, (d, v) => d with { Source = v })
    {
        Name = "source",
        Property = nameof(VmCdDrive.Source),
        Title = "source",
        Meaning = "An ISO image: path, apt: or https: source; without one the drive is empty",
    };

    public static Setting<VmCdDrive, IdePlace> Place { get; } = new(s_blank, VmDiskSettings.PlaceKind, d => d.Place, (d, v) => d with { Place = v })
    {
        Name = "place",
        Property = nameof(VmCdDrive.Place),
        Title = "place",
        Meaning = "Where on the IDE controller the drive is",
    };

    public static IReadOnlyList<Setting<VmCdDrive>> All { get; } = [Source, Place];

    internal static RecordOf<VmCdDrive> Kind { get; } = new("a CD drive", All, d => d.Source ?? string.Empty);
}

/// <summary>The settings of a floppy drive, one row each.</summary>
public static class VmFloppySettings
{
    private static readonly VmFloppyDrive s_blank = new();

    public static Setting<VmFloppyDrive, string> Source { get; } = new(s_blank, SettingKinds.Source, d => d.Source, (d, v) => d with { Source = v })
    {
        Name = "source",
        Property = nameof(VmFloppyDrive.Source),
        Title = "source",
        Meaning = "A raw image of at most 2.88 MB: path, apt: or https: source; without one the drive is empty",
    };

    public static Setting<VmFloppyDrive, DiskAccess> Access { get; } = new(s_blank, VmDiskSettings.AccessKind, d => d.Access, (d, v) => d with { Access = v })
    {
        Name = "access",
        Property = nameof(VmFloppyDrive.Access),
        Title = "access",
        Meaning = "How the image is used",
    };

    public static Setting<VmFloppyDrive, long> OverlayLimit { get; } = new(s_blank, VmDiskSettings.OverlayLimitKind, d => d.OverlayLimit, (d, v) => d with { OverlayLimit = v })
    {
        Name = "overlay-limit",
        Property = nameof(VmFloppyDrive.OverlayLimit),
        Title = "overlay limit",
        Meaning = "Bytes of changes that an overlay takes, beyond which the guest's writes fail",
    };

    public static IReadOnlyList<Setting<VmFloppyDrive>> All { get; } = [Source, Access, OverlayLimit];

    internal static RecordOf<VmFloppyDrive> Kind { get; } = new("a floppy drive", All, d => d.Source ?? string.Empty);
}
