using System.Collections.Generic;
using System.Globalization;

namespace VirtShell.Cpu;

/// <summary>Register dumps.</summary>
public sealed unsafe partial class Vcpu
{
    private static readonly string[] s_names64 =
        ["RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"];

    private static readonly string[] s_names32 = ["EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI"];

    /// <summary>The registers now. Changes nothing; between runs or from a bus callback.</summary>
    public VcpuSnapshot CaptureRegisters()
    {
        CpuState* s = _s;
        bool wide = LongActive;
        List<KeyValuePair<string, ulong>> list = [];
        string[] names = wide ? s_names64 : s_names32;
        for (int i = 0; i < names.Length; i++)
        {
            list.Add(new(names[i], wide ? s->Gpr[i] : (uint)s->Gpr[i]));
        }

        ulong rip = s->CurrentOp != null ? Execution.Flow.RipOf(s, s->CurrentOp) : s->Rip;
        list.Add(new(wide ? "RIP" : "EIP", rip));
        list.Add(new(wide ? "RFLAGS" : "EFLAGS", Flags.Get(s)));
        for (int i = 0; i < SegmentIndex.Count; i++)
        {
            if (s_segmentNames[i] is string name)
            {
                list.Add(new(name.ToUpperInvariant(), CpuState.Segment(s, i)->Selector));
            }
        }

        list.Add(new("FS.BASE", s->Fs.Base));
        list.Add(new("GS.BASE", s->Gs.Base));
        list.Add(new("CR0", s->Cr0));
        list.Add(new("CR2", s->Cr2));
        list.Add(new("CR3", s->Cr3));
        list.Add(new("CR4", s->Cr4));
        list.Add(new("EFER", s->Efer));
        list.Add(new("GDTR", s->GdtBase));
        list.Add(new("IDTR", s->IdtBase));
        list.Add(new("DR6", s->Dr[6]));
        list.Add(new("DR7", s->Dr[7]));
        ulong linearRip = (s->Cs.Base + rip) & s->LinearMask;
        ulong linearSp = s->CodeSize == 64 ? s->Gpr[4] : (s->Ss.Base + (s->Gpr[4] & s->StackMask)) & s->LinearMask;
        return new VcpuSnapshot(DescribeMode(), s->CodeSize, linearRip, linearSp, s->Cr2, list);
    }

    private string DescribeMode()
    {
        CpuState* s = _s;
        bool paging = (s->Cr0 & ControlBits.Cr0Paging) != 0;
        string name = (s->Cr0 & ControlBits.Cr0Protection) == 0 ? "real mode"
            : s->Virtual8086 != 0 ? "virtual-8086"
            : s->CodeSize == 64 ? "64-bit"
            : LongActive ? string.Create(CultureInfo.InvariantCulture, $"{s->CodeSize}-bit compatibility")
            : string.Create(CultureInfo.InvariantCulture, $"{s->CodeSize}-bit protected");
        string state = s->IsShutdown != 0 ? ", shut down" : s->Halted != 0 ? ", halted" : string.Empty;
        return string.Create(CultureInfo.InvariantCulture, $"{name}, CPL {s->Cpl}, paging {(paging ? "on" : "off")}{state}");
    }
}
