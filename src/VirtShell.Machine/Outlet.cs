using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Linq;

namespace VirtShell.Machine;

/// <summary>
/// Where people meet a machine: bytes come out of it, and may go in. It has one name everywhere, from the device to cmdlets
/// and suites; the numbers are those that people wrote before outlets had names, and go on being understood.
/// </summary>
public sealed class Outlet
{
    private Outlet(string name, int number, string title, bool takesInput)
    {
        Name = name;
        Number = number;
        Title = title;
        TakesInput = takesInput;
    }

    /// <summary>The first serial port.</summary>
    public static Outlet Com1 { get; } = new("com1", 1, "COM1", takesInput: true);

    /// <summary>The second serial port.</summary>
    public static Outlet Com2 { get; } = new("com2", 2, "COM2", takesInput: true);

    /// <summary>The third serial port.</summary>
    public static Outlet Com3 { get; } = new("com3", 3, "COM3", takesInput: true);

    /// <summary>The fourth serial port.</summary>
    public static Outlet Com4 { get; } = new("com4", 4, "COM4", takesInput: true);

    /// <summary>The virtio console.</summary>
    public static Outlet VirtioConsole { get; } = new("virtio-console", 101, "the virtio console", takesInput: true);

    /// <summary>The debug consoles of virtual machines, ports E9h and 402h.</summary>
    public static Outlet Debug { get; } = new("debug", 200, "the debug console", takesInput: false);

    /// <summary>The printer at the parallel port.</summary>
    public static Outlet Lpt1 { get; } = new("lpt1", 301, "LPT1", takesInput: false);

    /// <summary>Every outlet that a machine can have.</summary>
    public static IReadOnlyList<Outlet> All { get; } = [Com1, Com2, Com3, Com4, VirtioConsole, Debug, Lpt1];

    /// <summary>Lower case, with hyphens.</summary>
    public string Name { get; }

    /// <summary>The number that stands for it where people still write numbers.</summary>
    public int Number { get; }

    /// <summary>What to call it in a sentence.</summary>
    public string Title { get; }

    /// <summary>Whether a guest can read from it.</summary>
    public bool TakesInput { get; }

    /// <summary>Finds an outlet by its name, in any case, or its number.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out Outlet? outlet)
    {
        outlet = All.FirstOrDefault(o => o.Name.Equals(text, StringComparison.OrdinalIgnoreCase) || o.Number.ToString(CultureInfo.InvariantCulture) == text);
        return outlet is not null;
    }

    /// <summary>The name.</summary>
    public override string ToString() => Name;
}
