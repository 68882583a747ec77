using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using VirtShell.Harness.Yaml;
using VirtShell.Host;

namespace VirtShell.Harness.Model;

/// <summary>
/// How steps are written: a mapping whose first word names the step (<c>expect: "login:"</c>) with options beside it, or
/// the bare word for steps that need no value (<c>boot</c>, <c>stop</c>).
/// </summary>
internal sealed class StepKind : Kind<StepSpec>
{
    public static readonly StepKind Instance = new();

    private readonly IReadOnlyList<Variant> _variants =
    [
        Make("boot", bare: true, Common(new ObjectKind<BootSpec>("step-boot", "the step boot", "Switches the machine on. Implied where it is not written."))
            .With("boot", "Takes no value.", NoValue, (_, _) => { }), "boot"),
        Make("expect", bare: false, Common(new ObjectKind<ExpectSpec>("step-expect", "the step expect", "Waits until the guest has sent something. Looks at everything since the previous match."))
            .With("expect", "Text, or {regex: ...}. A regular expression is matched against one line at a time, as it grows.", Patterns.Pattern, (t, v) => t.Pattern = v, required: true)
            .With("port", "Serial port. Default com1.", SerialPorts.Kind, (t, v) => t.Port = v)
            .With("timeout", "Limit in guest time.", Kinds.Duration, (t, v) => t.Timeout = v), "expect"),
        Make("send", bare: false, Common(new ObjectKind<SendSpec>("step-send", "the step send", "Types text on a serial port, exactly as written."))
            .With("send", "The text; in double quotes \\n, \\t and \\x1b are control characters.", Kinds.Text, (t, v) => t.Text = v, required: true)
            .With("enter", "Whether to press Enter (carriage return) after it. Default false.", Kinds.Boolean, (t, v) => t.Enter = v)
            .With("port", "Serial port. Default com1.", SerialPorts.Kind, (t, v) => t.Port = v), "send"),
        Make("run", bare: false, Common(new ObjectKind<RunSpec>("step-run", "the step run", "Waits for a shell prompt, runs a command and captures its output and exit status."))
            .With("run", "A command for a POSIX shell; several lines are one script.", Kinds.NonEmptyText, (t, v) => t.Command = v, required: true)
            .With("output", "What the output must hold: text, or {regex: ...}, tried on each line.", Patterns.Pattern, (t, v) => t.Output = v)
            .With("status", "The exit status to accept, or \"any\". Default 0.", ExitStatus, (t, v) => t.Status = v < 0 ? null : v)
            .With("prompt", "What ends a line that is a prompt. Default: the test's prompt.", Patterns.Pattern, (t, v) => t.Prompt = v)
            .With("keep-kernel-messages", "Whether lines that look like kernel messages belong to the output (for dmesg). Default false.", Kinds.Boolean, (t, v) => t.KeepKernelMessages = v)
            .With("port", "Serial port. Default com1.", SerialPorts.Kind, (t, v) => t.Port = v)
            .With("timeout", "Limit in guest time, for the prompt and for the command each.", Kinds.Duration, (t, v) => t.Timeout = v), "run"),
        Make("wait", bare: false, Common(new ObjectKind<WaitSpec>("step-wait", "the step wait", "Lets guest time pass; under the virtual clock this costs an idle guest nothing."))
            .With("wait", "How long, in guest time.", Kinds.Duration, (t, v) => t.Duration = v, required: true), "wait"),
        Make("change-media", bare: false, Common(new ObjectKind<MediumSpec>("step-change-media", "the step change-media", "Puts another image into a CD or floppy drive."))
            .With("change-media", "The image: a path, apt: or https: source.", Kinds.NonEmptyText, (t, v) => t.Source = v, required: true)
            .With("drive", "Which drive: cd, cd2 and so on, floppy or floppy2, in the order of the vm. Default cd.", DriveName.Choices, (t, v) => t.Drive = v), "change-media"),
        Make("eject", bare: false, Common(new ObjectKind<MediumSpec>("step-eject", "the step eject", "Takes the image out of a CD or floppy drive."))
            .With("eject", "Which drive: cd, cd2 and so on, floppy or floppy2, in the order of the vm.", DriveName.Choices, (t, v) => t.Drive = v, required: true), "eject"),
        Make("stop", bare: true, Common(new ObjectKind<StopSpec>("step-stop", "the step stop", "Presses the power button and, when the guest has not switched itself off within the timeout, pulls the plug."))
            .With("stop", "\"button\" (the step fails where the guest does not react), or \"plug\" (at once). Without a value: button, then plug.", StopMethods, (t, v) => t.Method = v)
            .With("timeout", "How long the guest has, in guest time. Default 30s.", Kinds.Duration, (t, v) => t.Timeout = v), "stop"),
        Make("screen-expect", bare: true, Common(new ObjectKind<ScreenExpectSpec>("step-screen-expect", "the step screen-expect", "Waits until the screen shows all that is asked for at once. Needs a machine with a display."))
            .With("screen-expect", "Text, or {regex: ...}, in a row of a text screen. Without a value: what the other keys say.", ScreenStepKinds.OptionalPattern, (t, v) => t.Pattern = v)
            .With("mode", "\"text\", \"graphics\" or \"blank\".", ScreenStepKinds.Mode, (t, v) => t.Mode = v)
            .With("size", "Pixels of a graphics mode, columns and rows of a text mode: 640x480.", ScreenStepKinds.Size, (t, v) => t.Size = v)
            .With("picture", "The name of a stored picture that it must look like. --update-references stores what the screen shows once it stands still.", Kinds.NonEmptyText, (t, v) => t.Picture = v)
            .With("tolerance", "In how many of 256 bits the picture's hash may differ. Default 10.", ScreenStepKinds.Tolerance, (t, v) => t.Tolerance = v)
            .With("timeout", "Limit in guest time.", Kinds.Duration, (t, v) => t.Timeout = v)),
        Make("screenshot", bare: true, Common(new ObjectKind<ScreenshotSpec>("step-screenshot", "the step screenshot", "Puts what the screen shows into the report."))
            .With("screenshot", "Takes no value.", NoValue, (_, _) => { }), "screenshot"),
        Make("type", bare: false, Common(new ObjectKind<TypeSpec>("step-type", "the step type", "Types text on the keyboard."))
            .With("type", "The text; in double quotes \\n, \\t and \\e are keys.", Kinds.Text, (t, v) => t.Text = v, required: true)
            .With("enter", "Whether to press Enter after it. Default false.", Kinds.Boolean, (t, v) => t.Enter = v)
            .With("layout", "The keyboard layout that the guest uses. Default us.", ScreenStepKinds.Layout, (t, v) => t.Layout = v), "type"),
        Make("key", bare: false, Common(new ObjectKind<KeySpec>("step-key", "the step key", "Presses keys together and releases them."))
            .With("key", "A key, or keys joined by plus signs: enter, f3, ctrl+alt+delete.", ScreenStepKinds.Chord, (t, v) => (t.Words, t.Keys) = v, required: true)
            .With("times", "How often. Default 1.", ScreenStepKinds.Times, (t, v) => t.Times = v), "key"),
        Make("mouse", bare: true, Common(new ObjectKind<MouseSpec>("step-mouse", "the step mouse", "Moves the mouse, then presses buttons."))
            .With("mouse", "Takes no value.", NoValue, (_, _) => { })
            .With("x", "Counts to the right.", ScreenStepKinds.Counts, (t, v) => t.X = v)
            .With("y", "Counts down.", ScreenStepKinds.Counts, (t, v) => t.Y = v)
            .With("wheel", "Steps of the wheel, towards the user.", ScreenStepKinds.Counts, (t, v) => t.Wheel = v)
            .With("hold", "A button that is down from the movement on; \"none\" lets go.", ScreenStepKinds.HeldButton, (t, v) => t.Hold = v)
            .With("click", "A button that is pressed and released after the movement.", ScreenStepKinds.Button, (t, v) => t.Click = v), "mouse"),
    ];

    private delegate bool Binder(SuiteNode node, Diagnostics diagnostics, out StepSpec step);

    private sealed record Variant(string Word, bool Bare, Binder Bind, Func<SchemaBuilder, JsonObject> Schema);

    private static Kind<string> NoValue => new ParsedKind<string>("nothing after \"boot:\"", (ScalarNode node, out string value) => (value = node.Value).Length == 0, () => new JsonObject { ["type"] = "null" });

    private static ChoiceKind<StopMethod> StopMethods => new(("button", StopMethod.Button), ("plug", StopMethod.Plug), ("button-then-plug", StopMethod.ButtonThenPlug));

    /// <summary>-1 stands for "any".</summary>
    private static Kind<int> ExitStatus => new ParsedKind<int>(
        "an exit status from 0 to 255, or any",
        (ScalarNode node, out int value) =>
        {
            value = -1;
            return node.Value == "any" || (int.TryParse(node.Value, out value) && value is >= 0 and <= 255);
        },
        () => SchemaBuilder.AnyOf(new JsonObject { ["type"] = "integer", ["minimum"] = 0, ["maximum"] = 255 }, new JsonObject { ["const"] = "any" }, SchemaBuilder.Expression()));

    public override string Expected => $"a step: {string.Join(", ", _variants.Select(v => v.Word))}";

    public override bool TryBind(SuiteNode node, Diagnostics diagnostics, out StepSpec value)
    {
        value = null!;
        string[] words = [.. _variants.Select(v => v.Word)];
        if (node is ScalarNode { IsNull: false } bare)
        {
            Variant? named = _variants.FirstOrDefault(v => v.Word == bare.Value);
            if (named is { Bare: true })
            {
                var entry = new KeyValuePair<ScalarNode, SuiteNode>(bare, new ScalarNode(bare.Mark, string.Empty, isPlain: true));
                return named.Bind(new MappingNode(bare.Mark, [entry]), diagnostics, out value);
            }

            diagnostics.Add(node.Mark, named is null
                ? $"unknown step {node.Describe()}{Nearest.Hint(bare.Value, words)}"
                : $"the step {named.Word} needs a value: \"- {named.Word}: ...\"");
            return false;
        }

        if (node is not MappingNode { Entries.Count: > 0 } mapping)
        {
            Mismatch(node, diagnostics);
            return false;
        }

        Variant[] matching = [.. _variants.Where(v => mapping.Find(v.Word) is not null)];
        if (matching.Length == 1)
        {
            return matching[0].Bind(mapping, diagnostics, out value);
        }

        if (matching.Length == 0)
        {
            ScalarNode first = mapping.Entries[0].Key;
            diagnostics.Add(first.Mark, $"unknown step \"{Printable.Escape(first.Value)}\"{Nearest.Hint(first.Value, words)}");
        }
        else
        {
            ScalarNode second = mapping.Entries.Where(e => words.Contains(e.Key.Value)).ElementAt(1).Key;
            diagnostics.Add(second.Mark, $"one step holds both \"{matching[0].Word}\" and \"{matching[1].Word}\"; begin the second with \"- \" on a line of its own");
        }

        return false;
    }

    public override JsonObject Schema(SchemaBuilder schema) => schema.Reference("step", () =>
    {
        var words = new JsonArray();
        var choices = new JsonArray();
        foreach (Variant variant in _variants)
        {
            if (variant.Bare)
            {
                words.Add(variant.Word);
            }

            choices.Add(variant.Schema(schema));
        }

        choices.Insert(0, new JsonObject { ["enum"] = words });
        return new JsonObject { ["anyOf"] = choices };
    });

    private static ObjectKind<T> Common<T>(ObjectKind<T> kind)
        where T : StepSpec, new() => kind.With("title", "Shown in reports instead of the step itself.", Kinds.NonEmptyText, (t, v) => t.Title = v);

    private static Variant Make<T>(string word, bool bare, ObjectKind<T> kind, string? required = null)
        where T : StepSpec, new() => new(
            word,
            bare,
            (SuiteNode node, Diagnostics diagnostics, out StepSpec step) =>
            {
                bool ok = kind.TryBind(node, diagnostics, out T bound);
                step = bound;
                return ok;
            },
            schema => schema.Reference($"step-{word}", () =>
            {
                JsonObject body = kind.Body(schema);
                body["required"] = new JsonArray(required ?? word);
                return body;
            }));
}
