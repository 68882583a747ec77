namespace VirtShell.Cpu.Numerics;

/// <summary>Rounding control, encoded as in FCW bits 11:10.</summary>
internal enum FloatRounding
{
    NearestEven = 0,
    Down = 1,
    Up = 2,
    TowardZero = 3,
}
