using Iced.Intel;
using VirtShell.Cpu.Execution;

namespace VirtShell.Cpu.Translation;

/// <summary>
/// Blocks that branch back to their own start. Their code stands there again for further rounds, where it is known what the flags follow
/// from, so that no round has to leave word of that for the next. Short ones stand there twice more, and pay for two rounds at a time.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>Instructions of a block whose further rounds are charged in pairs, at most.</summary>
    private const int MaxPaired = 16;

    private bool _loops;

    /// <summary>Instructions that have been charged for the round behind this one.</summary>
    private int _ahead;

    /// <summary>The round goes on with the next one, whose code stands behind it.</summary>
    private bool _goesOn;

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
        _ahead = _count <= MaxPaired ? _count : 0;
        BeginRound();
        Charge(NewExit(ExitKind.Budget, start, 0));
        EmitBody(items);
        _ahead = 0;
        if (_goesOn)
        {
            _goesOn = false;
            BeginRound();
            EmitBody(items);
        }
    }

    private void BeginRound()
    {
        FlagsAreSettled();
        _flags = _loopFlags;
        _held = -1;
        _stackMoves = 0;
    }

    // The last branch of a block that loops.
    private void EmitLoopBranch(in Item item)
    {
        _passed = false;
        EnsureEdge(ProspectOf((ulong)item.End).Live);
        if (_ahead != 0 && _flags == _loopFlags && _partial.PartialClass == 0)
        {
            // The other way round: on into the next round.
            AddColdEdge(_code.JumpIf(((int)item.Instruction.ConditionCode - (int)ConditionCode.o) ^ 1), (ulong)item.End, _ahead);
            _goesOn = true;
            return;
        }

        byte* jump = _code.JumpIf((int)item.Instruction.ConditionCode - (int)ConditionCode.o);
        if (_loopTop == null && _partial.PartialClass == 0)
        {
            _loopJump = jump;
            _loopFlags = _flags;
        }
        else if (_loopTop != null && _ahead == 0 && _flags == _loopFlags && _partial.PartialClass == 0)
        {
            CodeWriter.Patch(jump, _loopTop);
        }
        else
        {
            AddColdEdge(jump, Signed(in item.Instruction), _ahead);
            _loops &= _loopTop != null;
        }
    }
}
