using System.Collections.Generic;
using VirtShell.Host;
using VirtShell.Settings;

namespace VirtShell.PowerShell.Binding;

/// <summary>
/// Lets a disk be given as a path (the guest's writes are then thrown away at power-off) or as a table with the access:
/// <c>@{ Source = 'root.img'; Access = 'ReadWrite' }</c>, and for an overlay the bytes of changes that it takes
/// (<c>OverlayLimit = 8GB</c>).
/// </summary>
public sealed class DiskTransformationAttribute : RecordTransformationAttribute<VmDisk>
{
    protected override VmDisk Blank => new(string.Empty);

    protected override IReadOnlyList<Setting<VmDisk>> Settings => VmDiskSettings.All;

    protected override string What => "a disk";

    protected override string Hint => "Give a path, or a table: @{ Source = 'root.img'; Access = 'ReadWrite' }.";

    protected override bool IsEmptyAllowed => false;
}

/// <summary>Lets a CD drive be given as a path, as an empty text, or as a table.</summary>
public sealed class CdTransformationAttribute : RecordTransformationAttribute<VmCdDrive>
{
    protected override VmCdDrive Blank => new();

    protected override IReadOnlyList<Setting<VmCdDrive>> Settings => VmCdSettings.All;

    protected override string What => "a CD drive";

    protected override string Hint => "Give a path, an empty text, or a table: @{ Source = 'install.iso'; Place = 'SecondarySlave' }.";

    protected override bool IsEmptyAllowed => true;
}

/// <summary>Lets a floppy drive be given as a path, as an empty text, or as a table.</summary>
public sealed class FloppyTransformationAttribute : RecordTransformationAttribute<VmFloppyDrive>
{
    protected override VmFloppyDrive Blank => new();

    protected override IReadOnlyList<Setting<VmFloppyDrive>> Settings => VmFloppySettings.All;

    protected override string What => "a floppy drive";

    protected override string Hint => "Give a path, an empty text, or a table: @{ Source = 'boot.img'; Access = 'ReadWrite' }.";

    protected override bool IsEmptyAllowed => true;
}
