using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Linq;

namespace VirtShell.Machine.Input;

/// <summary>Keys and chords as people write them: "enter", "ctrl+alt+delete", "shift+f3".</summary>
public static class KeyNames
{
    private static readonly Dictionary<string, PcKey> s_keys = Build();

    /// <summary>Every name of a key, for completion: lower case, with hyphens.</summary>
    public static IReadOnlyList<string> All { get; } = [.. Enum.GetValues<PcKey>().Select(NameOf)];

    /// <summary>The name of a key: "left-shift", "f1", "1".</summary>
    public static string NameOf(PcKey key)
    {
        string name = key.ToString();
        if (key is >= PcKey.D1 and <= PcKey.D0)
        {
            return name[1..];
        }

        return string.Concat(name.Select((c, i) => i > 0 && char.IsUpper(c) && !char.IsDigit(name[i - 1]) ? "-" + char.ToLowerInvariant(c) : char.ToLowerInvariant(c).ToString(CultureInfo.InvariantCulture)));
    }

    /// <summary>Reads keys that are pressed together, joined by plus signs. False where one is not known, which is given.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out IReadOnlyList<PcKey>? keys, out string unknown)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<PcKey> found = [];
        keys = found;
        unknown = string.Empty;
        foreach (string part in text.Split('+'))
        {
            string name = part.Trim();
            if (!s_keys.TryGetValue(name, out PcKey key))
            {
                unknown = name.Length == 0 ? text : name;
                keys = null;
                return false;
            }

            found.Add(key);
        }

        return true;
    }

    private static Dictionary<string, PcKey> Build()
    {
        Dictionary<string, PcKey> keys = new(StringComparer.OrdinalIgnoreCase);
        foreach (PcKey key in Enum.GetValues<PcKey>())
        {
            keys[NameOf(key)] = key;
            keys[NameOf(key).Replace("-", string.Empty, StringComparison.Ordinal)] = key;
        }

        foreach ((string name, PcKey key) in new[]
        {
            ("ctrl", PcKey.LeftCtrl), ("control", PcKey.LeftCtrl), ("alt", PcKey.LeftAlt), ("shift", PcKey.LeftShift), ("win", PcKey.LeftWin),
            ("altgr", PcKey.RightAlt), ("esc", PcKey.Escape), ("return", PcKey.Enter), ("del", PcKey.Delete), ("ins", PcKey.Insert),
            ("pgup", PcKey.PageUp), ("pgdn", PcKey.PageDown), ("print", PcKey.PrintScreen), ("break", PcKey.Pause), ("caps", PcKey.CapsLock),
        })
        {
            keys[name] = key;
        }

        return keys;
    }
}
