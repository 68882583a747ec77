namespace VirtShell.Bench;

/// <summary>What programs have in common; a mark is set for each group.</summary>
public enum BenchGroup
{
    /// <summary>Integer code.</summary>
    Integer,

    /// <summary>The C library's memory and string functions.</summary>
    Memory,

    /// <summary>Scalar and packed arithmetic in SSE registers.</summary>
    Floating,

    /// <summary>System calls, page faults, processes, files.</summary>
    System,
}

/// <summary>A program of the comparison.</summary>
/// <param name="Name">Its name, in the sources as on the command line.</param>
/// <param name="Group">Its group.</param>
/// <param name="What">What it does, in a few words.</param>
public sealed record BenchProgram(string Name, BenchGroup Group, string What);
