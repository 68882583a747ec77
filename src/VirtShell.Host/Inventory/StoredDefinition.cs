using System;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;
using VirtShell.Images;

namespace VirtShell.Host.Inventory;

/// <summary>The content of a definition file. Rules: fields are only ever added; a reader takes a missing one's default.</summary>
internal sealed record StoredDefinition
{
    /// <summary>The format that this program writes and the newest that it reads.</summary>
    public const int CurrentFormat = 1;

    public int Format { get; init; } = CurrentFormat;

    public required VmDefinition Vm { get; init; }

    /// <summary>Reads a definition file; null where it holds nothing.</summary>
    /// <exception cref="JsonException">The text is no definition, whatever is wrong with it.</exception>
    public static StoredDefinition? Read(ReadOnlySpan<byte> text)
    {
        JsonNode? root = HostJson.ReadNode(text);
        if (HostJson.Get(root, "vm") is JsonObject vm)
        {
            AddDefaults(vm);
        }

        return HostJson.Convert(root, HostJson.Default.StoredDefinition);
    }

    /// <summary>Compiled readers know nothing of the initial values of init-only properties, so these are put in before.</summary>
    private static void AddDefaults(JsonObject vm)
    {
        AddMissing(vm, JsonSerializer.SerializeToNode(new VmDefinition { Name = string.Empty }, HostJson.Default.VmDefinition), except: "name");
        if (HostJson.Get(vm, "initramfs") is JsonObject parts)
        {
            AddMissing(parts, JsonSerializer.SerializeToNode(new InitramfsDefinition(), HostJson.Default.InitramfsDefinition));
        }
    }

    private static void AddMissing(JsonObject target, JsonNode? defaults, string? except = null)
    {
        foreach ((string name, JsonNode? value) in (JsonObject)defaults!)
        {
            if (name != except && !target.ContainsKey(name))
            {
                target.Add(name, value?.DeepClone());
            }
        }
    }
}

/// <summary>Who runs a VM, beside its lock.</summary>
internal sealed record RunOwner(int ProcessId, DateTimeOffset StartedAt);

[JsonSourceGenerationOptions(
    WriteIndented = true,
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true,
    AllowTrailingCommas = true,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    ReadCommentHandling = JsonCommentHandling.Skip)]
[JsonSerializable(typeof(StoredDefinition))]
[JsonSerializable(typeof(RunOwner))]
[JsonSerializable(typeof(Crash.CrashReportJson))]
internal sealed partial class HostJson : JsonSerializerContext
{
    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>Reads JSON in UTF-8; a byte order mark, which some editors write, is no fault.</summary>
    /// <exception cref="JsonException">The text is no such value, whatever is wrong with it.</exception>
    public static T? Read<T>(ReadOnlySpan<byte> text, JsonTypeInfo<T> type) => Convert(ReadNode(text), type);

    /// <inheritdoc cref="Read"/>
    public static JsonNode? ReadNode(ReadOnlySpan<byte> text)
    {
        if (!Utf8.IsValid(text))
        {
            throw new JsonException("It is not UTF-8 text.");
        }

        JsonDocumentOptions options = new() { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip, AllowDuplicateProperties = false };
        try
        {
            return JsonNode.Parse(text.StartsWith(ByteOrderMark) ? text[ByteOrderMark.Length..] : text, documentOptions: options);
        }
        catch (Exception e) when (IsComplaint(e))
        {
            throw new JsonException(e.Message, e);
        }
    }

    /// <summary>A property of an object; null for one that is not there, or of what is no object.</summary>
    /// <exception cref="JsonException">One of its names is no text (half of a surrogate pair).</exception>
    public static JsonNode? Get(JsonNode? node, string name)
    {
        try
        {
            // Names are looked at here, all of them at the first look.
            return node is JsonObject found ? found[name] : null;
        }
        catch (Exception e) when (IsComplaint(e))
        {
            throw new JsonException(e.Message, e);
        }
    }

    /// <inheritdoc cref="Read"/>
    public static T? Convert<T>(JsonNode? node, JsonTypeInfo<T> type)
    {
        try
        {
            return node.Deserialize(type);
        }
        catch (Exception e) when (IsComplaint(e))
        {
            throw new JsonException(e.Message, e);
        }
    }

    private static bool IsComplaint(Exception e) => e is InvalidOperationException or NotSupportedException or ArgumentException or FormatException or OverflowException;
}
