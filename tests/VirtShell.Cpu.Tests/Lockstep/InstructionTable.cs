using System;
using System.Collections.Generic;
using System.Linq;
using Iced.Intel;
using VirtShell.Cpu.Instructions;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Every instruction that the processor has and that is no branch and no matter of the system, by family, mnemonic and code.</summary>
internal static class InstructionTable
{
    private static readonly string[] s_excluded =
    [
        "Push", "Pop", "Enter", "Leave", "Hlt", "Int", "Iret", "Sys", "In_", "Out_", "Ins", "Outs", "Lgdt", "Lidt", "Lldt", "Ltr", "Lmsw",
        "Invlpg", "Invpcid", "Wbinvd", "Invd", "Clts", "Wrmsr", "Rdmsr", "Swapgs", "Cli", "Sti", "Clac", "Stac", "Mwait", "Monitor",
        "Lds_", "Les_", "Lfs_", "Lgs_", "Lss_", "Wrfsbase", "Wrgsbase", "Xsetbv", "Std", "Rsm", "Ud",
    ];

    private static readonly HashSet<Mnemonic> s_flagUsers =
    [
        Mnemonic.Adc, Mnemonic.Sbb, Mnemonic.Rcl, Mnemonic.Rcr, Mnemonic.Lahf, Mnemonic.Sahf, Mnemonic.Cmc, Mnemonic.Clc, Mnemonic.Stc,
        Mnemonic.Salc, Mnemonic.Adcx, Mnemonic.Adox, Mnemonic.Daa, Mnemonic.Das, Mnemonic.Aaa, Mnemonic.Aas,
    ];

    private static readonly HashSet<Mnemonic> s_shifts =
    [
        Mnemonic.Shl, Mnemonic.Sal, Mnemonic.Shr, Mnemonic.Sar, Mnemonic.Rol, Mnemonic.Ror, Mnemonic.Shld, Mnemonic.Shrd, Mnemonic.Shlx,
        Mnemonic.Shrx, Mnemonic.Sarx, Mnemonic.Rorx,
    ];

    private static readonly HashSet<Mnemonic> s_multiplyDivide =
        [Mnemonic.Mul, Mnemonic.Imul, Mnemonic.Div, Mnemonic.Idiv, Mnemonic.Mulx, Mnemonic.Aam, Mnemonic.Aad];

    private static readonly HashSet<Mnemonic> s_bits =
    [
        Mnemonic.Bt, Mnemonic.Bts, Mnemonic.Btr, Mnemonic.Btc, Mnemonic.Bsf, Mnemonic.Bsr, Mnemonic.Popcnt, Mnemonic.Lzcnt, Mnemonic.Tzcnt,
        Mnemonic.Andn, Mnemonic.Bextr, Mnemonic.Blsi, Mnemonic.Blsr, Mnemonic.Blsmsk, Mnemonic.Bzhi, Mnemonic.Pdep, Mnemonic.Pext, Mnemonic.Crc32,
    ];

    private static readonly HashSet<Mnemonic> s_arithmetic =
    [
        Mnemonic.Add, Mnemonic.Or, Mnemonic.And, Mnemonic.Sub, Mnemonic.Xor, Mnemonic.Cmp, Mnemonic.Test, Mnemonic.Inc, Mnemonic.Dec,
        Mnemonic.Neg, Mnemonic.Not, Mnemonic.Xadd, Mnemonic.Cmpxchg, Mnemonic.Cmpxchg8b, Mnemonic.Cmpxchg16b,
    ];

    private static readonly Dictionary<(int Bits, Family Family), Code[][]> s_table = Build();

    /// <summary>Codes of a family in a code size, those of one mnemonic together.</summary>
    public static Code[][] Of(int bits, Family family) => s_table.GetValueOrDefault((bits, family), []);

    /// <summary>A code: each mnemonic as likely as the others.</summary>
    public static Code Choose(int bits, Family family, Random random)
    {
        Code[][] mnemonics = Of(bits, family);
        Code[] codes = mnemonics[random.Next(mnemonics.Length)];
        return codes[random.Next(codes.Length)];
    }

    private static Dictionary<(int Bits, Family Family), Code[][]> Build()
    {
        bool[] supported = CpuFeatures.SupportedCodes(CpuModel.X86_64_V3);
        Dictionary<(int, Family), Code[][]> table = [];
        foreach (int bits in new[] { 16, 32, 64 })
        {
            foreach (IGrouping<Family, Code> family in Enum.GetValues<Code>().Where(c => supported[(int)c] && IsPlain(c, bits)).GroupBy(FamilyOf))
            {
                table[(bits, family.Key)] = [.. family.GroupBy(static c => c.Mnemonic()).Select(static g => g.ToArray())];
            }
        }

        return table;
    }

    private static bool IsPlain(Code code, int bits)
    {
        OpCodeInfo info = code.ToOpCode();
        string name = code.ToString();
        return HandlerTable.Has(code) && info.IsInstruction && info.Encoding is EncodingKind.Legacy or EncodingKind.VEX && !info.IsPrivileged
            && (bits == 64 ? info.Mode64 : bits == 32 ? info.Mode32 : info.Mode16) && code.FlowControl() == FlowControl.Next
            && !s_excluded.Any(e => name.StartsWith(e, StringComparison.Ordinal))
            && !Kinds(info).Any(static k => k is OpCodeOperandKind.seg_reg or OpCodeOperandKind.cr_reg or OpCodeOperandKind.dr_reg or OpCodeOperandKind.tr_reg);
    }

    private static Family FamilyOf(Code code)
    {
        OpCodeInfo info = code.ToOpCode();
        Mnemonic mnemonic = code.Mnemonic();
        string[] kinds = [.. Kinds(info).Select(static k => k.ToString())];
        if (code.CpuidFeatures().Any(static f => f.ToString().StartsWith("FPU", StringComparison.Ordinal)))
        {
            return Family.X87;
        }

        if (kinds.Any(static k => k.StartsWith("mm_", StringComparison.Ordinal)) || mnemonic == Mnemonic.Emms)
        {
            return Family.Mmx;
        }

        if (kinds.Any(static k => k.StartsWith("xmm", StringComparison.Ordinal) || k.StartsWith("ymm", StringComparison.Ordinal)) || mnemonic is Mnemonic.Vzeroall or Mnemonic.Vzeroupper)
        {
            return info.Encoding == EncodingKind.VEX ? Family.Avx : Family.Sse;
        }

        if (code.IsStringInstruction())
        {
            return Family.Strings;
        }

        return s_flagUsers.Contains(mnemonic) || code.ConditionCode() != ConditionCode.None ? Family.FlagUsers
            : s_shifts.Contains(mnemonic) ? Family.Shifts
            : s_multiplyDivide.Contains(mnemonic) ? Family.MultiplyDivide
            : s_bits.Contains(mnemonic) ? Family.Bits
            : s_arithmetic.Contains(mnemonic) ? Family.Arithmetic
            : Family.Moves;
    }

    private static IEnumerable<OpCodeOperandKind> Kinds(OpCodeInfo info) => Enumerable.Range(0, info.OpCount).Select(info.GetOpKind);
}
