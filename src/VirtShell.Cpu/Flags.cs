using System.Numerics;
using System.Runtime.CompilerServices;

namespace VirtShell.Cpu;

/// <summary>RFLAGS bits (SDM Vol. 1 §3.4.3) and the conversion between RFLAGS and the lazy form in <see cref="CpuState"/>.</summary>
public static unsafe class Flags
{
    public const uint Carry = 1;
    public const uint Fixed = 2;
    public const uint Parity = 4;
    public const uint Adjust = 16;
    public const uint Zero = 64;
    public const uint Sign = 128;
    public const uint Trap = 1 << 8;
    public const uint Interrupt = 1 << 9;
    public const uint Direction = 1 << 10;
    public const uint Overflow = 1 << 11;
    public const uint IoplMask = 3 << 12;
    public const int IoplShift = 12;
    public const uint NestedTask = 1 << 14;
    public const uint Resume = 1 << 16;
    public const uint Virtual8086 = 1 << 17;
    public const uint AlignmentCheck = 1 << 18;
    public const uint VirtualInterrupt = 1 << 19;
    public const uint VirtualInterruptPending = 1 << 20;
    public const uint Identification = 1 << 21;

    public const uint Status = Carry | Parity | Adjust | Zero | Sign | Overflow;

    /// <summary>Every defined bit; the others read as zero.</summary>
    public const uint Defined = Status | Fixed | Trap | Interrupt | Direction | IoplMask | NestedTask | Resume | Virtual8086
        | AlignmentCheck | VirtualInterrupt | VirtualInterruptPending | Identification;

    /// <summary>In <see cref="CpuState.FlagAux"/>: carry out of the top bit.</summary>
    public const ulong AuxCarry = 1UL << 63;

    /// <summary>In <see cref="CpuState.FlagAux"/>: carry into the top bit; OF is this exclusive-or <see cref="AuxCarry"/>.</summary>
    public const ulong AuxCarryIn = 1UL << 62;
    public const ulong AuxAdjust = 8;
    public const ulong AuxInvertSign = 2;
    public const ulong AuxInvertParity = 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Cf(CpuState* s) => (long)s->FlagAux < 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Of(CpuState* s) => (long)(s->FlagAux ^ (s->FlagAux << 1)) < 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Zf(CpuState* s) => s->FlagResult == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Sf(CpuState* s) => (long)(s->FlagResult ^ (s->FlagAux << 62)) < 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Pf(CpuState* s) => ((BitOperations.PopCount((uint)s->FlagResult & 0xFF) ^ (uint)s->FlagAux) & 1) == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Af(CpuState* s) => (s->FlagAux & AuxAdjust) != 0;

    /// <summary>SF ≠ OF.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Less(CpuState* s) => (long)(s->FlagResult ^ (s->FlagAux << 62) ^ s->FlagAux ^ (s->FlagAux << 1)) < 0;

    /// <summary>The six status flags in their RFLAGS places.</summary>
    public static uint GetStatus(CpuState* s)
    {
        uint flags = 0;
        flags |= Cf(s) ? Carry : 0;
        flags |= Pf(s) ? Parity : 0;
        flags |= Af(s) ? Adjust : 0;
        flags |= Zf(s) ? Zero : 0;
        flags |= Sf(s) ? Sign : 0;
        flags |= Of(s) ? Overflow : 0;
        return flags;
    }

    /// <summary>Sets the six status flags from their RFLAGS places; other bits are ignored.</summary>
    public static void SetStatus(CpuState* s, uint flags)
    {
        ulong aux = (flags & Adjust) != 0 ? AuxAdjust : 0;
        bool carry = (flags & Carry) != 0;
        bool overflow = (flags & Overflow) != 0;
        aux |= carry ? AuxCarry : 0;
        aux |= carry != overflow ? AuxCarryIn : 0;
        if ((flags & Zero) != 0)
        {
            s->FlagResult = 0;
            aux |= (flags & Sign) != 0 ? AuxInvertSign : 0;
            aux |= (flags & Parity) == 0 ? AuxInvertParity : 0;
        }
        else
        {
            // 1 has odd parity (PF clear), 3 even; bit 63 gives SF.
            s->FlagResult = ((flags & Sign) != 0 ? 1UL << 63 : 0) | ((flags & Parity) != 0 ? 3UL : 1UL);
        }

        s->FlagAux = aux;
    }

    /// <summary>The whole of RFLAGS.</summary>
    public static uint Get(CpuState* s) => GetStatus(s) | s->FlagsRest;

    /// <summary>Replaces the bits of <paramref name="mask"/>; the caller takes care of what a change of IF, TF, VM or AC entails.</summary>
    public static void Set(CpuState* s, uint flags, uint mask)
    {
        mask &= Defined & ~Fixed;
        if ((mask & Status) != 0)
        {
            SetStatus(s, (GetStatus(s) & ~mask) | (flags & mask));
        }

        uint rest = mask & ~Status;
        s->FlagsRest = (s->FlagsRest & ~rest) | (flags & rest);
    }

    /// <summary>Changes CF and leaves the other flags alone.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetCf(CpuState* s, bool carry)
    {
        // OF is bit 63 ^ bit 62: flip both when CF flips.
        if (carry != Cf(s))
        {
            s->FlagAux ^= AuxCarry | AuxCarryIn;
        }
    }

    /// <summary>Flags of a bitwise operation: result sign-extended to 64 bits; CF, OF and AF clear.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetLogic(CpuState* s, ulong signExtendedResult)
    {
        s->FlagResult = signExtendedResult;
        s->FlagAux = 0;
    }

    /// <summary>Sets result flags with explicit CF, OF and AF.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetResult(CpuState* s, ulong signExtendedResult, bool carry, bool overflow, bool adjust)
    {
        s->FlagResult = signExtendedResult;
        s->FlagAux = (carry ? AuxCarry : 0) | (carry != overflow ? AuxCarryIn : 0) | (adjust ? AuxAdjust : 0);
    }
}
