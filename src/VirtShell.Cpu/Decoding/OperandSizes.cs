using System;
using Iced.Intel;
using VirtShell.Cpu.Execution;

namespace VirtShell.Cpu.Decoding;

/// <summary>Operand size in bytes of each of Iced's codes, from its own tables; computed once.</summary>
internal static class OperandSizes
{
    private static readonly byte[] Sizes = Build();

    private static readonly byte[] AddressSizes = BuildAddresses();

    /// <summary>64 minus the address size, for instructions that use a counter or pointer register without a memory operand (LOOP, JCXZ).</summary>
    public static byte AddressShiftOf(Code code, CodeMode mode)
    {
        byte bits = AddressSizes[(int)code];
        return (byte)(bits != 0 ? 64 - bits : mode switch { CodeMode.Bits64 => 0, CodeMode.Bits16 => 48, _ => 32 });
    }

    public static byte Of(Code code, CodeMode mode)
    {
        byte size = Sizes[(int)code];
        return size != 0 ? size : mode == CodeMode.Bits16 ? (byte)2 : (byte)4;
    }

    private static byte[] Build()
    {
        Code[] codes = Enum.GetValues<Code>();
        byte[] sizes = new byte[codes.Length];
        foreach (Code code in codes)
        {
            sizes[(int)code] = code.ToOpCode().OperandSize switch { 16 => 2, 32 => 4, 64 => 8, _ => 0 };
        }

        return sizes;
    }

    private static byte[] BuildAddresses()
    {
        Code[] codes = Enum.GetValues<Code>();
        byte[] sizes = new byte[codes.Length];
        foreach (Code code in codes)
        {
            sizes[(int)code] = (byte)code.ToOpCode().AddressSize;
        }

        return sizes;
    }
}
