using System;
using System.Threading;
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
    // The forms, each a handler for each code.
    private const int RegisterForm = 0;
    private const int FlatForm = 1;
    private const int GeneralForm = 2;

    private const int Stages = 4;

    private static readonly Lock s_gate = new();

    // Being entered, by one thread, and as others see it.
    private static nint[][] s_entering = [new nint[CodeProperties.Count], new nint[CodeProperties.Count], new nint[CodeProperties.Count]];
    private static nint[][] s_forms;
    private static int s_stage;

    // What firmware and kernels begin with.
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
        SegmentHandlers.Register();
        FarHandlers.Register();
        ControlRegisterHandlers.Register();
        TableHandlers.Register();
        SystemCallHandlers.Register();
        InformationHandlers.Register();
        s_forms = s_entering;
    }

    // Thousands of instances, which take longer to enter than a bundled guest to run: entered stage by stage when a code is met
    // that none before has. First what the C library's memory and string functions take, last what computes.
    private static void EnterStage(int stage)
    {
        switch (stage)
        {
            case 0:
                X87Handlers.Register();
                MmxHandlers.Register();
                SseMoveHandlers.Register();
                PackedIntegerHandlers.Register();
                break;
            case 1:
                VexMoveHandlers.Register();
                VectorMiscHandlers.Register();
                StringCompareHandlers.Register();
                break;
            case 2:
                SearchHandlers.Register();
                StreamHandlers.Register();
                CryptoHandlers.Register();
                ShaHandlers.Register();
                VectorVariableHandlers.Register();
                MaskedMoveHandlers.Register();
                break;
            default:
                FloatArithmeticHandlers.Register();
                FloatConversionHandlers.Register();
                FloatArrangeHandlers.Register();
                HalfHandlers.Register();
                FusedHandlers.Register();
                break;
        }
    }

    /// <summary>Enters a handler that has no memory operand, or finds its memory operands itself.</summary>
    public static void Add(Code code, delegate*<CpuState*, Op*, Op*> handler)
    {
        Add(code, handler, handler, handler);
    }

    /// <summary>Enters the three forms of a handler; null where a form does not exist.</summary>
    public static void Add(Code code, delegate*<CpuState*, Op*, Op*> register, delegate*<CpuState*, Op*, Op*> flat, delegate*<CpuState*, Op*, Op*> general)
    {
        s_entering[RegisterForm][(int)code] = (nint)register;
        s_entering[FlatForm][(int)code] = (nint)flat;
        s_entering[GeneralForm][(int)code] = (nint)general;
    }

    /// <summary>True where any handler is entered for a code.</summary>
    public static bool Has(Code code)
    {
        nint[][] forms = Enter(code);
        return IsIn(forms, code);
    }

    public static delegate*<CpuState*, Op*, Op*> Find(Code code, bool memory, bool flat)
    {
        int form = memory ? flat ? FlatForm : GeneralForm : RegisterForm;
        nint found = Volatile.Read(ref s_forms)[form][(int)code];
        if (found == 0)
        {
            found = Enter(code)[form][(int)code];
        }

        return found != 0 ? (delegate*<CpuState*, Op*, Op*>)found : &Undefined;
    }

    private static bool IsIn(nint[][] forms, Code code) => forms[RegisterForm][(int)code] != 0 || forms[GeneralForm][(int)code] != 0;

    /// <summary>The table, a code's handlers in it if there are any. Several processors may get here at once.</summary>
    private static nint[][] Enter(Code code)
    {
        lock (s_gate)
        {
            while (s_stage < Stages && !IsIn(s_forms, code))
            {
                nint[][] before = s_forms;
                s_entering = [[.. before[RegisterForm]], [.. before[FlatForm]], [.. before[GeneralForm]]];
                EnterStage(s_stage);
                s_stage++;
                for (int i = 0; i < CodeProperties.Count; i++)
                {
                    // What a code means must not depend on when the rest is entered.
                    if (before[RegisterForm][i] != 0 && before[RegisterForm][i] != s_entering[RegisterForm][i])
                    {
                        throw new InvalidOperationException($"{(Code)i} is entered twice.");
                    }
                }

                Volatile.Write(ref s_forms, s_entering);
            }

            return s_forms;
        }
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
}
