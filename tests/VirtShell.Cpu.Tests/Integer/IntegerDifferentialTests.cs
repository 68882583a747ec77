using System;
using System.Linq;
using Iced.Intel;
using VirtShell.Cpu.Instructions;
using VirtShell.Cpu.Tests.Native;
using Xunit;

namespace VirtShell.Cpu.Tests.Integer;

/// <summary>Every general-purpose instruction that runs unprivileged and in a straight line against the host's processor.</summary>
[Collection(nameof(DifferentialRunner))]
public sealed class IntegerDifferentialTests(DifferentialRunner runner)
{
    /// <summary>What depends on the machine around the processor, on its identity, or on the time.</summary>
    private static readonly string[] s_excluded =
    [
        "Rd", "Cpuid", "Sys", "Str_", "Sldt", "Smsw", "Sgdt", "Sidt", "Lar", "Lsl", "Verr", "Verw", "Xsave", "Xrstor", "Xgetbv", "Xsetbv",
        "Fx", "Wr", "Inv", "Cl", "Sti", "Stac", "Hlt", "Monitor", "Mwait", "Lgdt", "Lidt", "Lldt", "Ltr", "Lmsw", "Wbinvd", "In_", "Out_",
        "Insb", "Insw", "Insd", "Outs", "Int", "Ud", "Push", "Pop", "Enter", "Leave", "Swapgs", "Lss", "Lfs", "Lgs", "Emms", "Wait", "Pause", "Reservednop",
    ];

    public static TheoryData<string> Codes
    {
        get
        {
            var data = new TheoryData<string>();
            foreach (Code code in Enum.GetValues<Code>().Where(IsPlain))
            {
                data.Add(code.ToString());
            }

            return data;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Codes))]
    public void MatchesHost(string name) => runner.Compare(Enum.Parse<Code>(name), SoakCases.Count(96));

    private static bool IsPlain(Code code)
    {
        OpCodeInfo info = code.ToOpCode();
        string name = code.ToString();
        return HandlerTable.Has(code) && info.Mode64 && info.Encoding is EncodingKind.Legacy or EncodingKind.VEX && info.IsInstruction && !info.IsPrivileged
            && code.FlowControl() == FlowControl.Next && !DifferentialForms.IsVector(code) && !DifferentialForms.UsesMmx(code)
            && !code.CpuidFeatures().Any(f => f.ToString().StartsWith("FPU", StringComparison.Ordinal))
            && (name.StartsWith("Cld", StringComparison.Ordinal) || name.StartsWith("Clc", StringComparison.Ordinal) || !s_excluded.Any(e => name.StartsWith(e, StringComparison.Ordinal)))
            && DifferentialForms.IsEncodable(code);
    }
}
