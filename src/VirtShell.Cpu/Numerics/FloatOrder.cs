namespace VirtShell.Cpu.Numerics;

/// <summary>The outcome of a comparison.</summary>
public enum FloatOrder
{
    Less,
    Equal,
    Greater,
    Unordered,
}
