namespace VirtShell.Cpu.Translation;

/// <summary>Which status flags anybody wants, instruction by instruction, from the end of a block to its beginning.</summary>
internal static class FlagPlan
{
    /// <summary>Which flags matter after each instruction. Gives those that must be in RFLAGS at the block's entry.</summary>
    public static uint Analyse(BlockPlan plan)
    {
        Item[] items = plan.Items;
        ref Item last = ref items[plan.Count - 1];
        // At its end every block tells the next one how to get the flags: a budget may end there.
        bool need = true;
        uint live = last.Family switch
        {
            Family.Exit or Family.Return or Family.SystemCall or Family.SystemReturn => 0,
            Family.Branch => plan.ProspectOf(last.Instruction.NearBranchTarget).Live | plan.ProspectOf((ulong)last.End).Live,
            Family.Jump or Family.Call => last.Instruction.FlowControl is Iced.Intel.FlowControl.UnconditionalBranch or Iced.Intel.FlowControl.Call
                ? plan.ProspectOf(last.Instruction.NearBranchTarget).Live : 0,
            _ => plan.ProspectOf((ulong)last.End).Live,
        };
        // Before the first instruction that sets all flags, those that an instruction leaves need not be at hand: word of it is enough.
        int known = 0;
        while (known < plan.Count && items[known].Effect is not (FlagEffect.Full or FlagEffect.Settled))
        {
            known++;
        }

        for (int i = plan.Count - 1; i >= 0; i--)
        {
            ref Item item = ref items[i];
            if (item.Family == Family.Branch && i < plan.Count - 1)
            {
                need = true;
                live |= plan.ProspectOf(item.Instruction.NearBranchTarget).Live;
            }

            item.NeedAfter = need;
            item.LiveAfter = live;
            bool exits = BlockReader.HasExit(in item);
            switch (item.Effect)
            {
                case FlagEffect.Full:
                    need = false;
                    live = 0;
                    break;
                case FlagEffect.Settled:
                    need = true;
                    live = 0;
                    break;
                case FlagEffect.Partial when need || live != 0:
                    // What stays must be in RFLAGS when the instruction runs.
                    live = Kept(in item, need && (i > known || PartialOf(in item).PartialClass == 0), live);
                    exits |= BlockReader.IsShiftByCl(in item);
                    break;
                default:
                    exits &= item.Effect != FlagEffect.Partial || item.HasMemory;
                    break;
            }

            live |= item.Effect == FlagEffect.Settled ? 0 : item.Descriptor.FlagsRead;
            need |= exits;
            item.LiveBefore = live;
        }

        return live;
    }

    private static uint Kept(in Item item, bool need, uint live) =>
        (need ? Flags.Status : live) & ~WrittenFlags(in item);

    /// <summary>Flags that an instruction which leaves the others alone changes.</summary>
    public static uint WrittenFlags(in Item item) => item.Family switch
    {
        Family.Increment => Flags.Status & ~Flags.Carry,
        Family.BitTest => Flags.Carry,
        Family.Rotate => Flags.Carry | Flags.Overflow,
        Family.Shift or Family.DoubleShift => Flags.Status,
        _ => PartialWrites(item.Instruction.Mnemonic),
    };

    /// <summary>The thunk of an instruction that changes some flags, its result in the slot for such; class 0 where there is none.</summary>
    public static FlagThunk PartialOf(in Item item)
    {
        FlagKind kind = item.Family switch
        {
            Family.Increment => item.Instruction.Mnemonic == Iced.Intel.Mnemonic.Inc ? FlagKind.Increment : FlagKind.Decrement,
            Family.BitTest => FlagKind.CarryOnly,
            Family.Rotate => item.Instruction.Mnemonic == Iced.Intel.Mnemonic.Rol ? FlagKind.Rol : FlagKind.Ror,
            _ => FlagKind.Canonical,
        };
        bool high = item.Instruction.Op0Kind == Iced.Intel.OpKind.Register && BlockReader.IsHighByte(item.Instruction.Op0Register);
        return kind == FlagKind.Canonical || high ? FlagThunk.Canonical : new FlagThunk(kind, (byte)item.Width, BlockTranslator.PartialPlace, FlagPlace.Immediate, 0);
    }

    private static uint PartialWrites(Iced.Intel.Mnemonic mnemonic) => mnemonic switch
    {
        Iced.Intel.Mnemonic.Adox => Flags.Overflow,
        Iced.Intel.Mnemonic.Cmpxchg8b or Iced.Intel.Mnemonic.Cmpxchg16b => Flags.Zero,
        _ => Flags.Carry,
    };
}
