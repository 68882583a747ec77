using System;
using System.Collections.Generic;
using System.Linq;
using Iced.Intel;
using VirtShell.Cpu.Translation;
using Xunit;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Each instruction many times in a row, run on both engines: every form that a program can go on behind.</summary>
public sealed class RepeatedInstructionTests
{
    /// <summary>Of each form in a row: its second block has no other instruction.</summary>
    private const int Copies = 2 * BlockReader.MaxItems;

    /// <summary>Every so many forms are run where not all of them are; each mode begins with another one.</summary>
    private const int Sample = 4;
    private const int PairSamples = 200;
    private const ulong DataOffset = 0x4000;

    public static TheoryData<string> Modes =>
    [
        nameof(GuestMode.LongUser), nameof(GuestMode.LongKernel), nameof(GuestMode.Compatibility32), nameof(GuestMode.Flat32), nameof(GuestMode.Segmented32User),
        nameof(GuestMode.Real), nameof(GuestMode.Protected16User),
    ];

    [Theory]
    [MemberData(nameof(Modes))]
    public void Both_engines_agree(string mode)
    {
        ModeInfo info = ModeInfo.Of(Enum.Parse<GuestMode>(mode));
        BlockForm[] forms = FormsOf(info);
        Assert.InRange(forms.Length, 500, 20_000);
        if (!IsLong)
        {
            // What decides is the operands' kinds, whatever the registers are.
            forms = [.. forms.DistinctBy(static f => KindsOf(f.Instruction)).Where((_, i) => i % Sample == (int)info.Mode % Sample)];
        }

        Run(info, forms.Select(static f => new[] { f }));
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void Both_engines_agree_on_pairs(string mode)
    {
        ModeInfo info = ModeInfo.Of(Enum.Parse<GuestMode>(mode));
        BlockForm[] forms = FormsOf(info);
        Random random = new(IsLong ? Native.SoakCases.Seed : 1);
        Run(info, Enumerable.Range(0, IsLong ? PairSamples * 50 : PairSamples).Select(_ => new[] { forms[random.Next(forms.Length)], forms[random.Next(forms.Length)] }));
    }

    private static bool IsLong => Environment.GetEnvironmentVariable("VIRTSHELL_SOAK") == "lockstep";

    private static BlockForm[] FormsOf(ModeInfo mode) => [.. BlockForms.Of(mode.Bits).Where(static f => IsPlain(f.Instruction))];

    private static string KindsOf(in Instruction instruction)
    {
        string kinds = $"{instruction.Code} {instruction.HasLockPrefix}{instruction.HasRepPrefix}{instruction.HasRepnePrefix}";
        for (int i = 0; i < instruction.OpCount; i++)
        {
            kinds += $" {instruction.GetOpKind(i)}";
        }

        return kinds;
    }

    // Programs of as many runs as there is room for, each behind instructions that give the registers sensible values again.
    private static void Run(ModeInfo mode, IEnumerable<BlockForm[]> runs)
    {
        CodeEmitter? code = null;
        long instructions = 0;
        int number = 0;
        foreach (BlockForm[] run in runs)
        {
            if (code is not null && code.IsNearlyFull)
            {
                Compare(mode, code, instructions, number++);
                code = null;
            }

            code ??= new CodeEmitter(mode.Bits, Layout.Code, mode.CodeBase, Layout.CodeBytes);
            Prepare(mode, code);
            byte[] bytes = [.. Enumerable.Range(0, Copies).SelectMany(i => run[i % run.Length].Bytes).Take(0x500)];
            code.Instructions(Whole(bytes, run));
            instructions += Copies + 8;
        }

        Compare(mode, code!, instructions, number);
    }

    // Cut behind an instruction.
    private static byte[] Whole(byte[] bytes, BlockForm[] run)
    {
        int length = 0;
        for (int i = 0; length + run[i % run.Length].Bytes.Length <= bytes.Length; i++)
        {
            length += run[i % run.Length].Bytes.Length;
        }

        return bytes[..length];
    }

    private static void Prepare(ModeInfo mode, CodeEmitter code)
    {
        ulong data = Layout.Data - mode.DataBase + DataOffset;
        bool narrow = mode.Bits == 16;
        foreach ((Register wide, Register small, ulong value) in new[]
        {
            (Register.EBX, Register.BX, data), (Register.ESI, Register.SI, data + 0x800), (Register.EDI, Register.DI, data + 0x1000), (Register.ECX, Register.CX, 3UL),
            (Register.ESP, Register.SP, Layout.Stack + Layout.StackTop - 0x2000 - mode.StackBase),
        })
        {
            code.Emit(narrow
                ? Instruction.Create(Code.Mov_r16_imm16, small, (int)value)
                : Instruction.Create(Code.Mov_r32_imm32, wide, (int)value));
        }

        // CLD; FNINIT: no x87 exception waits, and its stack is empty.
        code.Instructions([0xFC, 0xDB, 0xE3]);
    }

    private static void Compare(ModeInfo mode, CodeEmitter code, long instructions, int number)
    {
        // In real mode and others a segment ends with the code; a program is run once, and wherever it ends up after that.
        code.Instructions(mode.Bits == 16 ? [0xE9, .. BitConverter.GetBytes((short)-(code.Count + 3))] : [0xE9, .. BitConverter.GetBytes(-(code.Count + 5))]);
        byte[] lengths = new byte[Layout.LengthBytes];
        code.Lengths.CopyTo(lengths, 0);
        GuestProgram program = new()
        {
            Mode = mode,
            Seed = 1,
            Mix = $"repeated instructions {number}",
            Flags = 0x202 | (mode.IsVirtual ? Flags.Virtual8086 : 0),
        };
        byte[] data = new byte[Layout.DataBytes];
        new Random(1).NextBytes(data);
        program.Memory.Add((Layout.Code, code.ToArray()));
        program.Memory.Add((Layout.Lengths, lengths));
        program.Memory.Add((Layout.Data, data));
        LockstepResult result = LockstepRunner.Run(program, instructions * 5 / 4, number, events: false);
        Assert.True(result.Report is null, result.Report);
    }

    /// <summary>Whether what follows is executed behind it, with pointers that still point.</summary>
    private static bool IsPlain(in Instruction instruction)
    {
        bool branches = instruction.FlowControl is FlowControl.ConditionalBranch or FlowControl.UnconditionalBranch or FlowControl.Call
            && instruction.Op0Kind is OpKind.NearBranch16 or OpKind.NearBranch32 or OpKind.NearBranch64;
        if (branches)
        {
            return instruction.NearBranchTarget == (ulong)instruction.Length;
        }

        if (instruction.FlowControl != FlowControl.Next || instruction.IsPrivileged || instruction.Mnemonic is Mnemonic.Leave or Mnemonic.Enter or Mnemonic.Popf or Mnemonic.Popfd or Mnemonic.Popfq
            or Mnemonic.Sti or Mnemonic.Cli or Mnemonic.Lds or Mnemonic.Les or Mnemonic.Lss or Mnemonic.Popa or Mnemonic.Popad)
        {
            return false;
        }

        InstructionInfoFactory factory = new();
        foreach (UsedRegister used in factory.GetInfo(instruction).GetUsedRegisters())
        {
            bool written = used.Access is not (OpAccess.Read or OpAccess.CondRead or OpAccess.None);
            Register full = OperandWriter.Full(used.Register);
            if (written && (used.Register.IsSegmentRegister() || full == Register.RBX || (full == Register.RSP && instruction.StackPointerIncrement == 0)))
            {
                return false;
            }
        }

        return true;
    }
}
