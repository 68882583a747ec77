using System;
using Iced.Intel;
using VirtShell.Cpu.Tests.Numerics;
using Xunit;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>A bug made on purpose, in what the interpreter leaves, shrinks to a row that names its cause and nothing else.</summary>
[Collection(nameof(DifferentialRunner))]
public sealed unsafe class DifferentialShrinkerTests(DifferentialRunner runner)
{
    [SkippableFact]
    public void A_wrong_carry_shrinks_to_the_two_bits_that_make_it()
    {
        // The bug: CF is wrong where both operands of an addition have bit 20.
        string row = Shrink(Code.Add_rm32_r32, memory: true, static (test, ours) =>
        {
            Instruction i = test.Instruction;
            uint left = i.Op0Kind == OpKind.Register
                ? (uint)test.Image.Gpr[i.Op0Register.GetFullRegister() - Register.RAX]
                : BitConverter.ToUInt32(test.Window, DifferentialMemory.OperandOffset + Displacement(test));
            uint right = (uint)test.Image.Gpr[i.Op1Register.GetFullRegister() - Register.RAX];
            ours->Flags ^= (left & right & (1 << 20)) != 0 ? Flags.Carry : 0;
        });
        Assert.Equal("0103 rax=100000 m+0=100000 # add [rbx],eax", row);
    }

    [SkippableFact]
    public void A_wrong_product_shrinks_to_registers_and_a_small_immediate()
    {
        // The bug: bit 7 of the product is wrong where bit 3 of the immediate and bit 33 of the factor are set.
        string row = Shrink(Code.Imul_r64_rm64_imm8, memory: false, static (test, ours) =>
        {
            Instruction i = test.Instruction;
            ulong factor = test.Image.Gpr[i.Op1Register - Register.RAX];
            bool wrong = (factor & (1UL << 33)) != 0 && (i.Immediate8to64 & 8) != 0;
            ours->Gpr[i.Op0Register - Register.RAX] ^= wrong ? 0x80UL : 0;
        });
        Assert.Equal("486BC008 rax=200000000 # imul rax,8", row);
    }

    [SkippableFact]
    public void A_wrong_element_shrinks_to_its_element_and_control_bit()
    {
        // The bug: element 2 of a packed sum is wrong under FTZ where the first source's element is negative.
        string row = Shrink(Code.VEX_Vaddps_ymm_ymm_ymmm256, memory: false, static (test, ours) =>
        {
            Instruction i = test.Instruction;
            int source = (i.Op1Register.GetNumber() * 32) + 11;
            bool wrong = (test.Image.Mxcsr & 0x8000) != 0 && (test.Image.Ymm[source] & 0x80) != 0;
            ours->Ymm[(i.Op0Register.GetNumber() * 32) + 8] ^= (byte)(wrong ? 1 : 0);
        });
        Assert.Equal("C5FC58C0 mxcsr=9F80 ymm0=800000000000000000000000 # vaddps ymm0,ymm0,ymm0", row);
    }

    private string Shrink(Code code, bool memory, Tamper bug)
    {
        runner.Require(code, bits: 64);
        var samples = new FloatSamples(SoakCases.SeedFor(code.ToString()));
        DifferentialCase? failing = null;
        for (int i = 0; i < 4000 && failing is null; i++)
        {
            if (DifferentialForms.Encode(code, memory, samples.Random.Next(DifferentialForms.Variants), samples.Random) is Instruction instruction)
            {
                var test = new DifferentialCase(instruction);
                DifferentialValues.Fill(test, samples);
                failing = runner.Evaluate(test, tamper: bug) is not null ? test : null;
            }
        }

        Assert.NotNull(failing);
        DifferentialCase small = DifferentialShrinker.Shrink(failing, c => runner.Evaluate(c, tamper: bug) is not null);
        DifferentialCase read = DifferentialCase.Parse(small.ToString());
        Assert.NotNull(runner.Evaluate(read, tamper: bug));
        Assert.Null(runner.Evaluate(read));
        return small.ToString();
    }

    private static int Displacement(DifferentialCase test)
    {
        Instruction i = test.Instruction;
        ulong at = i.MemoryBase == Register.RIP ? i.MemoryDisplacement64 - DifferentialMemory.Operand : i.MemoryDisplacement64;
        return (int)(at + (i.MemoryIndex == Register.None ? 0 : test.Image.Gpr[15] * (ulong)i.MemoryIndexScale));
    }
}
