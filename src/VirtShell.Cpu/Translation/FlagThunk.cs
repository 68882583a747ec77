using VirtShell.Cpu.Instructions;
using VirtShell.Cpu.Instructions.Integer;

namespace VirtShell.Cpu.Translation;

/// <summary>How status flags follow from values that are still at hand.</summary>
internal enum FlagKind : byte
{
    /// <summary>The interpreter's lazy form holds them.</summary>
    Canonical,

    /// <summary>Not kept, because nobody can ask for them.</summary>
    Lost,

    /// <summary>As the block that ran before left word in <see cref="CpuState.FlagThunk"/>.</summary>
    Incoming,

    /// <summary>A is the sum of something and B.</summary>
    AddResult,

    /// <summary>A is the difference of something and B.</summary>
    SubResult,

    /// <summary>A − B.</summary>
    Compare,

    /// <summary>A is the result of a logical operation.</summary>
    Logic,

    /// <summary>A ∧ B.</summary>
    And,

    /// <summary>A is the result of a negation.</summary>
    NegateResult,

    /// <summary>A shifted left by B.</summary>
    Shl,
    Shr,
    Sar,

    /// <summary>Signed product of A and B that keeps the operands' width.</summary>
    Imul,

    /// <summary>Unsigned product of A and B of twice the width.</summary>
    Mul,
    Bsf,
    Lzcnt,
    Tzcnt,
    Popcnt,
    Blsi,
    Blsr,
    Blsmsk,

    /// <summary>Over other flags: A is the result of INC, which leaves CF.</summary>
    Increment,

    /// <summary>Over other flags: A is the result of DEC.</summary>
    Decrement,

    /// <summary>Over other flags: bit 0 of A is CF, the others stay.</summary>
    CarryOnly,

    /// <summary>Over other flags: A is the result of ROL, which sets CF and OF.</summary>
    Rol,
    Ror,

    /// <summary>A is what LAHF and SETO gave: SF ZF AF PF CF in bits 15:8, OF in bit 0.</summary>
    Raw,
}

/// <summary>Where the operand of a flag thunk stands: 0–15 a general register, then the slots, then the immediate.</summary>
internal static class FlagPlace
{
    public const byte Slot = 16;

    /// <summary>The slot of flags folded into one (<see cref="FlagThunk.Folded"/>).</summary>
    public const byte Fold = Slot + 6;

    public const byte Immediate = 24;
    public const int Slots = 7;

    public static bool IsRegister(byte place) => place < Slot;
}

/// <summary>
/// A recipe for the status flags. Emitted code leaves flags in the host's RFLAGS and remembers only from what values they
/// follow; they are computed, by the interpreter's own rules, where somebody looks.
/// </summary>
internal readonly record struct FlagThunk(FlagKind Kind, byte Width, byte A, byte B, ulong Immediate)
{
    public static readonly FlagThunk Incoming = new(FlagKind.Incoming, 8, FlagPlace.Immediate, FlagPlace.Immediate, 0);
    public static readonly FlagThunk Lost = new(FlagKind.Lost, 8, FlagPlace.Immediate, FlagPlace.Immediate, 0);
    public static readonly FlagThunk Canonical = new(FlagKind.Canonical, 8, FlagPlace.Immediate, FlagPlace.Immediate, 0);

    /// <summary>Whatever the flags followed from, as RFLAGS: kept where something hides it that may change nothing, or only some.</summary>
    public static readonly FlagThunk Folded = new(FlagKind.Raw, 8, FlagPlace.Fold, FlagPlace.Immediate, 0);

    /// <summary>
    /// Thunks that change only some flags come in classes: of one class the later one makes the earlier one forgotten, as it
    /// changes the same flags. 0: all flags.
    /// </summary>
    public int PartialClass => Kind switch
    {
        FlagKind.Increment or FlagKind.Decrement => 1,
        FlagKind.CarryOnly => 2,
        FlagKind.Rol or FlagKind.Ror => 3,
        _ => 0,
    };

    public uint Hash => (uint)(((Shape * 0x9E3779B97F4A7C15UL) ^ (Immediate * 0xC2B2AE3D27D4EB4FUL)) >> 32);

    private uint Shape => (uint)Kind | ((uint)Width << 8) | ((uint)A << 16) | ((uint)B << 24);

    /// <summary>Equality as written out: this is asked for each exit of each block.</summary>
    public bool Is(in FlagThunk other) => Shape == other.Shape && Immediate == other.Immediate;

    public bool Uses(int register) => A == register || B == register;

    /// <summary>Computes the flags into the state's lazy form.</summary>
    public unsafe void Settle(CpuState* s)
    {
        switch (Width)
        {
            case 1:
                Settle<W8>(s);
                break;
            case 2:
                Settle<W16>(s);
                break;
            case 4:
                Settle<W32>(s);
                break;
            default:
                Settle<W64>(s);
                break;
        }
    }

    private unsafe void Settle<TW>(CpuState* s)
        where TW : struct, IWidth
    {
        ulong ones = ulong.MaxValue >> (64 - TW.Bits);
        ulong a = Value(s, A) & ones;
        ulong b = Value(s, B) & ones;
        switch (Kind)
        {
            case FlagKind.AddResult:
                AluHandlers.SetAdd<TW>(s, (a - b) & ones, b, a);
                break;
            case FlagKind.SubResult:
                AluHandlers.SetSub<TW>(s, (a + b) & ones, b, a);
                break;
            case FlagKind.Compare:
                AluHandlers.SetSub<TW>(s, a, b, a - b);
                break;
            case FlagKind.Logic:
                Flags.SetLogic(s, TW.SignExtend(a));
                break;
            case FlagKind.And:
                Flags.SetLogic(s, TW.SignExtend(a & b));
                break;
            case FlagKind.NegateResult:
                AluHandlers.SetSub<TW>(s, 0, (0 - a) & ones, a);
                break;
            case FlagKind.Shl or FlagKind.Shr or FlagKind.Sar when ((int)b & (TW.Bits == 64 ? 63 : 31)) == 0:
                // Nothing was shifted: the flags before were folded.
                SetRaw(s, (uint)s->FlagSlots[FlagPlace.Fold - FlagPlace.Slot]);
                break;
            case FlagKind.Shl:
                ShiftHandlers.Shl.Apply<TW>(s, a, (int)b & (TW.Bits == 64 ? 63 : 31));
                break;
            case FlagKind.Shr:
                ShiftHandlers.Shr.Apply<TW>(s, a, (int)b & (TW.Bits == 64 ? 63 : 31));
                break;
            case FlagKind.Sar:
                ShiftHandlers.Sar.Apply<TW>(s, a, (int)b & (TW.Bits == 64 ? 63 : 31));
                break;
            case FlagKind.Imul:
                MultiplyHandlers.Signed<TW>(s, a, b);
                break;
            case FlagKind.Mul:
                ulong high = System.Math.BigMul(a, b, out ulong low);
                bool overflow = TW.Bits == 64 ? high != 0 : low > ones;
                Flags.SetResult(s, TW.SignExtend(low), overflow, overflow, false);
                break;
            case FlagKind.Bsf:
                Flags.SetStatus(s, a == 0 ? Flags.Zero : 0);
                break;
            case FlagKind.Lzcnt:
                Flags.SetStatus(s, a == 0 ? Flags.Carry : a > ones >> 1 ? Flags.Zero : 0);
                break;
            case FlagKind.Tzcnt:
                Flags.SetStatus(s, a == 0 ? Flags.Carry : (a & 1) != 0 ? Flags.Zero : 0);
                break;
            case FlagKind.Popcnt:
                Flags.SetStatus(s, a == 0 ? Flags.Zero : 0);
                break;
            case FlagKind.Blsi:
                Flags.SetResult(s, TW.SignExtend(a & (0 - a)), a != 0, false, false);
                break;
            case FlagKind.Blsr:
                Flags.SetResult(s, TW.SignExtend(a & (a - 1)), a == 0, false, false);
                break;
            case FlagKind.Blsmsk:
                Flags.SetResult(s, TW.SignExtend(a ^ (a - 1)), a == 0, false, false);
                break;
            case FlagKind.Increment or FlagKind.Decrement:
                bool carry = Flags.Cf(s);
                if (Kind == FlagKind.Increment)
                {
                    AluHandlers.SetAdd<TW>(s, (a - 1) & ones, 1, a);
                }
                else
                {
                    AluHandlers.SetSub<TW>(s, (a + 1) & ones, 1, a);
                }

                Flags.SetCf(s, carry);
                break;
            case FlagKind.CarryOnly:
                Flags.SetCf(s, (a & 1) != 0);
                break;
            case FlagKind.Rol or FlagKind.Ror:
                bool top = (a >> (TW.Bits - 1)) != 0;
                bool other = Kind == FlagKind.Rol ? (a & 1) != 0 : ((a >> (TW.Bits - 2)) & 1) != 0;
                ShiftHandlers.SetRotate(s, Kind == FlagKind.Rol ? other : top, top != other);
                break;
            case FlagKind.Raw:
                SetRaw(s, (uint)Value(s, A));
                break;
            case FlagKind.Lost:
                throw new System.InvalidOperationException("Emitted code has left at an instruction for which it has not kept the flags.");
            default:
                break;
        }
    }

    private static unsafe void SetRaw(CpuState* s, uint raw) =>
        Flags.SetStatus(s, ((raw >> 8) & (Flags.Status & 0xFF)) | ((raw & 1) != 0 ? Flags.Overflow : 0));

    private unsafe ulong Value(CpuState* s, byte place) =>
        place < FlagPlace.Slot ? s->Gpr[place] : place < FlagPlace.Immediate ? s->FlagSlots[place - FlagPlace.Slot] : Immediate;
}
