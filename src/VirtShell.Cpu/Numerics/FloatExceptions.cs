using System;

namespace VirtShell.Cpu.Numerics;

/// <summary>The six floating-point exceptions, at their bits of the x87 status word (flags) and control word (masks).</summary>
[Flags]
internal enum FloatExceptions : byte
{
    None = 0,
    Invalid = 1 << 0,
    Denormal = 1 << 1,
    ZeroDivide = 1 << 2,
    Overflow = 1 << 3,
    Underflow = 1 << 4,
    Precision = 1 << 5,
    All = 0x3F,
}
