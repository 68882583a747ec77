using System;

namespace VirtShell.Host.Lockstep;

/// <summary>How two engines are compared.</summary>
public sealed class EngineLockstepOptions
{
    /// <summary>Instructions from one comparison of the processors to the next.</summary>
    public long Chunk { get; init; } = 100_000;

    /// <summary>Chunks from one comparison of all memory to the next.</summary>
    public int MemoryInterval { get; init; } = 100;

    /// <summary>Where the comparison ends if the guest does not.</summary>
    public long InstructionLimit { get; init; } = long.MaxValue;

    /// <summary>Called now and then with the instructions done so far.</summary>
    public Action<long>? Progress { get; init; }

    /// <summary>What happens before the guests run, and while a difference is narrowed down.</summary>
    public IProgress<string>? Messages { get; init; }

    /// <summary>What both guests have sent on COM1.</summary>
    public Action<byte>? SerialOutput { get; init; }

    /// <summary>Called with the machine on the translator after each chunk: tests of the comparison put errors in here.</summary>
    internal Action<Machine.Pc>? Disturb { get; init; }
}
