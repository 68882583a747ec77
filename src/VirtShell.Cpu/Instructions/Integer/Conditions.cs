using System.Runtime.CompilerServices;

namespace VirtShell.Cpu.Instructions.Integer;

/// <summary>A condition code (SDM Vol. 1 Appendix B), as a type parameter.</summary>
internal unsafe interface ICondition
{
    static abstract bool Holds(CpuState* s);
}

/// <summary>The sixteen conditions in encoding order.</summary>
internal static unsafe class Conditions
{
    internal struct O : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => Flags.Of(s);
    }

    internal struct No : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => !Flags.Of(s);
    }

    internal struct B : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => Flags.Cf(s);
    }

    internal struct Ae : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => !Flags.Cf(s);
    }

    internal struct E : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => Flags.Zf(s);
    }

    internal struct Ne : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => !Flags.Zf(s);
    }

    internal struct Be : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => Flags.Cf(s) || Flags.Zf(s);
    }

    internal struct A : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => !(Flags.Cf(s) || Flags.Zf(s));
    }

    internal struct S : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => Flags.Sf(s);
    }

    internal struct Ns : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => !Flags.Sf(s);
    }

    internal struct P : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => Flags.Pf(s);
    }

    internal struct Np : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => !Flags.Pf(s);
    }

    internal struct L : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => Flags.Less(s);
    }

    internal struct Ge : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => !Flags.Less(s);
    }

    internal struct Le : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => Flags.Zf(s) || Flags.Less(s);
    }

    internal struct G : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => !(Flags.Zf(s) || Flags.Less(s));
    }
}
