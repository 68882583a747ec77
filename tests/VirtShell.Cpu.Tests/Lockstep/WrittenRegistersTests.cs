using System;
using System.Linq;
using Iced.Intel;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Translation;
using Xunit;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>
/// What the translator believes of the registers that an instruction writes. It relies on that twice: for the operands that flags follow
/// from, and for addresses that share a check.
/// </summary>
public sealed unsafe class WrittenRegistersTests
{
    private const int Pages = 1500;

    [Theory]
    [InlineData((int)CodeMode.Bits64)]
    [InlineData((int)CodeMode.Bits32 | TranslationKey.FlatSegments | TranslationKey.BigStack)]
    [InlineData((int)CodeMode.Bits16)]
    public void None_is_missing(int mode)
    {
        int key = mode | TranslationKey.Sse | TranslationKey.Avx;
        BlockReader reader = new([.. Enumerable.Repeat(true, Enum.GetValues<Code>().Length)], DecoderOptions.None);
        InstructionInfoFactory factory = new();
        Random random = new(1);
        byte[] code = new byte[4096];
        fixed (byte* page = code)
        {
            for (int i = 0; i < Pages; i++)
            {
                random.NextBytes(code);
                for (int start = 0; start < code.Length - 16; start++)
                {
                    if (!reader.Read(page, start, key))
                    {
                        continue;
                    }

                    // The first one of the block: the others come as such later.
                    ref Item item = ref reader.Items[0];
                    if (item.Family is Translation.Family.Exit or Translation.Family.CallOut)
                    {
                        continue;
                    }

                    uint written = BlockReader.WrittenRegisters(in item);
                    foreach (UsedRegister used in factory.GetInfo(item.Instruction).GetUsedRegisters())
                    {
                        int number = BlockReader.GeneralNumber(used.Register);
                        bool writes = used.Access is OpAccess.Write or OpAccess.CondWrite or OpAccess.ReadWrite or OpAccess.ReadCondWrite;
                        Assert.True(number < 0 || !writes || (written & (1u << number)) != 0, $"{item.Instruction} writes {used.Register}");
                    }
                }
            }
        }
    }
}
