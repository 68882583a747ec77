using System;
using System.Collections.Generic;
using System.Linq;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>How often each family of instructions comes up in a program.</summary>
internal sealed class Mix
{
    private readonly (Family Family, int Weight)[] _weights;
    private readonly int _total;
    private readonly Func<ModeInfo, bool>? _fits;

    private Mix(string name, params (Family Family, int Weight)[] weights)
        : this(name, null, weights)
    {
    }

    private Mix(string name, Func<ModeInfo, bool>? fits, params (Family Family, int Weight)[] weights)
    {
        _fits = fits;
        Name = name;
        _weights = weights;
        _total = weights.Sum(static w => w.Weight);
    }

    public static IReadOnlyList<Mix> All { get; } =
    [
        new("integer",
            (Family.Arithmetic, 30), (Family.FlagUsers, 25), (Family.Shifts, 12), (Family.MultiplyDivide, 5), (Family.Bits, 10), (Family.Moves, 15),
            (Family.Branches, 12), (Family.Loops, 3), (Family.Calls, 3), (Family.Stack, 3), (Family.Indirect, 1), (Family.Strings, 1)),
        new("flags",
            (Family.Arithmetic, 30), (Family.FlagUsers, 45), (Family.Shifts, 15), (Family.Bits, 6), (Family.MultiplyDivide, 3), (Family.Branches, 25),
            (Family.Loops, 3), (Family.Stack, 4), (Family.Traps, 1)),
        new("memory",
            (Family.Moves, 40), (Family.Arithmetic, 25), (Family.Strings, 8), (Family.Stack, 10), (Family.FlagUsers, 6), (Family.Bits, 4), (Family.Sse, 6),
            (Family.Branches, 6), (Family.Loops, 3), (Family.Calls, 3), (Family.Segments, 2), (Family.Traps, 1)),
        new("flow",
            (Family.Arithmetic, 15), (Family.FlagUsers, 10), (Family.Moves, 10), (Family.Branches, 25), (Family.Loops, 8), (Family.Calls, 14), (Family.Indirect, 10),
            (Family.Stack, 8), (Family.Traps, 3), (Family.Segments, 2), (Family.Paging, 2), (Family.Interrupts, 1)),
        new("sse",
            (Family.Sse, 60), (Family.Moves, 8), (Family.Arithmetic, 5), (Family.FlagUsers, 4), (Family.Branches, 5), (Family.Loops, 2), (Family.Mmx, 2)),
        new("avx",
            (Family.Avx, 60), (Family.Sse, 12), (Family.Moves, 6), (Family.Arithmetic, 5), (Family.FlagUsers, 4), (Family.Branches, 5), (Family.Loops, 2)),
        new("float",
            (Family.X87, 50), (Family.Mmx, 10), (Family.Sse, 8), (Family.Moves, 6), (Family.Arithmetic, 5), (Family.FlagUsers, 5), (Family.Branches, 5), (Family.Loops, 2)),
        new("code",
            (Family.SelfModifying, 12), (Family.Arithmetic, 20), (Family.Moves, 12), (Family.FlagUsers, 10), (Family.Branches, 10), (Family.Loops, 6), (Family.Calls, 6),
            (Family.Ports, 4), (Family.Paging, 4), (Family.Indirect, 3), (Family.Traps, 3)),
        new("system",
            (Family.System, 12), (Family.Paging, 8), (Family.Segments, 8), (Family.Traps, 8), (Family.Interrupts, 6), (Family.Debug, 4), (Family.Ports, 6),
            (Family.Arithmetic, 15), (Family.Moves, 12), (Family.FlagUsers, 8), (Family.Branches, 6), (Family.Loops, 3), (Family.Stack, 4), (Family.SelfModifying, 2)),
        new("gates", static m => m.Mode != GuestMode.Real,
            (Family.Gates, 22), (Family.Tasks, 10), (Family.Segments, 6), (Family.Traps, 4), (Family.Interrupts, 3), (Family.System, 2), (Family.Arithmetic, 14),
            (Family.Moves, 12), (Family.FlagUsers, 8), (Family.Branches, 6), (Family.Loops, 3), (Family.Stack, 4), (Family.Strings, 1)),
        new("spaces", static m => m.Paging != PagingKind.None,
            (Family.AddressSpaces, 24), (Family.Paging, 6), (Family.SelfModifying, 2), (Family.Traps, 3), (Family.Calls, 3), (Family.Arithmetic, 14),
            (Family.Moves, 16), (Family.FlagUsers, 8), (Family.Branches, 6), (Family.Loops, 4), (Family.Stack, 3), (Family.Strings, 2)),
        new("everything",
            (Family.Arithmetic, 12), (Family.FlagUsers, 12), (Family.Shifts, 6), (Family.MultiplyDivide, 4), (Family.Bits, 6), (Family.Moves, 12), (Family.Strings, 3),
            (Family.Sse, 8), (Family.Avx, 8), (Family.X87, 5), (Family.Mmx, 3), (Family.Stack, 5), (Family.Branches, 9), (Family.Loops, 3), (Family.Calls, 4),
            (Family.Indirect, 3), (Family.Ports, 2), (Family.Traps, 2), (Family.Interrupts, 1), (Family.SelfModifying, 1), (Family.Segments, 2), (Family.System, 2),
            (Family.Paging, 1), (Family.Debug, 1)),
    ];

    public string Name { get; }

    /// <summary>Those whose families mean something in a mode.</summary>
    public static IEnumerable<Mix> For(GuestMode mode) => All.Where(m => m._fits is null || m._fits(ModeInfo.Of(mode)));

    /// <summary>Whether a family comes up at all.</summary>
    public bool Has(Family family) => Array.Exists(_weights, w => w.Family == family);

    public static Mix Of(string name) => All.First(m => m.Name == name);

    public Family Choose(Random random)
    {
        int at = random.Next(_total);
        foreach ((Family family, int weight) in _weights)
        {
            at -= weight;
            if (at < 0)
            {
                return family;
            }
        }

        return Family.Moves;
    }
}
