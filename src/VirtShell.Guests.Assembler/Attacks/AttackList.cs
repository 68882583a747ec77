using System;
using System.Collections.Generic;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>Every attack, in the order of lists. Tests, documentation and suites are held to it.</summary>
internal static class AttackList
{
    public static IReadOnlyList<Attack> All { get; } = Array.AsReadOnly<Attack>(
    [
        .. DmaAttacks.All,
        .. QueueAttacks.All,
        .. DiskAttacks.All,
        .. PciAttacks.All,
        .. TimerAttacks.All,
        .. PortAttacks.All,
        .. MmioAttacks.All,
        .. InterruptAttacks.All,
        .. CodeAttacks.All,
        .. JumpAttacks.All,
        .. PagingAttacks.All,
        .. ModeAttacks.All,
        .. StateAttacks.All,
        .. RepeatAttacks.All,
        .. ExceptionAttacks.All,
        .. TableAttacks.All,
        .. TaskAttacks.All,
        .. SystemAttacks.All,
        .. ResetAttacks.All,
    ]);
}
