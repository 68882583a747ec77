using System;
using Iced.Intel;

namespace VirtShell.Cpu.Instructions.X87;

/// <summary>Which of Iced's codes are x87 escapes, opcodes D8 to DF.</summary>
internal static class X87Opcodes
{
    /// <summary>The first escape; the low three bits count.</summary>
    public const byte Escape = 0xD8;

    private static readonly bool[] s_escapes = Build();

    public static bool Contains(Code code) => s_escapes[(int)code];

    private static bool[] Build()
    {
        Code[] codes = Enum.GetValues<Code>();
        bool[] escapes = new bool[codes.Length];
        foreach (Code code in codes)
        {
            OpCodeInfo info = code.ToOpCode();
            uint first = info.OpCodeLength == 2 ? info.OpCode >> 8 : info.OpCode;
            escapes[(int)code] = info.IsInstruction && info.Encoding == EncodingKind.Legacy && info.Table == OpCodeTableKind.Normal
                && (first & 0xFFF8) == Escape;
        }

        return escapes;
    }
}
