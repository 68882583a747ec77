using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json.Nodes;
using VirtShell.Harness.Yaml;
using VirtShell.Machine.Display;
using VirtShell.Machine.Input;

namespace VirtShell.Harness.Model;

/// <summary>How values of steps that look at the screen and use keyboard and mouse are written.</summary>
internal static class ScreenStepKinds
{
    private const int MostTolerance = 128;

    /// <summary>A pattern, or nothing.</summary>
    public static readonly Kind<TextPattern?> OptionalPattern = new Optional();

    public static readonly Kind<ScreenKind> Mode = new ChoiceKind<ScreenKind>(("text", ScreenKind.Text), ("graphics", ScreenKind.Graphics), ("blank", ScreenKind.Blank));

    public static readonly Kind<int> Tolerance = Kinds.Integer(0, MostTolerance);

    public static readonly Kind<int> Times = Kinds.Integer(1, 1000);

    public static readonly Kind<int> Counts = Kinds.Integer(-MachineMouse.MostCounts, MachineMouse.MostCounts);

    public static readonly Kind<KeyLayout> Layout = new ChoiceKind<KeyLayout>([.. KeyLayout.All.Select(layout => (layout.Name, layout))]);

    public static readonly Kind<MouseButtons> Button = new ChoiceKind<MouseButtons>(
        [.. Enum.GetValues<MouseButtons>().Where(button => button != MouseButtons.None).Select(button => (button.ToString().ToLowerInvariant(), button))]);

    public static readonly Kind<MouseButtons> HeldButton = new ChoiceKind<MouseButtons>(
        [.. Enum.GetValues<MouseButtons>().Select(button => (button.ToString().ToLowerInvariant(), button))]);

    public static readonly Kind<(int Width, int Height)> Size = new ParsedKind<(int Width, int Height)>(
        "a size such as 640x480, or 80x25 of characters",
        (ScalarNode node, out (int Width, int Height) value) =>
        {
            value = default;
            string[] parts = node.Value.Split('x');
            return parts.Length == 2
                && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out value.Width)
                && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out value.Height);
        },
        () => new JsonObject { ["type"] = "string", ["pattern"] = "^[0-9]+x[0-9]+$" });

    public static readonly Kind<(string Words, IReadOnlyList<PcKey> Keys)> Chord = new ParsedKind<(string Words, IReadOnlyList<PcKey> Keys)>(
        "a key, or keys joined by plus signs: enter, f3, ctrl+alt+delete",
        (ScalarNode node, out (string Words, IReadOnlyList<PcKey> Keys) value) =>
        {
            bool isKnown = KeyNames.TryParse(node.Value, out IReadOnlyList<PcKey>? keys, out _);
            value = (node.Value, keys ?? []);
            return isKnown;
        },
        () => new JsonObject { ["type"] = new JsonArray("string", "integer") });

    private sealed class Optional : Kind<TextPattern?>
    {
        public override string Expected => $"{Patterns.Pattern.Expected}, or nothing";

        public override bool TryBind(SuiteNode node, Diagnostics diagnostics, out TextPattern? value)
        {
            value = null;
            if (node is ScalarNode { IsNull: true } or ScalarNode { Value.Length: 0, IsPlain: true })
            {
                return true;
            }

            bool isBound = Patterns.Pattern.TryBind(node, diagnostics, out TextPattern bound);
            value = isBound ? bound : null;
            return isBound;
        }

        public override JsonObject Schema(SchemaBuilder schema) => SchemaBuilder.AnyOf(new JsonObject { ["type"] = "null" }, Patterns.Pattern.Schema(schema));
    }
}
