using System.Text.Json.Serialization;

namespace VirtShell.Host.Inventory;

/// <summary>The content of a definition file. Rules: fields are only ever added; a reader takes a missing one's default.</summary>
internal sealed record StoredDefinition
{
    /// <summary>The format that this program writes and the newest that it reads.</summary>
    public const int CurrentFormat = 1;

    public int Format { get; init; } = CurrentFormat;

    public required VmDefinition Vm { get; init; }
}

/// <summary>Who runs a VM, beside its lock.</summary>
internal sealed record RunOwner(int ProcessId, System.DateTimeOffset StartedAt);

[JsonSourceGenerationOptions(
    WriteIndented = true,
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true,
    AllowTrailingCommas = true,
    ReadCommentHandling = System.Text.Json.JsonCommentHandling.Skip)]
[JsonSerializable(typeof(StoredDefinition))]
[JsonSerializable(typeof(RunOwner))]
[JsonSerializable(typeof(Crash.CrashReportJson))]
internal sealed partial class HostJson : JsonSerializerContext
{
}
