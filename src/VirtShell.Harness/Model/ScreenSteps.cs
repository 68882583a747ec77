using System.Collections.Generic;
using VirtShell.Host;
using VirtShell.Machine.Display;
using VirtShell.Machine.Input;

namespace VirtShell.Harness.Model;

/// <summary>Waits until the screen shows something.</summary>
internal sealed class ScreenExpectSpec : StepSpec
{
    /// <summary>What a row of a text screen must hold; null for anything.</summary>
    public TextPattern? Pattern { get; set; }

    public ScreenKind? Mode { get; set; }

    /// <summary>Pixels of a graphics mode, or columns and rows of a text mode; null for any.</summary>
    public (int Width, int Height)? Size { get; set; }

    /// <summary>The name of a stored picture that it must look like; null for none.</summary>
    public string? Picture { get; set; }

    /// <summary>In how many of its 256 bits the hash may differ from the stored one.</summary>
    public int Tolerance { get; set; } = 10;

    protected override string Describe()
    {
        List<string> wanted = [];
        if (Pattern is not null)
        {
            wanted.Add(Pattern.ToString());
        }

        if (Mode is { } mode)
        {
            wanted.Add(mode.ToString().ToLowerInvariant());
        }

        if (Size is { } size)
        {
            wanted.Add($"{size.Width}x{size.Height}");
        }

        if (Picture is not null)
        {
            wanted.Add($"the picture {Printable.Quote(Picture)}");
        }

        return $"expect the screen to show {(wanted.Count == 0 ? "anything" : string.Join(", ", wanted))}";
    }
}

/// <summary>Puts the screen into the report.</summary>
internal sealed class ScreenshotSpec : StepSpec
{
    protected override string Describe() => "take a screenshot";
}

/// <summary>Types text on the keyboard.</summary>
internal sealed class TypeSpec : StepSpec
{
    public string Text { get; set; } = string.Empty;

    public bool Enter { get; set; }

    public KeyLayout Layout { get; set; } = KeyLayout.Us;

    protected override string Describe() => $"type {Printable.Quote(Text)}{(Enter ? " and Enter" : string.Empty)}";
}

/// <summary>Presses keys together.</summary>
internal sealed class KeySpec : StepSpec
{
    public IReadOnlyList<PcKey> Keys { get; set; } = [];

    public string Words { get; set; } = string.Empty;

    /// <summary>How often.</summary>
    public int Times { get; set; } = 1;

    protected override string Describe() => $"press {Words}{(Times > 1 ? $" {Times} times" : string.Empty)}";
}

/// <summary>Moves the mouse and presses its buttons.</summary>
internal sealed class MouseSpec : StepSpec
{
    public int X { get; set; }

    public int Y { get; set; }

    public int Wheel { get; set; }

    /// <summary>Pressed after the movement, and released; none for a movement alone.</summary>
    public MouseButtons Click { get; set; }

    /// <summary>Held from the movement on; null to leave them as they are.</summary>
    public MouseButtons? Hold { get; set; }

    protected override string Describe()
    {
        string movement = X == 0 && Y == 0 ? string.Empty : $" by {X},{Y}";
        string wheel = Wheel == 0 ? string.Empty : $", wheel {Wheel}";
        string click = Click == MouseButtons.None ? string.Empty : $", click {Click.ToString().ToLowerInvariant()}";
        return $"mouse{movement}{wheel}{click}";
    }
}
