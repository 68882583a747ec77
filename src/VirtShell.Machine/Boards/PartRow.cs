using System;
using System.Collections.Generic;
using VirtShell.Machine.Acpi;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Pci;
using VirtShell.State;

namespace VirtShell.Machine.Boards;

/// <summary>
/// Which parts come before which others. Parts are built, reset and saved in this order and loaded in the opposite one:
/// devices set their interrupt lines again while they load, and the controllers, which load after them, know better which
/// of these are new requests.
/// </summary>
public enum PartLayer
{
    /// <summary>The wires between the others.</summary>
    Wiring,

    /// <summary>Interrupt controllers.</summary>
    Controllers,

    /// <summary>Everything that uses them.</summary>
    Devices,
}

/// <summary>One part of a machine model, as data: everything about it but its behaviour, which is the class that it makes.</summary>
[NotState("What machines are built from.")]
public sealed class PartRow
{
    internal PartRow(string name, string meaning)
    {
        Name = name;
        Meaning = meaning;
    }

    /// <summary>Names the part for people, and its section in saved state: unique in a model, and never changed once released.</summary>
    public string Name { get; }

    /// <summary>What it is, in some words.</summary>
    public string Meaning { get; }

    /// <summary>What it has of the board for itself.</summary>
    public IReadOnlyList<Claim> Claims { get; init; } = [];

    public IReadOnlyList<PartOption> Options { get; init; } = [];

    /// <summary>Parts, further up in the model, without which this one cannot be.</summary>
    public IReadOnlyList<string> Needs { get; init; } = [];

    public PartLayer Layer { get; init; } = PartLayer.Devices;

    /// <summary>Whether machines have it where nobody says otherwise.</summary>
    public bool IsPresent { get; init; } = true;

    /// <summary>Whether a machine of a configuration has it where nobody says otherwise; null where <see cref="IsPresent"/> goes for all of them.</summary>
    public Func<MachineConfiguration, bool>? IsPresentWith { get; init; }

    /// <summary>Parts that are not there where this one is, because it does what they do.</summary>
    public IReadOnlyList<string> Replaces { get; init; } = [];

    /// <summary>Whether the machine cannot be without it.</summary>
    public bool IsEssential { get; init; }

    /// <summary>Where people meet it, if they do.</summary>
    public Outlet? Outlet { get; init; }

    /// <summary>What the DSDT tells of it below the ISA bridge.</summary>
    internal IReadOnlyList<IsaEntry> Isa { get; init; } = [];

    /// <summary>What the MADT tells of it: whole structures, as <see cref="MadtEntry"/> makes them.</summary>
    internal IReadOnlyList<byte[]> Madt { get; init; } = [];

    /// <summary>Builds a device with state of its own; null for functions of the PCI bus.</summary>
    internal Func<PartContext, IDevice>? Device { get; init; }

    /// <summary>Builds functions of the PCI bus, one for each slot of the claim from its first on; their state is the bus's. Null for other devices.</summary>
    internal Func<PartContext, IReadOnlyList<PciDevice>>? Functions { get; init; }
}
