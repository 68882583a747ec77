using System.Collections.Generic;
using System.Globalization;
using VirtShell.Cpu;

namespace VirtShell.Host.Crash;

/// <summary>Reads a stopped processor for a crash report.</summary>
/// <remarks>Unsafe code is sound here because the state belongs to a machine that the caller holds stopped, and is only read.</remarks>
internal static unsafe class ProcessorView
{
    private static readonly string[] s_names64 = ["RAX", "RBX", "RCX", "RDX", "RSI", "RDI", "RBP", "RSP", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"];
    private static readonly int[] s_numbers = [0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15];

    public static GuestView Of(VirtShell.Machine.Pc machine)
    {
        CpuState* s = machine.Cpu.State;

        // Inside an instruction (our own engine failed there) RIP is that of the running operation.
        ulong rip = s->CurrentOp == null ? s->Rip : s->RipBase + s->CurrentOp->PageOffset;
        return new GuestView
        {
            Registers = Registers(s, rip),
            Mode = Mode(s),
            CodeSize = s->CodeSize,
            InstructionPointer = (s->Cs.Base + rip) & s->LinearMask,
            StackPointer = ((s->CodeSize == 64 ? 0 : s->Ss.Base) + (s->Gpr[4] & s->StackMask)) & s->LinearMask,
            Memory = machine.Memory,
            Translate = machine.Cpu.TryTranslateDebug,
        };
    }

    private static List<KeyValuePair<string, ulong>> Registers(CpuState* s, ulong rip)
    {
        List<KeyValuePair<string, ulong>> all = [];
        void Add(string name, ulong value) => all.Add(KeyValuePair.Create(name, value));

        bool isLong = (s->Efer & ControlBits.EferLongActive) != 0;
        for (int i = 0; i < (isLong ? 16 : 8); i++)
        {
            Add(isLong ? s_names64[i] : "E" + s_names64[i][1..], s->Gpr[s_numbers[i]]);
        }

        Add(isLong ? "RIP" : "EIP", rip);
        Add(isLong ? "RFLAGS" : "EFLAGS", Flags.Get(s));
        Add("CR0", s->Cr0);
        Add("CR2", s->Cr2);
        Add("CR3", s->Cr3);
        Add("CR4", s->Cr4);
        Add("EFER", s->Efer);
        Add("CS", s->Cs.Selector);
        Add("SS", s->Ss.Selector);
        Add("DS", s->Ds.Selector);
        Add("ES", s->Es.Selector);
        Add("FS", s->Fs.Selector);
        Add("GS", s->Gs.Selector);
        Add("FSbase", s->Fs.Base);
        Add("GSbase", s->Gs.Base);
        Add("TR", s->Tr.Selector);
        Add("LDTR", s->Ldtr.Selector);
        Add("GDT", s->GdtBase);
        Add("IDT", s->IdtBase);
        Add("IDTlim", s->IdtLimit);
        return all;
    }

    private static string Mode(CpuState* s)
    {
        bool isProtected = (s->Cr0 & ControlBits.Cr0Protection) != 0;
        bool isLong = (s->Efer & ControlBits.EferLongActive) != 0;
        string kind = !isProtected ? "real mode"
            : s->Virtual8086 != 0 ? "virtual-8086 mode"
            : s->CodeSize == 64 ? "64-bit mode"
            : isLong ? string.Create(CultureInfo.InvariantCulture, $"compatibility mode, {s->CodeSize}-bit code")
            : string.Create(CultureInfo.InvariantCulture, $"protected mode, {s->CodeSize}-bit code");
        string paging = (s->Cr0 & ControlBits.Cr0Paging) == 0 ? "paging off"
            : isLong ? "4-level paging"
            : (s->Cr4 & ControlBits.Cr4Pae) != 0 ? "PAE paging" : "32-bit paging";
        string interrupts = (Flags.Get(s) & Flags.Interrupt) != 0 ? "interrupts on" : "interrupts off";
        string halted = s->IsShutdown != 0 ? ", shut down" : s->Halted != 0 ? ", halted" : string.Empty;
        return string.Create(CultureInfo.InvariantCulture, $"{kind}, CPL {s->Cpl}, {paging}, {interrupts}{halted}");
    }
}
