using Iced.Intel;

namespace VirtShell.Cpu.Translation;

/// <summary>The few system instructions that kernels execute all the time.</summary>
internal sealed unsafe partial class BlockTranslator
{
    private void EmitSystemFlag(in Item item, int index)
    {
        BeforeClobber(in item);
        switch (item.Instruction.Mnemonic)
        {
            case Mnemonic.Cli:
                ChangeFlags(CodeWriter.And, ~Flags.Interrupt);
                break;
            case Mnemonic.Cld:
                ChangeFlags(CodeWriter.And, ~Flags.Direction);
                break;
            case Mnemonic.Std:
                ChangeFlags(CodeWriter.Or, Flags.Direction);
                break;
            default:
                EmitSti(in item, index);
                break;
        }
    }

    // STI: what waits is the interpreter's business; else interrupts are taken after the next instruction at the earliest.
    private void EmitSti(in Item item, int index)
    {
        StateOperation(CodeWriter.Cmp, StateOffset.Pending, 0);
        AddColdExit(_code.JumpIf(5), NewExit(ExitKind.Instruction, item.Offset, index));

        // test dword [FlagsRest], IF
        _code.Byte(0x65);
        _code.Byte(0xF7);
        _code.ModState(0, StateOffset.FlagsRest);
        _code.Dword((int)Flags.Interrupt);
        byte* open = _code.JumpIf(5);
        ChangeFlags(CodeWriter.Or, Flags.Interrupt);

        // Retired when this instruction has: the run's end less what is left once the block, charged whole, has run.
        _code.LoadState(HostRegister.Scratch, StateOffset.RunEnd);
        _code.AluRegister(CodeWriter.Sub, HostRegister.Scratch, HostRegister.Budget);
        _code.Lea(HostRegister.Scratch, HostRegister.Scratch, -(_count - index - 1));
        _code.StoreState(StateOffset.ShadowAt, HostRegister.Scratch);
        CodeWriter.Patch(open, _code.At);
    }

    private void EmitSwapGs()
    {
        _code.LoadState(HostRegister.Scratch, StateOffset.SegmentBase(SegmentIndex.Gs));
        _code.LoadState(HostRegister.Scratch2, StateOffset.KernelGsBase);
        _code.StoreState(StateOffset.SegmentBase(SegmentIndex.Gs), HostRegister.Scratch2);
        _code.StoreState(StateOffset.SegmentBase(SegmentIndex.Gs64), HostRegister.Scratch2);
        _code.StoreState(StateOffset.KernelGsBase, HostRegister.Scratch);
    }

    private void ChangeFlags(byte operation, uint value) => StateOperation(operation, StateOffset.FlagsRest, (int)value);

    // An operation of the 80h group on a dword of the state and an immediate.
    private void StateOperation(byte operation, int offset, int value)
    {
        _code.Byte(0x65);
        _code.Byte(0x81);
        _code.ModState(operation, offset);
        _code.Dword(value);
    }
}
