using System.Runtime.CompilerServices;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Numerics;

namespace VirtShell.Cpu.Instructions.X87;

/// <summary>
/// The x87 unit's state as handlers see it: register stack, status word, pointers, and the deferred exception model
/// (Intel SDM vol. 1, 8.1 and 8.7). Every handler calls <see cref="Enter"/> first, reads or checks its memory operand,
/// then <see cref="Note"/>, then changes state.
/// </summary>
internal static unsafe class Fpu
{
    // Status word (SDM vol. 1, figure 8-4).
    public const ushort StackFault = 1 << 6;
    public const ushort ErrorSummary = 1 << 7;
    public const ushort C0 = 1 << 8;
    public const ushort C1 = 1 << 9;
    public const ushort C2 = 1 << 10;
    public const int TopShift = 11;
    public const ushort TopMask = 7 << TopShift;
    public const ushort C3 = 1 << 14;
    public const ushort Busy = 1 << 15;
    public const ushort Conditions = C0 | C1 | C2 | C3;
    public const ushort ExceptionFlags = 0x3F;

    // Control word (SDM vol. 1, figure 8-6): bit 6 always reads one; 7 and 15:13 read zero.
    public const ushort ControlDefault = 0x037F;
    public const ushort ControlWritable = 0x1F3F;
    public const ushort ControlFixed = 0x0040;

    private const ulong Unavailable = ControlBits.Cr0Emulation | ControlBits.Cr0TaskSwitched;

    /// <summary>What every waiting x87 instruction checks: #NM, then a pending exception.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Enter(CpuState* s)
    {
        if ((s->Cr0 & Unavailable) != 0 || (s->Fsw & ErrorSummary) != 0)
        {
            EnterSlow(s);
        }
    }

    /// <summary>What control instructions that do not wait check: #NM.</summary>
    public static void EnterNoWait(CpuState* s)
    {
        if ((s->Cr0 & Unavailable) != 0)
        {
            Fault.DeviceNotAvailable(s);
        }
    }

    /// <summary>A pending unmasked exception is reported: #MF, or with CR0.NE clear once more on FERR#, whose interrupt is the machine's affair (SDM vol. 1, 8.7). If that is not taken, execution goes on as with IGNNE# asserted.</summary>
    public static void CheckPending(CpuState* s)
    {
        if ((s->Fsw & ErrorSummary) == 0)
        {
            return;
        }

        if ((s->Cr0 & ControlBits.Cr0NumericError) != 0)
        {
            Fault.Raise(s, Vector.FloatingPoint);
        }

        CpuState.Of(s).Bus.SetFloatingPointError(true);
    }

    /// <summary>Records the instruction, and its memory operand if it has one, in FIP, FCS, FOP, FDP and FDS.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Note(CpuState* s, Op* o)
    {
        s->Fip = Flow.RipOf(s, o);
        s->Fcs = s->Cs.Selector;
        s->Fop = (ushort)o->Imm;
    }

    /// <summary>As <see cref="Note"/>, with the memory operand's offset and segment.</summary>
    public static void NoteMemory(CpuState* s, Op* o)
    {
        Note(s, o);
        s->Fdp = Addresses.Effective(s, o);
        s->Fds = o->Segment < SegmentIndex.Fs64 ? CpuState.Segment(s, o->Segment)->Selector : (ushort)0;
    }

    /// <summary>ST(i).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float80* St(CpuState* s, int i) => (Float80*)((byte*)s->Fpr + (((s->FpuTop + i) & 7) << 4));

    /// <summary>
    /// Reads ST(i), field by field: a copy of the ten-byte structure as a whole overlaps the stores that made it, which
    /// the host's store buffer cannot forward.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float80 Get(CpuState* s, int i)
    {
        ulong* slot = (ulong*)St(s, i);
        return new Float80((ushort)slot[1], slot[0]);
    }

    /// <summary>Writes ST(i) field by field; see <see cref="Get"/>. Its tag stays.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(CpuState* s, int i, Float80 value)
    {
        ulong* slot = (ulong*)St(s, i);
        slot[0] = value.Significand;
        slot[1] = value.SignExponent;
    }

    /// <summary>A register by its physical number.</summary>
    public static Float80* Physical(CpuState* s, int number) => (Float80*)((byte*)s->Fpr + ((number & 7) << 4));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsEmpty(CpuState* s, int i) => ((s->FpuValid >> ((s->FpuTop + i) & 7)) & 1) == 0;

    /// <summary>Writes ST(i) and tags it valid.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(CpuState* s, int i, Float80 value)
    {
        Put(s, i, value);
        s->FpuValid |= (ushort)(1 << ((s->FpuTop + i) & 7));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Push(CpuState* s, Float80 value)
    {
        SetTop(s, s->FpuTop - 1);
        Set(s, 0, value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pop(CpuState* s)
    {
        Free(s, 0);
        SetTop(s, s->FpuTop + 1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Free(CpuState* s, int i) => s->FpuValid &= (ushort)~(1 << ((s->FpuTop + i) & 7));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetTop(CpuState* s, int top) => s->Fsw = (ushort)((s->Fsw & ~TopMask) | ((top & 7) << TopShift));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ClearC1(CpuState* s) => s->Fsw &= unchecked((ushort)~C1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetConditions(CpuState* s, int conditions) => s->Fsw = (ushort)((s->Fsw & ~Conditions) | conditions);

    public static FloatContext Context(CpuState* s) => new(s->Fcw);

    /// <summary>Takes an operation's exceptions and round-up bit into the status word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Commit(CpuState* s, in FloatContext context)
    {
        s->Fsw = (ushort)((s->Fsw & ~C1) | (int)context.Exceptions | (context.RoundedUp ? C1 : 0));
        if (context.Unmasked != FloatExceptions.None)
        {
            Summarize(s);
        }
    }

    /// <summary>A stack underflow: true where it is masked, so that the instruction goes on with the indefinite value.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static bool Underflow(CpuState* s) => StackError(s, 0);

    /// <summary>A stack overflow; otherwise as <see cref="Underflow"/>.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static bool Overflow(CpuState* s) => StackError(s, C1);

    /// <summary>Recomputes ES and B from flags and masks, and drives FERR#; call after either changes.</summary>
    public static void Summarize(CpuState* s)
    {
        bool was = (s->Fsw & ErrorSummary) != 0;
        bool pending = (s->Fsw & ~s->Fcw & ExceptionFlags) != 0;
        s->Fsw = (ushort)((s->Fsw & ~(ErrorSummary | Busy)) | (pending ? ErrorSummary | Busy : 0));
        if (pending != was && (s->Cr0 & ControlBits.Cr0NumericError) == 0)
        {
            CpuState.Of(s).Bus.SetFloatingPointError(pending);
        }
    }

    /// <summary>Sets the status word from a written value, in which ES and B do not count; <see cref="SetControl"/> must follow.</summary>
    public static void SetStatus(CpuState* s, ushort value) =>
        s->Fsw = (ushort)((value & ~(ErrorSummary | Busy)) | (s->Fsw & ErrorSummary));

    /// <summary>Sets the control word from a written value.</summary>
    public static void SetControl(CpuState* s, ushort value)
    {
        s->Fcw = (ushort)((value & ControlWritable) | ControlFixed);
        Summarize(s);
    }

    /// <summary>FNINIT: the registers keep their values, tagged empty.</summary>
    public static void Initialize(CpuState* s)
    {
        s->Fcw = ControlDefault;
        s->FpuValid = 0;
        s->Fop = 0;
        s->Fip = 0;
        s->Fdp = 0;
        s->Fcs = 0;
        s->Fds = 0;
        s->Fsw &= ErrorSummary;
        Summarize(s);
        s->Fsw = 0;
    }

    /// <summary>The full tag word, each register's two bits found from its content (SDM vol. 1, 8.1.7).</summary>
    public static ushort FullTags(CpuState* s)
    {
        int tags = 0;
        for (int i = 0; i < 8; i++)
        {
            int tag = 3;
            if (((s->FpuValid >> i) & 1) != 0)
            {
                tag = Physical(s, i)->Class switch
                {
                    FloatClass.Normal => 0,
                    FloatClass.Zero => 1,
                    _ => 2,
                };
            }

            tags |= tag << (i * 2);
        }

        return (ushort)tags;
    }

    /// <summary>Loads a full tag word; only "empty or not" counts.</summary>
    public static void SetFullTags(CpuState* s, ushort tags)
    {
        int valid = 0;
        for (int i = 0; i < 8; i++)
        {
            valid |= ((tags >> (i * 2)) & 3) != 3 ? 1 << i : 0;
        }

        s->FpuValid = (ushort)valid;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void EnterSlow(CpuState* s)
    {
        EnterNoWait(s);
        CheckPending(s);
    }

    private static bool StackError(CpuState* s, int c1)
    {
        s->Fsw = (ushort)((s->Fsw & ~C1) | StackFault | (int)FloatExceptions.Invalid | c1);
        if ((s->Fcw & (int)FloatExceptions.Invalid) != 0)
        {
            return true;
        }

        Summarize(s);
        return false;
    }
}
