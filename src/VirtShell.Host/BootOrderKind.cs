using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using VirtShell.Machine.Drives;
using VirtShell.Settings;

namespace VirtShell.Host;

/// <summary>Kinds of drives in the order in which a VM looks for something to boot on them: words between commas or spaces, each once.</summary>
internal sealed class BootOrderKind : ScalarKind<string>
{
    private static readonly (string Word, DriveKind Kind)[] s_words = [("floppy", DriveKind.Floppy), ("cd", DriveKind.Cd), ("disk", DriveKind.HardDisk)];

    public override string Word => "order";

    public override string Expected => "one or more of floppy, cd and disk, each once, with commas between them";

    /// <summary>The kinds that a value names, in its order; empty where it is not one.</summary>
    public static IReadOnlyList<DriveKind> Read(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        List<DriveKind> kinds = [];
        foreach (string word in value.Split([',', ' '], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            int index = Array.FindIndex(s_words, w => string.Equals(w.Word, word, StringComparison.OrdinalIgnoreCase));
            if (index < 0 || kinds.Contains(s_words[index].Kind))
            {
                return [];
            }

            kinds.Add(s_words[index].Kind);
        }

        return kinds;
    }

    public override string? Problem(string subject, string value) => Read(value).Count > 0 ? null : $"{subject} is {Expected}; '{value}' is not";

    public override bool TryParse(string text, out string value)
    {
        IReadOnlyList<DriveKind> kinds = Read(text);
        value = string.Join(',', kinds.Select(kind => s_words.First(w => w.Kind == kind).Word));
        return kinds.Count > 0;
    }

    public override string Format(string value) => value;

    public override JsonObject Schema() => new() { ["type"] = "string", ["pattern"] = "^ *(floppy|cd|disk)([, ]+(floppy|cd|disk))* *$" };
}
