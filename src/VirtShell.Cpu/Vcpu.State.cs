using System;
using VirtShell.Cpu.Instructions.X87;
using VirtShell.State;

namespace VirtShell.Cpu;

/// <summary>The processor as state: every architectural register and what waits for a boundary; caches are rebuilt.</summary>
public sealed unsafe partial class Vcpu : IStateful
{
    private const int VectorBytes = 16 * 32;
    private const int X87Words = 16;

    private static readonly string[] s_segmentNames = ["es", "cs", "ss", "ds", "fs", "gs", null!, null!, null!, "ldtr", "tr"];

    /// <summary>Between runs only. What is loaded goes on as if the processor had been reset and then brought where it was.</summary>
    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        CpuState* s = _s;
        long retired = InstructionsRetired;
        if (visitor.IsLoading)
        {
            Reset();
            _randomState = Seed;
            retired = 0;
        }

        visitor.Value("retired", ref retired);
        if (visitor.IsLoading)
        {
            s->RunEnd = retired;
            s->Budget = 0;
            s->CurrentOp = null;
        }

        visitor.Array("gpr", new Span<ulong>(s->Gpr, 16));
        visitor.Value("rip", ref s->Rip);
        uint flags = CurrentFlags();
        if (visitor.Value("rflags", ref flags))
        {
            s->FlagsRest = Flags.Fixed;
            Flags.Set(s, flags, uint.MaxValue);
        }

        visitor.Value("cpl", ref s->Cpl, 3);
        s->Halted = visitor.Value("halted", s->Halted != 0) ? 1 : 0;
        s->IsShutdown = visitor.Value("shutdown", s->IsShutdown != 0) ? 1 : 0;
        bool a20 = visitor.Value("a20", visitor.IsLoading || Mmu.A20Mask == ulong.MaxValue);
        DescribeEvents(visitor);
        DescribeControl(visitor);
        DescribeSegments(visitor);
        DescribeMsrs(visitor);
        DescribeFloatingPoint(visitor);
        if (visitor.IsLoading)
        {
            Mmu.SetA20(a20);
            DropCaches();
            Mmu.SwitchPcid((s->Cr4 & ControlBits.Cr4Pcide) != 0 ? s->Cr3 & 0xFFF : 0, flush: true);
            UpdateSegmentBases();
            UpdateBreakpoints();
        }
    }

    private void DescribeEvents(StateVisitor visitor)
    {
        CpuState* s = _s;
        const PendingEvents Saved = PendingEvents.Interrupt | PendingEvents.Nmi | PendingEvents.DebugTrap;
        uint pending = (uint)(s->Pending & Saved);
        if (visitor.Value("pending", ref pending, (uint)Saved))
        {
            s->Pending = (PendingEvents)pending;
        }

        visitor.Value("pendingDebug", ref _pendingDebug);
        visitor.Value("nmiBlocked", ref _nmiBlocked);
        visitor.Value("shadowAt", ref s->ShadowAt);
        visitor.Value("debugShadowAt", ref s->DebugShadowAt);
        visitor.Value("resumeAt", ref _resumeAt);
        visitor.Value("repeatAt", ref s->RepeatAt);
        visitor.Value("random", ref _randomState);
    }

    private void DescribeControl(StateVisitor visitor)
    {
        CpuState* s = _s;
        visitor.Value("cr0", ref s->Cr0);
        visitor.Value("cr2", ref s->Cr2);
        visitor.Value("cr3", ref s->Cr3);
        visitor.Value("cr4", ref s->Cr4);
        visitor.Value("efer", ref s->Efer);
        visitor.Array("pdptes", Pdptes.AsSpan());
        visitor.Array("dr", new Span<ulong>(s->Dr, 8));
        visitor.Value("gdtBase", ref s->GdtBase);
        visitor.Value("gdtLimit", ref s->GdtLimit);
        visitor.Value("idtBase", ref s->IdtBase);
        visitor.Value("idtLimit", ref s->IdtLimit);
    }

    private void DescribeSegments(StateVisitor visitor)
    {
        for (int i = 0; i < SegmentIndex.Count; i++)
        {
            if (s_segmentNames[i] is not string name)
            {
                continue;
            }

            SegmentRegister* segment = CpuState.Segment(_s, i);
            using StateScope section = visitor.Section(name);
            visitor.Value("selector", ref segment->Selector);
            visitor.Value("base", ref segment->Base);
            visitor.Value("limit", ref segment->Limit);
            visitor.Value("attributes", ref segment->Attributes);
            if (visitor.IsLoading)
            {
                SetSegment(i, segment->Selector, segment->Base, segment->Limit, segment->Attributes);
            }
        }
    }

    private void DescribeMsrs(StateVisitor visitor)
    {
        CpuState* s = _s;
        using StateScope section = visitor.Section("msrs");
        visitor.Value("star", ref s->MsrStar);
        visitor.Value("lstar", ref s->MsrLstar);
        visitor.Value("cstar", ref s->MsrCstar);
        visitor.Value("fmask", ref s->MsrFmask);
        visitor.Value("kernelGsBase", ref s->MsrKernelGsBase);
        visitor.Value("sysenterCs", ref s->MsrSysenterCs);
        visitor.Value("sysenterEsp", ref s->MsrSysenterEsp);
        visitor.Value("sysenterEip", ref s->MsrSysenterEip);
        visitor.Value("tscAux", ref s->MsrTscAux);
        visitor.Value("pat", ref s->MsrPat);
        visitor.Value("tscOffset", ref s->TscOffset);
        visitor.Value("tscAdjust", ref s->TscAdjust);
        visitor.Array("mtrrVariable", _mtrrVariable.AsSpan());
        visitor.Array("mtrrFixed", _mtrrFixed.AsSpan());
        visitor.Value("mtrrDefType", ref _mtrrDefType);
        visitor.Value("miscEnable", ref _miscEnable);
        visitor.Value("mcgStatus", ref _mcgStatus);
        visitor.Value("specCtrl", ref _specCtrl, SpecCtrlBits);
    }

    private void DescribeFloatingPoint(StateVisitor visitor)
    {
        CpuState* s = _s;
        using StateScope section = visitor.Section("fpu");
        visitor.Value("fcw", ref s->Fcw);
        visitor.Value("fsw", ref s->Fsw);
        visitor.Value("valid", ref s->FpuValid);
        visitor.Value("fop", ref s->Fop);
        visitor.Value("fcs", ref s->Fcs);
        visitor.Value("fds", ref s->Fds);
        visitor.Value("fip", ref s->Fip);
        visitor.Value("fdp", ref s->Fdp);
        visitor.Value("mxcsr", ref s->Mxcsr, XsaveArea.MxcsrWritable);
        visitor.Value("xcr0", ref s->Xcr0, 7);
        visitor.Value("xInUse", ref s->XInUse);
        visitor.Array("registers", new Span<ulong>(s->Fpr, X87Words));
        visitor.Array("vectors", new Span<byte>(CpuState.Vector(s, 0), VectorBytes));
    }
}
