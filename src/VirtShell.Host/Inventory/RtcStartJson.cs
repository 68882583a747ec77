using System;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace VirtShell.Host.Inventory;

/// <summary>The start of a VM's clock in a definition file: the text of <see cref="RtcStart.ToString"/>.</summary>
internal sealed class RtcStartJson : JsonConverter<RtcStart>
{
    public override RtcStart Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        string? text = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
        try
        {
            return RtcStart.Parse(text ?? string.Empty);
        }
        catch (FormatException e)
        {
            throw new JsonException(e.Message, e);
        }
    }

    public override void Write(Utf8JsonWriter writer, RtcStart value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}
