namespace VirtShell.Cpu.Numerics;

/// <summary>The outcome of a comparison.</summary>
internal enum FloatOrder
{
    Less,
    Equal,
    Greater,
    Unordered,
}
