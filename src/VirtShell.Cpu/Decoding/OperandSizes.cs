using Iced.Intel;
using VirtShell.Cpu.Execution;

namespace VirtShell.Cpu.Decoding;

/// <summary>Operand and address sizes of instructions in a mode.</summary>
internal static class OperandSizes
{
    /// <summary>64 minus the address size, for instructions that use a counter or pointer register without a memory operand (LOOP, JCXZ).</summary>
    public static byte AddressShiftOf(Code code, CodeMode mode)
    {
        byte bits = CodeProperties.AddressBits(code);
        return (byte)(bits != 0 ? 64 - bits : mode switch { CodeMode.Bits64 => 0, CodeMode.Bits16 => 48, _ => 32 });
    }

    /// <summary>In bytes.</summary>
    public static byte Of(Code code, CodeMode mode)
    {
        byte size = CodeProperties.OperandBytes(code);
        return size != 0 ? size : mode == CodeMode.Bits16 ? (byte)2 : (byte)4;
    }
}
