using Iced.Intel;
using VirtShell.Cpu.Execution;

namespace VirtShell.Cpu.Translation;

/// <summary>
/// Blocks that branch back to their own start. Their code stands there twice: once for whoever comes from elsewhere, and once for
/// further rounds, where it is known what the flags follow from, so that no round has to leave word of that for the next.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    private bool _loops;

    /// <summary>The branch back to the start, of the first round.</summary>
    private byte* _loopJump;

    /// <summary>What the flags follow from at each further round's start.</summary>
    private FlagThunk _loopFlags;

    /// <summary>Where further rounds begin; null in the first one.</summary>
    private byte* _loopTop;

    // Nobody may have an opinion on the flags of the round before, but exits.
    private bool IsLoop(Item[] items, int start, uint live)
    {
        ref Item last = ref items[_count - 1];
        if (last.Family != Family.Branch || Signed(in last.Instruction) != (ulong)start || live != 0
            || (_key & TranslationKey.ModeMask) is not ((int)CodeMode.Bits64 or (int)CodeMode.Bits32))
        {
            return false;
        }

        int first = 0;
        while (first < _count && items[first].Effect == FlagEffect.None)
        {
            first++;
        }

        return first < _count && items[first].Effect == FlagEffect.Full;
    }

    private void EmitLoop(Item[] items, int start)
    {
        AlignCode();
        CodeWriter.Patch(_loopJump, _code.At);
        _loopTop = _code.At;
        FlagsAreSettled();
        _flags = _loopFlags;
        _held = -1;
        _stackMoves = 0;
        Charge(NewExit(ExitKind.Budget, start, 0));
        EmitBody(items);
    }

    // The last branch of a block that loops.
    private void EmitLoopBranch(in Item item)
    {
        _passed = false;
        EnsureEdge(ProspectOf((ulong)item.End).Live);
        byte* jump = _code.JumpIf((int)item.Instruction.ConditionCode - (int)ConditionCode.o);
        if (_loopTop == null && _partial.PartialClass == 0)
        {
            _loopJump = jump;
            _loopFlags = _flags;
        }
        else if (_loopTop != null && _flags == _loopFlags && _partial.PartialClass == 0)
        {
            CodeWriter.Patch(jump, _loopTop);
        }
        else
        {
            AddColdEdge(jump, in item, 0);
            _loops &= _loopTop != null;
        }
    }
}
