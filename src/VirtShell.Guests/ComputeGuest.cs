namespace VirtShell.Guests;

/// <summary>What is known beforehand about a run of the <c>compute</c> guest.</summary>
public static class ComputeGuest
{
    /// <summary>Times that the loop's body runs.</summary>
    public const int Iterations = 10_000_000;

    /// <summary>Instructions in the body, its closing branch included.</summary>
    public const int InstructionsPerIteration = 10;

    /// <summary>Instructions retired from the loop's first instruction until it is left.</summary>
    public const long LoopInstructions = (long)Iterations * InstructionsPerIteration;

    /// <summary>
    /// Instructions of a whole run, from entry to the write that powers off, on our machine with its virtual clock: a
    /// guest that polls a busy serial line is made to wait there, so the polls are few and always as many.
    /// </summary>
    public const long TotalInstructions = LoopInstructions + 374;

    /// <summary>What the guest prints, as eight hexadecimal digits.</summary>
    public const uint Checksum = 0xAF4D_9274;
}
