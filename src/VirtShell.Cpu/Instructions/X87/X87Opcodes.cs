using Iced.Intel;
using VirtShell.Cpu.Decoding;

namespace VirtShell.Cpu.Instructions.X87;

/// <summary>Which of Iced's codes are x87 escapes, opcodes D8 to DF.</summary>
internal static class X87Opcodes
{
    /// <summary>The first escape; the low three bits count.</summary>
    public const byte Escape = 0xD8;

    public static bool Contains(Code code) => CodeProperties.IsX87Escape(code);
}
