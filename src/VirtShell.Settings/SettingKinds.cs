namespace VirtShell.Settings;

/// <summary>Kinds that many settings share.</summary>
public static class SettingKinds
{
    public static readonly TextKind Text = new(isEmptyAllowed: true);

    public static readonly TextKind NonEmptyText = new();

    /// <summary>A path, apt: or https:.</summary>
    public static readonly TextKind Source = new("source");

    public static readonly BooleanKind Boolean = new();

    /// <summary>Bytes, without bounds.</summary>
    public static readonly NumberKind Size = new(NumberUnit.Size);

    public static readonly NumberKind Count = new(NumberUnit.Count);

    public static readonly NumberKind Duration = new(NumberUnit.Duration);

    public static readonly PercentKind Percent = new();

    public static readonly SeedKind Seed = new();

    public static readonly Sha256Kind Sha256 = new();
}
