using System;
using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Instructions.Integer;
using VirtShell.Cpu.Instructions.Simd;
using VirtShell.Cpu.Instructions.Simd.Crypto;
using VirtShell.Cpu.Instructions.Simd.Floating;
using VirtShell.Cpu.Instructions.Simd.Strings;
using VirtShell.Cpu.Instructions.Mmx;
using VirtShell.Cpu.Instructions.X87;
using VirtShell.Cpu.Instructions.Privileged;

namespace VirtShell.Cpu.Instructions;

/// <summary>
/// Which handler executes which of Iced's codes, in three forms: register operands only, memory through
/// <see cref="Flat"/>, memory through <see cref="General"/>. Families enter their rows; what nobody enters is #UD.
/// </summary>
internal static unsafe class HandlerTable
{
    private static readonly nint[] RegisterForm = new nint[IcedConstants.CodeEnumCount];
    private static readonly nint[] FlatForm = new nint[IcedConstants.CodeEnumCount];
    private static readonly nint[] GeneralForm = new nint[IcedConstants.CodeEnumCount];

    static HandlerTable()
    {
        MoveHandlers.Register();
        AluHandlers.Register();
        BranchHandlers.Register();
        StackHandlers.Register();
        ShiftHandlers.Register();
        MultiplyHandlers.Register();
        StringHandlers.Register();
        BitHandlers.Register();
        ExchangeHandlers.Register();
        FlagHandlers.Register();
        MiscHandlers.Register();
        SseMoveHandlers.Register();
        PackedIntegerHandlers.Register();
        VexMoveHandlers.Register();
        VectorMiscHandlers.Register();
        StringCompareHandlers.Register();
        SearchHandlers.Register();
        StreamHandlers.Register();
        CryptoHandlers.Register();
        ShaHandlers.Register();
        FloatArithmeticHandlers.Register();
        FloatConversionHandlers.Register();
        FloatArrangeHandlers.Register();
        FusedHandlers.Register();
        HalfHandlers.Register();
        VectorVariableHandlers.Register();
        MaskedMoveHandlers.Register();

        X87Handlers.Register();
        MmxHandlers.Register();
        SegmentHandlers.Register();
        FarHandlers.Register();
        ControlRegisterHandlers.Register();
        TableHandlers.Register();
        SystemCallHandlers.Register();
        InformationHandlers.Register();
    }

    /// <summary>Enters a handler that has no memory operand, or finds its memory operands itself.</summary>
    public static void Add(Code code, delegate*<CpuState*, Op*, Op*> handler)
    {
        RegisterForm[(int)code] = (nint)handler;
        FlatForm[(int)code] = (nint)handler;
        GeneralForm[(int)code] = (nint)handler;
    }

    /// <summary>Enters the three forms of a handler; null where a form does not exist.</summary>
    public static void Add(Code code, delegate*<CpuState*, Op*, Op*> register, delegate*<CpuState*, Op*, Op*> flat, delegate*<CpuState*, Op*, Op*> general)
    {
        RegisterForm[(int)code] = (nint)register;
        FlatForm[(int)code] = (nint)flat;
        GeneralForm[(int)code] = (nint)general;
    }

    /// <summary>True where any handler is entered for a code.</summary>
    public static bool Has(Code code) => RegisterForm[(int)code] != 0 || GeneralForm[(int)code] != 0;

    public static delegate*<CpuState*, Op*, Op*> Find(Code code, bool memory, bool flat)
    {
        nint found = (memory ? flat ? FlatForm : GeneralForm : RegisterForm)[(int)code];
        return found != 0 ? (delegate*<CpuState*, Op*, Op*>)found : &Undefined;
    }

    /// <summary>#UD.</summary>
    public static Op* Undefined(CpuState* s, Op* o)
    {
        Fault.InvalidOpcode(s);
        return null;
    }

    /// <summary>#GP(0) for an instruction of more than 15 bytes.</summary>
    public static Op* TooLong(CpuState* s, Op* o)
    {
        Fault.GeneralProtection(s);
        return null;
    }

    private static class IcedConstants
    {
        public static readonly int CodeEnumCount = Enum.GetValues<Code>().Length;
    }
}
