namespace VirtShell.Cpu.Numerics;

/// <summary>What an 80-bit encoding stands for; FXAM's classes without "empty" (Intel SDM vol. 2, FXAM).</summary>
internal enum FloatClass
{
    Unsupported,
    NaN,
    Normal,
    Infinity,
    Zero,
    Denormal,
}
