using System;
using System.Linq;
using Iced.Intel;
using VirtShell.Cpu.Decoding;
using Xunit;

namespace VirtShell.Cpu.Tests;

/// <summary>The table that is written out so that starting need not ask Iced for it.</summary>
public sealed class CodePropertiesTests
{
    [Fact]
    public void The_table_says_what_Iced_says()
    {
        Code[] codes = Enum.GetValues<Code>();
        string wanted = string.Concat(codes.Select(Digit));
        string written = string.Concat(codes.Take(CodeProperties.Count).Select(Written));

        // When this fails, put this text into CodeProperties.Table, and its length into Count.
        Assert.True(wanted == written, wanted);
        Assert.Equal(CodeProperties.Count, codes.Length);
        Assert.Equal(CodeProperties.Count - 1, (int)codes[^1]);
    }

    private static char Digit(Code code)
    {
        OpCodeInfo info = code.ToOpCode();
        uint first = info.OpCodeLength == 2 ? info.OpCode >> 8 : info.OpCode;
        bool isEscape = info is { IsInstruction: true, Encoding: EncodingKind.Legacy, Table: OpCodeTableKind.Normal } && (first & 0xFFF8) == 0xD8;
        return Character(info.OperandSize / 8, info.AddressSize, isEscape);
    }

    private static char Written(Code code) => Character(CodeProperties.OperandBytes(code), CodeProperties.AddressBits(code), CodeProperties.IsX87Escape(code));

    private static char Character(int operandBytes, int addressBits, bool isEscape)
    {
        int operand = operandBytes switch { 2 => 1, 4 => 2, 8 => 3, _ => 0 };
        int address = addressBits switch { 16 => 1, 32 => 2, 64 => 3, _ => 0 };
        return (char)('0' + operand + (address << 2) + (isEscape ? 16 : 0));
    }
}
