using System;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>How an attack ends.</summary>
internal enum AttackEnd
{
    /// <summary>It never does; somebody has to stop it.</summary>
    Never,

    /// <summary>It does a bounded amount, tells what came of it, and switches the machine off.</summary>
    PowerOff,

    /// <summary>A triple fault.</summary>
    Crash,

    /// <summary>It resets the machine.</summary>
    Reset,

    /// <summary>It halts for good.</summary>
    Halt,

    /// <summary>Whatever random code comes to: each of the ends above is right.</summary>
    Any,
}

/// <summary>One thing that a hostile guest does to the machine around it.</summary>
/// <param name="Name">The word on the command line (<c>attack=NAME</c>), kebab-case.</param>
/// <param name="Meaning">One line for the table in the documentation.</param>
/// <param name="End">How it ends.</param>
/// <param name="Emit">Emits it. It begins with interrupts off, a flat 32-bit segment, no paging, and handlers for every vector.</param>
internal sealed record Attack(string Name, string Meaning, AttackEnd End, Action<AttackCode> Emit)
{
    /// <summary>Whether each of its instructions is a great deal of work for the host, so that tests let it run for fewer of them.</summary>
    public bool IsHeavy { get; init; }
}
