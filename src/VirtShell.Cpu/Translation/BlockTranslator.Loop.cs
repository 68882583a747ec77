using Iced.Intel;

namespace VirtShell.Cpu.Translation;

/// <summary>
/// Blocks that branch back to their own start. Their code stands there again for further rounds, where it is known what the flags follow
/// from, so that no round has to leave word of that for the next. Short ones stand there twice more, and pay for two rounds at a time.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>Instructions of a block whose further rounds are charged in pairs, at most.</summary>
    private const int MaxPaired = 16;

    private void EmitLoop(int start)
    {
        AlignCode();
        CodeWriter.Patch(_now.LoopJump, _code.At);
        _now.LoopTop = _code.At;
        _now.Ahead = _plan.Count <= MaxPaired ? _plan.Count : 0;
        BeginRound();
        Charge(NewExit(ExitKind.Budget, start, 0));
        EmitBody();
        _now.Ahead = 0;
        if (_now.GoesOn)
        {
            _now.GoesOn = false;
            BeginRound();
            EmitBody();
        }
    }

    private void BeginRound()
    {
        FlagsAreSettled();
        _now.Flags = _now.LoopFlags;
        _now.Held = -1;
        _now.StackMoves = 0;
    }

    // The last branch of a block that loops.
    private void EmitLoopBranch(in Item item)
    {
        _now.Passed = false;
        EnsureEdge(_plan.ProspectOf((ulong)item.End).Live);
        if (_now.Ahead != 0 && _now.Flags == _now.LoopFlags && _now.Partial.PartialClass == 0)
        {
            // The other way round: on into the next round.
            AddColdEdge(_code.JumpIf(((int)item.Instruction.ConditionCode - (int)ConditionCode.o) ^ 1), (ulong)item.End, _now.Ahead);
            _now.GoesOn = true;
            return;
        }

        byte* jump = _code.JumpIf((int)item.Instruction.ConditionCode - (int)ConditionCode.o);
        if (_now.LoopTop == null && _now.Partial.PartialClass == 0)
        {
            _now.LoopJump = jump;
            _now.LoopFlags = _now.Flags;
        }
        else if (_now.LoopTop != null && _now.Ahead == 0 && _now.Flags == _now.LoopFlags && _now.Partial.PartialClass == 0)
        {
            CodeWriter.Patch(jump, _now.LoopTop);
        }
        else
        {
            AddColdEdge(jump, BlockPlan.Signed(in item.Instruction), _now.Ahead);
            _now.Loops &= _now.LoopTop != null;
        }
    }
}
