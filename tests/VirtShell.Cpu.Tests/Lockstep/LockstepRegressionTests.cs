using System;
using System.Globalization;
using System.Linq;
using Xunit;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>The rows of <see cref="LockstepRegressions"/>, run often enough to be translated, in one piece and in small ones.</summary>
public sealed class LockstepRegressionTests
{
    private const int Passes = 300;

    public static TheoryData<string> Names => [.. LockstepRegressions.Rows.Select(static r => r.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Both_engines_agree(string name)
    {
        LockstepRegression row = LockstepRegressions.Rows.First(r => r.Name == name);
        GuestProgram program = ToProgram(row);
        for (int seed = 0; seed < 3; seed++)
        {
            LockstepResult result = LockstepRunner.Run(program, Passes * 40, seed, events: seed == 2);
            Assert.True(result.Report is null, result.Report);
        }
    }

    /// <summary>The instructions with a jump back behind them, and handlers that step over faults.</summary>
    private static GuestProgram ToProgram(LockstepRegression row)
    {
        ModeInfo mode = ModeInfo.Of(row.Mode);
        byte[] code = Convert.FromHexString(row.Code);
        byte[] lengths = new byte[Layout.LengthBytes];
        CodeEmitter emitter = new(mode.Bits, Layout.Code, mode.CodeBase, Layout.CodeBytes);
        emitter.Instructions(code);
        emitter.Instructions(mode.Bits == 16 ? [0xE9, .. BitConverter.GetBytes((short)-(code.Length + 3))] : [0xE9, .. BitConverter.GetBytes(-(code.Length + 5))]);
        emitter.Lengths.CopyTo(lengths, 0);
        GuestProgram program = new()
        {
            Mode = mode,
            Seed = 1,
            Mix = row.Name,
            Flags = row.Flags | (mode.IsVirtual ? Flags.Virtual8086 : 0),
            Mxcsr = row.Mxcsr,
            Registers = [.. row.Registers.Split(',').Select(static r => ulong.Parse(r, NumberStyles.HexNumber, CultureInfo.InvariantCulture))],
        };
        byte[] data = new byte[Layout.DataBytes];
        new Random(1).NextBytes(data);
        program.Memory.Add((Layout.Code, emitter.ToArray()));
        program.Memory.Add((Layout.Lengths, lengths));
        program.Memory.Add((Layout.Data, data));
        return program;
    }
}
