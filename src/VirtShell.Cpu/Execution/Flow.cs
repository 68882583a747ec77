using System.Runtime.CompilerServices;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Execution;

/// <summary>How handlers say what runs next. Every handler ends with <c>return o + 1</c> or one of these.</summary>
internal static unsafe class Flow
{
    /// <summary>RIP of an operation.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong RipOf(CpuState* s, Op* o) => Mask(s, s->RipBase + o->PageOffset);

    /// <summary>RIP of the instruction after an operation.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong NextRip(CpuState* s, Op* o) => Mask(s, s->RipBase + o->PageOffset + o->Length);

    /// <summary>Instructions retired before the operation.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long RetiredBefore(CpuState* s, Op* o) => s->RunEnd - s->Budget - o->Remaining;

    /// <summary>Retires the instruction and leaves dispatch with RIP after it: for whatever changes mode, paging or flags that the run loop looks at.</summary>
    public static Op* ExitNext(CpuState* s, Op* o)
    {
        s->Rip = NextRip(s, o);
        s->Budget += o->Remaining - 1;
        return null;
    }

    /// <summary>Retires the instruction and leaves dispatch with RIP as given: far transfers and the like.</summary>
    public static Op* Exit(CpuState* s, Op* o, ulong rip)
    {
        s->Rip = rip;
        s->Budget += o->Remaining - 1;
        return null;
    }

    /// <summary>Retires one slice of a repeated instruction and comes back to the same instruction.</summary>
    public static Op* Again(CpuState* s, Op* o)
    {
        if (s->Budget > 0)
        {
            s->Budget--;
            return o;
        }

        s->Rip = RipOf(s, o);
        s->Budget += o->Remaining - 1;
        return null;
    }

    /// <summary>After a change of RFLAGS: goes on in the block unless something now waits for a boundary.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Op* AfterFlags(CpuState* s, Op* o) =>
        s->Pending == PendingEvents.None && (s->FlagsRest & Flags.Trap) == 0 ? o + 1 : ExitNext(s, o);

    /// <summary>Near indirect jump to a RIP of the current code size; the operation must be the last of its block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Op* Jump(CpuState* s, Op* o, ulong rip)
    {
        _ = o;
        return Enter(s, rip);
    }

    /// <summary>The direct branch of an operation is taken.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Op* Branch(CpuState* s, Op* o)
    {
        Op* target = o->Target;
        return target != null ? Charge(s, target) : BranchSlow(s, o);
    }

    /// <summary>The conditional branch of an operation is not taken.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Op* FallThrough(CpuState* s, Op* o)
    {
        Op* target = (Op*)o->Extra;
        return target != null ? Charge(s, target) : FallThroughSlow(s, o);
    }

    /// <summary>Handler of the pseudo-operation that ends a block without a branch.</summary>
    public static Op* BlockEnd(CpuState* s, Op* o) => FallThrough(s, o);

    /// <summary>Handler that replaces the first one of a dropped block.</summary>
    public static Op* Invalidated(CpuState* s, Op* o)
    {
        s->Rip = RipOf(s, o);
        s->Budget += o->Remaining;
        return null;
    }

    /// <summary>Pseudo-operation in front of an instruction that crosses into another page: goes on if that page is still the one that was decoded.</summary>
    public static Op* CheckSecondPage(CpuState* s, Op* o)
    {
        ulong linear = (s->Cs.Base + RipOf(s, o)) & s->LinearMask;
        ulong next = ((linear & ~0xFFFUL) + 4096) & s->LinearMask;
        Vcpu cpu = CpuState.Of(s);
        if (!cpu.Mmu.TryTranslateFetch(next, out ulong physical))
        {
            cpu.ThrowPendingFault();
        }

        if ((physical & ~0xFFFUL) == o->Imm)
        {
            return o + 1;
        }

        cpu.ForgetBlock(linear);
        return Invalidated(s, o);
    }

    /// <summary>RIP in 64-bit code, EIP elsewhere: a sequential IP above 64 KiB in 16-bit code meets the segment limit, it does not wrap.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Mask(CpuState* s, ulong rip) => rip & s->LinearMask;

    /// <summary>Charges a block to the budget and enters it, or leaves dispatch before it where the budget does not cover it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Op* Charge(CpuState* s, Op* target)
    {
        long left = s->Budget - target->Remaining;
        if (left < 0)
        {
            s->Rip = RipOf(s, target);
            return null;
        }

        s->Budget = left;
        return target;
    }

    private static Op* Enter(CpuState* s, ulong rip)
    {
        ulong linear = (s->Cs.Base + rip) & s->LinearMask;
        ExecTlbEntry* e = s->ExecTlb + ((linear >> 12) & (Memory.Mmu.ExecSize - 1));
        if (e->Tag == ((linear & ~0xFFFUL) | s->ExecKey) && s->ExecKey >= Vcpu.ExecKeyUnlimited)
        {
            uint index = e->Page->Entries[linear & 0xFFF];
            if (index != 0)
            {
                Op* target = s->Arena + index;
                long left = s->Budget - target->Remaining;
                if (left >= 0)
                {
                    s->Budget = left;
                    s->RipBase = rip - (linear & 0xFFF);
                    return target;
                }
            }
        }

        s->Rip = rip;
        return null;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Op* BranchSlow(CpuState* s, Op* o)
    {
        ulong rip = Mask(s, s->RipBase + o->Imm);
        if (o->OperandSize == 2)
        {
            // A 16-bit operand size truncates IP, so the target's page depends on where the code is mapped: never linked.
            return Enter(s, rip & 0xFFFF);
        }

        return Link(s, rip, o->Imm, &o->Target);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Op* FallThroughSlow(CpuState* s, Op* o)
    {
        ulong offset = (ulong)o->PageOffset + o->Length;
        return Link(s, Mask(s, s->RipBase + offset), offset, (Op**)&o->Extra);
    }

    /// <summary>Enters the block at a page offset, remembering it in <paramref name="link"/> where it stands in the same page.</summary>
    private static Op* Link(CpuState* s, ulong rip, ulong offset, Op** link)
    {
        Op* target = Enter(s, rip);
        if (target != null && offset < 4096)
        {
            *link = target;
        }

        return target;
    }
}
