using System;
using System.Globalization;

namespace VirtShell.Machine.Boards;

/// <summary>Something that can be chosen about a part: a switch, or a whole number within bounds.</summary>
public sealed class PartOption
{
    private PartOption(string name, string meaning, bool isSwitch, long standard, long least, long most)
    {
        Name = name;
        Meaning = meaning;
        IsSwitch = isSwitch;
        Default = standard;
        Least = least;
        Most = most;
    }

    /// <summary>Kebab-case; unique within the part.</summary>
    public string Name { get; }

    /// <summary>One sentence for help and documentation.</summary>
    public string Meaning { get; }

    /// <summary>Whether the value is on (1) or off (0).</summary>
    public bool IsSwitch { get; }

    public long Default { get; }

    /// <summary>The smallest value.</summary>
    public long Least { get; }

    /// <summary>The largest value.</summary>
    public long Most { get; }

    /// <summary>What may be written, for people.</summary>
    public string Values => IsSwitch ? "on or off" : string.Create(CultureInfo.InvariantCulture, $"a number from {Least} to {Most}");

    public static PartOption Switch(string name, string meaning, bool isOn = false) => new(name, meaning, isSwitch: true, isOn ? 1 : 0, 0, 1);

    /// <summary>A switch whose default, -1, is neither: the machine decides.</summary>
    public static PartOption AutoSwitch(string name, string meaning) => new(name, meaning, isSwitch: true, -1, 0, 1);

    public static PartOption Number(string name, string meaning, long standard, long least, long most) => new(name, meaning, isSwitch: false, standard, least, most);

    /// <summary>Reads a value as people write it.</summary>
    public bool TryParse(string text, out long value)
    {
        if (IsSwitch)
        {
            return TryParseSwitch(text, out value);
        }

        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value >= Least && value <= Most;
    }

    internal static bool TryParseSwitch(string text, out long value)
    {
        bool isOn = text.Equals("on", StringComparison.OrdinalIgnoreCase) || text.Equals("true", StringComparison.OrdinalIgnoreCase);
        value = isOn ? 1 : 0;
        return isOn || text.Equals("off", StringComparison.OrdinalIgnoreCase) || text.Equals("false", StringComparison.OrdinalIgnoreCase);
    }
}
