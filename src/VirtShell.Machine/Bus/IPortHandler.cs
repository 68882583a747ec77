namespace VirtShell.Machine.Bus;

/// <summary>What answers accesses to a range of I/O ports.</summary>
internal interface IPortHandler
{
    /// <summary>Reads <paramref name="size"/> bytes (1, 2 or 4, at most the mapping's access width). Bits above the size are ignored.</summary>
    uint ReadPort(ushort port, int size);

    /// <summary>Writes <paramref name="size"/> bytes (1, 2 or 4, at most the mapping's access width). Bits above the size are zero.</summary>
    void WritePort(ushort port, int size, uint value);
}
