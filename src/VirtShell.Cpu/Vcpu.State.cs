using System;
using System.Runtime.InteropServices;
using VirtShell.Cpu.Instructions.X87;
using VirtShell.State;

namespace VirtShell.Cpu;

/// <summary>Saving and restoring the processor: every architectural register and what waits for a boundary; caches are rebuilt.</summary>
public sealed unsafe partial class Vcpu
{
    private const int StateVersion = 1;
    private const int VectorBytes = 16 * 32;
    private const int X87Bytes = 16 * sizeof(ulong);

    private static readonly string[] SegmentNames = ["es", "cs", "ss", "ds", "fs", "gs", null!, null!, null!, "ldtr", "tr"];

    /// <summary>Writes the processor's state into the open section. Between runs only.</summary>
    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        CpuState* s = _s;
        writer.Write("retired", InstructionsRetired);
        writer.Write("gpr", new ReadOnlySpan<byte>(s->Gpr, 16 * sizeof(ulong)));
        writer.Write("rip", s->Rip);
        writer.Write("rflags", CurrentFlags());
        writer.Write("cpl", s->Cpl);
        writer.Write("halted", s->Halted != 0);
        writer.Write("shutdown", s->IsShutdown != 0);
        writer.Write("a20", Mmu.A20Mask == ulong.MaxValue);
        SaveEvents(writer);
        SaveControl(writer);
        SaveSegments(writer);
        SaveMsrs(writer);
        SaveFloatingPoint(writer);
    }

    /// <summary>Restores what <see cref="Save"/> wrote.</summary>
    /// <exception cref="StateFormatException">The section is damaged.</exception>
    public void Load(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        Reset();
        CpuState* s = _s;
        s->RunEnd = reader.ReadInt64("retired");
        s->Budget = 0;
        s->CurrentOp = null;
        reader.ReadBytes("gpr", new Span<byte>(s->Gpr, 16 * sizeof(ulong)));
        s->Rip = reader.ReadUInt64("rip", s->Rip);
        uint flags = reader.ReadUInt32("rflags", Flags.Fixed);
        s->FlagsRest = Flags.Fixed;
        Flags.Set(s, flags, uint.MaxValue);
        s->Cpl = reader.ReadUInt32("cpl") & 3;
        s->Halted = reader.ReadBoolean("halted") ? 1 : 0;
        s->IsShutdown = reader.ReadBoolean("shutdown") ? 1 : 0;
        LoadEvents(reader);
        LoadControl(reader);
        LoadSegments(reader);
        LoadMsrs(reader);
        LoadFloatingPoint(reader);
        Mmu.SetA20(reader.ReadBoolean("a20", true));
        DropCaches();
        Mmu.SwitchPcid((s->Cr4 & ControlBits.Cr4Pcide) != 0 ? s->Cr3 & 0xFFF : 0, flush: true);
        UpdateSegmentBases();
        UpdateBreakpoints();
    }

    private void SaveEvents(StateWriter writer)
    {
        CpuState* s = _s;
        writer.Write("pending", (uint)(s->Pending & ~PendingEvents.StopRequested));
        writer.Write("pendingDebug", _pendingDebug);
        writer.Write("nmiBlocked", _nmiBlocked);
        writer.Write("shadowAt", s->ShadowAt);
        writer.Write("debugShadowAt", s->DebugShadowAt);
        writer.Write("resumeAt", _resumeAt);
        writer.Write("repeatAt", _s->RepeatAt);
        writer.Write("random", _randomState);
    }

    private void LoadEvents(StateReader reader)
    {
        CpuState* s = _s;
        const PendingEvents Known = PendingEvents.Interrupt | PendingEvents.Nmi | PendingEvents.DebugTrap;
        s->Pending = (PendingEvents)reader.ReadUInt32("pending") & Known;
        _pendingDebug = reader.ReadUInt64("pendingDebug");
        _nmiBlocked = reader.ReadBoolean("nmiBlocked");
        s->ShadowAt = reader.ReadInt64("shadowAt", -1);
        s->DebugShadowAt = reader.ReadInt64("debugShadowAt", -1);
        _resumeAt = reader.ReadInt64("resumeAt", -1);
        _s->RepeatAt = reader.ReadInt64("repeatAt", -1);
        _randomState = reader.ReadUInt64("random", Seed);
    }

    private void SaveControl(StateWriter writer)
    {
        CpuState* s = _s;
        writer.Write("cr0", s->Cr0);
        writer.Write("cr2", s->Cr2);
        writer.Write("cr3", s->Cr3);
        writer.Write("cr4", s->Cr4);
        writer.Write("efer", s->Efer);
        writer.Write("pdptes", MemoryMarshal.AsBytes(Pdptes.AsSpan()));
        writer.Write("dr", new ReadOnlySpan<byte>(s->Dr, 8 * sizeof(ulong)));
        writer.Write("gdtBase", s->GdtBase);
        writer.Write("gdtLimit", s->GdtLimit);
        writer.Write("idtBase", s->IdtBase);
        writer.Write("idtLimit", s->IdtLimit);
    }

    private void LoadControl(StateReader reader)
    {
        CpuState* s = _s;
        s->Cr0 = reader.ReadUInt64("cr0", s->Cr0);
        s->Cr2 = reader.ReadUInt64("cr2");
        s->Cr3 = reader.ReadUInt64("cr3");
        s->Cr4 = reader.ReadUInt64("cr4");
        s->Efer = reader.ReadUInt64("efer");
        reader.ReadBytes("pdptes", MemoryMarshal.AsBytes(Pdptes.AsSpan()));
        reader.ReadBytes("dr", new Span<byte>(s->Dr, 8 * sizeof(ulong)));
        s->GdtBase = reader.ReadUInt64("gdtBase");
        s->GdtLimit = reader.ReadUInt32("gdtLimit", 0xFFFF);
        s->IdtBase = reader.ReadUInt64("idtBase");
        s->IdtLimit = reader.ReadUInt32("idtLimit", 0xFFFF);
    }

    private void SaveSegments(StateWriter writer)
    {
        for (int i = 0; i < SegmentIndex.Count; i++)
        {
            if (SegmentNames[i] is not string name)
            {
                continue;
            }

            SegmentRegister* segment = CpuState.Segment(_s, i);
            using (writer.Section(name, 1))
            {
                writer.Write("selector", (uint)segment->Selector);
                writer.Write("base", segment->Base);
                writer.Write("limit", segment->Limit);
                writer.Write("attributes", segment->Attributes);
            }
        }
    }

    private void LoadSegments(StateReader reader)
    {
        for (int i = 0; i < SegmentIndex.Count; i++)
        {
            if (SegmentNames[i] is string name && reader.TrySection(name, 1) is StateReader section)
            {
                SetSegment(i, section.ReadUInt16("selector"), section.ReadUInt64("base"), section.ReadUInt32("limit"), section.ReadUInt32("attributes"));
            }
        }
    }

    private void SaveMsrs(StateWriter writer)
    {
        CpuState* s = _s;
        using (writer.Section("msrs", 1))
        {
            writer.Write("star", s->MsrStar);
            writer.Write("lstar", s->MsrLstar);
            writer.Write("cstar", s->MsrCstar);
            writer.Write("fmask", s->MsrFmask);
            writer.Write("kernelGsBase", s->MsrKernelGsBase);
            writer.Write("sysenterCs", s->MsrSysenterCs);
            writer.Write("sysenterEsp", s->MsrSysenterEsp);
            writer.Write("sysenterEip", s->MsrSysenterEip);
            writer.Write("tscAux", s->MsrTscAux);
            writer.Write("pat", s->MsrPat);
            writer.Write("tscOffset", s->TscOffset);
            writer.Write("tscAdjust", s->TscAdjust);
            writer.Write("mtrrVariable", MemoryMarshal.AsBytes(_mtrrVariable.AsSpan()));
            writer.Write("mtrrFixed", MemoryMarshal.AsBytes(_mtrrFixed.AsSpan()));
            writer.Write("mtrrDefType", _mtrrDefType);
            writer.Write("miscEnable", _miscEnable);
            writer.Write("mcgStatus", _mcgStatus);
            writer.Write("specCtrl", _specCtrl);
        }
    }

    private void LoadMsrs(StateReader reader)
    {
        if (reader.TrySection("msrs", 1) is not StateReader section)
        {
            return;
        }

        CpuState* s = _s;
        s->MsrStar = section.ReadUInt64("star");
        s->MsrLstar = section.ReadUInt64("lstar");
        s->MsrCstar = section.ReadUInt64("cstar");
        s->MsrFmask = section.ReadUInt64("fmask");
        s->MsrKernelGsBase = section.ReadUInt64("kernelGsBase");
        s->MsrSysenterCs = section.ReadUInt64("sysenterCs");
        s->MsrSysenterEsp = section.ReadUInt64("sysenterEsp");
        s->MsrSysenterEip = section.ReadUInt64("sysenterEip");
        s->MsrTscAux = section.ReadUInt64("tscAux");
        s->MsrPat = section.ReadUInt64("pat", s->MsrPat);
        s->TscOffset = section.ReadUInt64("tscOffset");
        s->TscAdjust = section.ReadUInt64("tscAdjust");
        section.ReadBytes("mtrrVariable", MemoryMarshal.AsBytes(_mtrrVariable.AsSpan()));
        section.ReadBytes("mtrrFixed", MemoryMarshal.AsBytes(_mtrrFixed.AsSpan()));
        _mtrrDefType = section.ReadUInt64("mtrrDefType");
        _miscEnable = section.ReadUInt64("miscEnable", MiscEnableReset);
        _mcgStatus = section.ReadUInt64("mcgStatus");
        _specCtrl = section.ReadUInt64("specCtrl") & SpecCtrlBits;
    }

    private void SaveFloatingPoint(StateWriter writer)
    {
        CpuState* s = _s;
        using (writer.Section("fpu", 1))
        {
            writer.Write("fcw", (uint)s->Fcw);
            writer.Write("fsw", (uint)s->Fsw);
            writer.Write("valid", (uint)s->FpuValid);
            writer.Write("fop", (uint)s->Fop);
            writer.Write("fcs", (uint)s->Fcs);
            writer.Write("fds", (uint)s->Fds);
            writer.Write("fip", s->Fip);
            writer.Write("fdp", s->Fdp);
            writer.Write("mxcsr", s->Mxcsr);
            writer.Write("xcr0", s->Xcr0);
            writer.Write("xInUse", s->XInUse);
            writer.Write("registers", new ReadOnlySpan<byte>(s->Fpr, X87Bytes));
            writer.Write("vectors", new ReadOnlySpan<byte>(CpuState.Vector(s, 0), VectorBytes));
        }
    }

    private void LoadFloatingPoint(StateReader reader)
    {
        if (reader.TrySection("fpu", 1) is not StateReader section)
        {
            return;
        }

        CpuState* s = _s;
        s->Fcw = section.ReadUInt16("fcw", 0x40);
        s->Fsw = section.ReadUInt16("fsw");
        s->FpuValid = section.ReadUInt16("valid");
        s->Fop = section.ReadUInt16("fop");
        s->Fcs = section.ReadUInt16("fcs");
        s->Fds = section.ReadUInt16("fds");
        s->Fip = section.ReadUInt64("fip");
        s->Fdp = section.ReadUInt64("fdp");
        s->Mxcsr = section.ReadUInt32("mxcsr", 0x1F80) & XsaveArea.MxcsrWritable;
        s->Xcr0 = section.ReadUInt64("xcr0", 1) & 7;
        s->XInUse = section.ReadUInt64("xInUse");
        section.ReadBytes("registers", new Span<byte>(s->Fpr, X87Bytes));
        section.ReadBytes("vectors", new Span<byte>(CpuState.Vector(s, 0), VectorBytes));
    }
}
