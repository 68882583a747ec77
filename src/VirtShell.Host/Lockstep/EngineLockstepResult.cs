using System;
using VirtShell.Machine;

namespace VirtShell.Host.Lockstep;

/// <summary>What a comparison of the engines on a whole system came to.</summary>
public sealed record EngineLockstepResult
{
    /// <summary>Instructions that both machines retired.</summary>
    public required long Instructions { get; init; }

    /// <summary>Guest time at the end, in nanoseconds.</summary>
    public required long GuestTime { get; init; }

    /// <summary>How the guests ended; <see cref="MachineExitKind.QuantumSpent"/> where the limit came first.</summary>
    public required MachineExitKind End { get; init; }

    /// <summary>What was sent on COM1.</summary>
    public required ReadOnlyMemory<byte> Serial { get; init; }

    /// <summary>Hash of the memory at the end.</summary>
    public required ulong MemoryHash { get; init; }

    /// <summary>The first difference, or a failure of the translator, described; null where there was none.</summary>
    public string? Report { get; init; }
}
