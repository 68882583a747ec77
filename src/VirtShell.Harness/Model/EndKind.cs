using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using VirtShell.Harness.Yaml;
using VirtShell.Host;

namespace VirtShell.Harness.Model;

/// <summary>How ends are written: a word, <c>debug-exit: N</c>, or <c>crash: KIND</c>.</summary>
internal sealed class EndKind : Kind<EndCondition>
{
    public static readonly EndKind Instance = new();

    public static readonly ListKind<EndCondition> List = new(Instance, allowSingle: true);

    private static readonly EndCondition[] s_words =
    [
        new("poweroff", [VmEndKind.PowerOff]),
        new("debug-exit", [VmEndKind.DebugExit]),
        new("reset", [VmEndKind.Reset]),
        new("turned-off", [VmEndKind.TurnedOff]),
        new("hang", [VmEndKind.Hang]),
        new("panic", [VmEndKind.Panic]),
        new("triple-fault", [VmEndKind.TripleFault]),
        new("storage-fault", [VmEndKind.StorageFault]),
        new("crash", EndCondition.Crashes),
        new("timeout", [], null, IsTimeout: true),
    ];

    private static readonly string[] s_crashWords = ["triple-fault", "hang", "panic", "any"];

    public override string Expected => $"an end: {string.Join(", ", s_words.Select(w => w.Word))}, debug-exit: N, or crash: {string.Join("|", s_crashWords)}";

    public override bool TryBind(SuiteNode node, Diagnostics diagnostics, out EndCondition value)
    {
        value = null!;
        switch (node)
        {
            case ScalarNode { IsNull: false } scalar:
                return TryFind(scalar, s_words.Select(w => w.Word), diagnostics, out value);
            case MappingNode { Entries.Count: 1 } mapping:
                (ScalarNode key, SuiteNode argument) = mapping.Entries[0];
                switch (key.Value)
                {
                    case "debug-exit":
                        if (!Kinds.Integer(0, int.MaxValue).TryBind(argument, diagnostics, out int code))
                        {
                            return false;
                        }

                        value = new EndCondition("debug-exit", [VmEndKind.DebugExit], code);
                        return true;
                    case "crash" when argument is ScalarNode { IsNull: false } kind:
                        if (kind.Value == "any")
                        {
                            value = s_words.First(w => w.Word == "crash");
                            return true;
                        }

                        return TryFind(kind, s_crashWords, diagnostics, out value);
                    default:
                        diagnostics.Add(key.Mark, $"unknown end \"{Printable.Escape(key.Value)}\"{Nearest.Hint(key.Value, ["debug-exit", "crash"])}");
                        return false;
                }

            default:
                Mismatch(node, diagnostics);
                return false;
        }
    }

    public override JsonObject Schema(SchemaBuilder schema) => schema.Reference("end", () => SchemaBuilder.AnyOf(
        Enumeration(s_words.Select(w => w.Word)),
        Member("debug-exit", SchemaBuilder.AnyOf(new JsonObject { ["type"] = "integer", ["minimum"] = 0 }, SchemaBuilder.Expression())),
        Member("crash", SchemaBuilder.AnyOf(Enumeration(s_crashWords), SchemaBuilder.Expression())),
        SchemaBuilder.Expression()));

    private static bool TryFind(ScalarNode scalar, IEnumerable<string> allowed, Diagnostics diagnostics, out EndCondition value)
    {
        string[] words = [.. allowed];
        value = words.Contains(scalar.Value) ? s_words.FirstOrDefault(w => w.Word == scalar.Value)! : null!;
        if (value is null)
        {
            diagnostics.Add(scalar.Mark, $"unknown end {scalar.Describe()}{Nearest.Hint(scalar.Value, words)}");
        }

        return value is not null;
    }

    private static JsonObject Enumeration(IEnumerable<string> words)
    {
        var list = new JsonArray();
        foreach (string word in words)
        {
            list.Add(word);
        }

        return new JsonObject { ["enum"] = list };
    }

    private static JsonObject Member(string key, JsonObject value) => new()
    {
        ["type"] = "object",
        ["properties"] = new JsonObject { [key] = value },
        ["required"] = new JsonArray(key),
        ["additionalProperties"] = false,
    };
}
