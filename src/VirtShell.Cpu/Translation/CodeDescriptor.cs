using System;
using Iced.Intel;

namespace VirtShell.Cpu.Translation;

/// <summary>Where an operand stands in the encoding.</summary>
internal enum OperandPlace : byte
{
    None,

    /// <summary>ModRM.reg.</summary>
    Reg,

    /// <summary>ModRM.rm, register or memory.</summary>
    Rm,

    /// <summary>Low three bits of the opcode.</summary>
    Opcode,

    /// <summary>VEX.vvvv.</summary>
    Vvvv,
    Other,
}

/// <summary>What never changes of one of Iced's codes, computed once when the first instruction of it is met.</summary>
internal sealed class CodeDescriptor
{
    private static readonly CodeDescriptor?[] s_known = new CodeDescriptor?[Enum.GetValues<Code>().Length];

    public Family Family { get; private init; }

    public OperandPlace[] Places { get; private init; } = [];

    /// <summary>Bit n: operand n is written.</summary>
    public int Writes { get; private init; }

    /// <summary>Bit n: operand n is read (a partial write of a register counts as one).</summary>
    public int Reads { get; private init; }

    /// <summary>Status flags read, as of RFLAGS.</summary>
    public uint FlagsRead { get; private init; }

    public bool HasModRm { get; private init; }

    /// <summary>Needs SSE or AVX to be enabled and all its exceptions masked.</summary>
    public bool IsSimd { get; private init; }

    public bool IsVex { get; private init; }

    /// <summary>A memory operand of this many bytes must be aligned to them; 0: none.</summary>
    public bool IsAligned { get; private init; }

    /// <summary>The operand size prefix has its ordinary meaning.</summary>
    public bool HasOperandSize { get; private init; }

    /// <summary>66h, F2h or F3h where it is part of the opcode; else 0.</summary>
    public byte MandatoryPrefix { get; private init; }

    /// <summary>General registers written beside the operands, by number.</summary>
    public uint ImplicitWrites { get; private init; }

    public static CodeDescriptor Of(in Instruction instruction) => s_known[(int)instruction.Code] ??= Create(in instruction);

    private static CodeDescriptor Create(in Instruction instruction)
    {
        OpCodeInfo info = instruction.Code.ToOpCode();
        int count = info.OpCount;
        OperandPlace[] places = new OperandPlace[count];
        bool modRm = false;
        bool supported = true;
        for (int i = 0; i < count; i++)
        {
            string kind = info.GetOpKind(i).ToString();
            places[i] = PlaceOf(kind);
            modRm |= places[i] is OperandPlace.Reg or OperandPlace.Rm;
            supported &= !kind.StartsWith("mm", StringComparison.Ordinal) && !kind.StartsWith("zmm", StringComparison.Ordinal)
                && !kind.Contains("vsib", StringComparison.Ordinal) && (kind == "mem_offs" || !kind.StartsWith("mem_", StringComparison.Ordinal));
        }

        Instruction sample = Distinct(in instruction);
        InstructionInfo usage = new InstructionInfoFactory().GetInfo(sample);
        int writes = 0;
        int reads = 0;
        for (int i = 0; i < count; i++)
        {
            OpAccess access = usage.GetOpAccess(i);
            bool write = access is OpAccess.Write or OpAccess.CondWrite or OpAccess.ReadWrite or OpAccess.ReadCondWrite;
            bool read = access is OpAccess.Read or OpAccess.CondRead or OpAccess.ReadWrite or OpAccess.ReadCondWrite or OpAccess.CondWrite;
            writes |= write ? 1 << i : 0;
            string kind = info.GetOpKind(i).ToString();
            bool narrow = kind.StartsWith("r8", StringComparison.Ordinal) || kind.StartsWith("r16", StringComparison.Ordinal);
            reads |= read || (write && narrow) ? 1 << i : 0;
        }

        Family family = Families.Of(in instruction, supported, info);
        bool simd = family is Family.Plain or Family.ExactFlags && Families.IsSimd(info, in instruction);
        return new CodeDescriptor
        {
            Family = family,
            Places = places,
            Writes = writes,
            Reads = reads,
            FlagsRead = StatusOf(sample.RflagsRead),
            HasModRm = modRm,
            IsSimd = simd,
            IsVex = info.Encoding == EncodingKind.VEX,
            IsAligned = (simd && Families.MustAlign(info, in instruction)) || instruction.Mnemonic == Mnemonic.Cmpxchg16b,
            HasOperandSize = info.OperandSize != 0,
            MandatoryPrefix = info.MandatoryPrefix switch { Iced.Intel.MandatoryPrefix.P66 => 0x66, Iced.Intel.MandatoryPrefix.PF2 => 0xF2, Iced.Intel.MandatoryPrefix.PF3 => 0xF3, _ => 0 },
            ImplicitWrites = Families.ImplicitWrites(in instruction),
        };
    }

    // Register operands that differ from each other, so that no zeroing idiom hides a read.
    private static Instruction Distinct(in Instruction instruction)
    {
        Instruction copy = instruction;
        if (copy.Op0Kind == OpKind.Register && copy.OpCount >= 2 && copy.Op1Kind == OpKind.Register && copy.Op0Register == copy.Op1Register)
        {
            Register register = copy.Op1Register;
            copy.Op1Register = register.GetNumber() == 0 ? register + 1 : register - 1;
        }

        return copy;
    }

    private static OperandPlace PlaceOf(string kind) =>
        kind.EndsWith("_or_mem", StringComparison.Ordinal) || kind.EndsWith("_rm", StringComparison.Ordinal) || kind == "mem" || kind == "mem_mib" || kind == "sibmem" ? OperandPlace.Rm
        : kind.EndsWith("_reg", StringComparison.Ordinal) || kind.EndsWith("_reg_mem", StringComparison.Ordinal) ? OperandPlace.Reg
        : kind.EndsWith("_opcode", StringComparison.Ordinal) ? OperandPlace.Opcode
        : kind.EndsWith("_vvvv", StringComparison.Ordinal) ? OperandPlace.Vvvv
        : OperandPlace.Other;

    private static uint StatusOf(RflagsBits bits) =>
        ((bits & RflagsBits.CF) != 0 ? Flags.Carry : 0) | ((bits & RflagsBits.PF) != 0 ? Flags.Parity : 0)
        | ((bits & RflagsBits.AF) != 0 ? Flags.Adjust : 0) | ((bits & RflagsBits.ZF) != 0 ? Flags.Zero : 0)
        | ((bits & RflagsBits.SF) != 0 ? Flags.Sign : 0) | ((bits & RflagsBits.OF) != 0 ? Flags.Overflow : 0);
}
