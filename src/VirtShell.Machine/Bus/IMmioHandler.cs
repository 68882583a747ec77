namespace VirtShell.Machine.Bus;

/// <summary>What answers accesses to a range of physical addresses outside memory.</summary>
internal interface IMmioHandler
{
    /// <summary>Reads <paramref name="size"/> bytes (1, 2, 4 or 8) at any alignment within the range. Bits above the size are ignored.</summary>
    ulong ReadMmio(ulong offset, int size);

    /// <summary>Writes <paramref name="size"/> bytes (1, 2, 4 or 8) at any alignment within the range. Bits above the size are zero.</summary>
    void WriteMmio(ulong offset, int size, ulong value);
}
