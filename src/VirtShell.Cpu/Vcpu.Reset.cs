using System;
using System.Runtime.InteropServices;

namespace VirtShell.Cpu;

/// <summary>Reset state and the entry states of direct boot.</summary>
public sealed unsafe partial class Vcpu
{
    private const int Rdx = 2;

    /// <summary>The four PAE page-directory-pointer entries, loaded with CR3 (SDM Vol. 3A §4.4.1).</summary>
    internal ulong[] Pdptes { get; } = new ulong[4];

    /// <summary>The RESET (or INIT) state: real mode at F000:FFF0 (SDM Vol. 3A table 9-1).</summary>
    public void Reset(bool init = false)
    {
        CpuState* s = _s;
        for (int i = 0; i < 16; i++)
        {
            s->Gpr[i] = 0;
        }

        s->Gpr[Rdx] = CpuFeatures.Signature(Model);
        s->Rip = 0xFFF0;
        s->FlagsRest = Flags.Fixed;
        Flags.SetStatus(s, 0);
        s->Cpl = 0;
        s->Halted = 0;
        s->IsShutdown = 0;
        s->ShadowAt = -1;
        s->DebugShadowAt = -1;
        s->Pending &= PendingEvents.StopRequested;
        s->Cr0 = init ? (s->Cr0 & (ControlBits.Cr0CacheDisable | ControlBits.Cr0NotWriteThrough)) | ControlBits.Cr0ExtensionType : 0x6000_0010;
        s->Cr2 = 0;
        s->Cr3 = 0;
        s->Cr4 = 0;
        s->Efer = 0;
        s->Dr[0] = s->Dr[1] = s->Dr[2] = s->Dr[3] = 0;
        s->Dr[6] = 0xFFFF_0FF0;
        s->Dr[7] = 0x400;
        s->GdtBase = s->IdtBase = 0;
        s->GdtLimit = s->IdtLimit = 0xFFFF;
        const uint Data = SegmentRegister.Present | SegmentRegister.CodeOrData | SegmentRegister.WritableOrReadable | SegmentRegister.Accessed;
        for (int i = 0; i < 6; i++)
        {
            SetSegment(i, 0, 0, 0xFFFF, Data);
        }

        SetSegment(SegmentIndex.Cs, 0xF000, 0xFFFF_0000, 0xFFFF, Data);
        SetSegment(SegmentIndex.Ldtr, 0, 0, 0xFFFF, SegmentRegister.Present | 2);
        SetSegment(SegmentIndex.Tr, 0, 0, 0xFFFF, SegmentRegister.Present | 0xB);
        SetFlatViews();
        if (!init)
        {
            s->Fcw = 0x40;
            s->Fsw = 0;
            s->FpuValid = 0xFF;
            s->Mxcsr = 0x1F80;
            s->Xcr0 = 1;
            s->MsrPat = 0x0007_0406_0007_0406;
            s->MsrStar = s->MsrLstar = s->MsrCstar = s->MsrFmask = s->MsrKernelGsBase = 0;
            s->MsrSysenterCs = s->MsrSysenterEsp = s->MsrSysenterEip = s->MsrTscAux = 0;
            s->TscOffset = s->TscAdjust = 0;
            s->XInUse = 0;
            NativeMemory.Clear(CpuState.Vector(s, 0), 16 * 32);
            Array.Clear(_mtrrVariable);
            Array.Clear(_mtrrFixed);
            _mtrrDefType = 0;
            _miscEnable = MiscEnableReset;
            _mcgStatus = 0;
            _specCtrl = 0;
        }

        _nmiBlocked = false;
        _pendingDebug = 0;
        _resumeAt = -1;
        _s->RepeatAt = -1;
        Mmu.FlushAll();
        Mmu.SwitchPcid(0, flush: true);
        UpdateBreakpoints();
    }

    /// <summary>After an INIT, what a start-up message asks for: real mode at the beginning of page <paramref name="vector"/> (SDM Vol. 3A §9.4.4.2).</summary>
    public void StartUp(byte vector)
    {
        SegmentRegister* code = CpuState.Segment(_s, SegmentIndex.Cs);
        SetSegment(SegmentIndex.Cs, (ushort)(vector << 8), (ulong)vector << 12, code->Limit, code->Attributes);
        _s->Rip = 0;
        UpdateMode();
    }

    /// <summary>Puts the processor into flat 32-bit protected mode, paging off, interrupts off, at <paramref name="eip"/>: CS, and DS ES FS GS SS as given, base 0, limit 4 GiB; TR holds a task state segment of 104 bytes, as PVH asks. For direct boot.</summary>
    public void EnterFlat32(uint eip, ushort codeSelector, ushort dataSelector, ulong gdtBase, ushort gdtLimit)
    {
        Reset();
        CpuState* s = _s;
        s->Cr0 = ControlBits.Cr0Protection | ControlBits.Cr0ExtensionType;
        EnterFlat(codeSelector, dataSelector, gdtBase, gdtLimit, SegmentRegister.Big);
        SetSegment(SegmentIndex.Tr, 0, 0, 0x67, SegmentRegister.Present | 0xB);
        SetFirmwareMtrrs();
        s->Rip = eip;
        UpdateMode();
    }

    /// <summary>Puts the processor into 64-bit mode with paging by <paramref name="cr3"/>, interrupts off, at <paramref name="rip"/>. For direct boot.</summary>
    public void EnterLong64(ulong rip, ulong cr3, ushort codeSelector, ushort dataSelector, ulong gdtBase, ushort gdtLimit)
    {
        Reset();
        CpuState* s = _s;
        s->Cr0 = ControlBits.Cr0Protection | ControlBits.Cr0ExtensionType | ControlBits.Cr0Paging;
        s->Cr3 = cr3;
        s->Cr4 = ControlBits.Cr4Pae;
        s->Efer = ControlBits.EferLongEnable | ControlBits.EferLongActive;
        EnterFlat(codeSelector, dataSelector, gdtBase, gdtLimit, SegmentRegister.Long);
        SetFirmwareMtrrs();
        s->Rip = rip;
        UpdateMode();
    }

    /// <summary>Puts the processor into real mode, interrupts off, at <paramref name="codeSegment"/>:<paramref name="ip"/>, with every other segment register as given. For direct boot.</summary>
    public void EnterReal16(ushort codeSegment, ushort ip, ushort dataSegment)
    {
        Reset();
        CpuState* s = _s;
        s->Cr0 = ControlBits.Cr0ExtensionType;
        s->IdtLimit = 0x3FF;
        const uint Data = SegmentRegister.Present | SegmentRegister.CodeOrData | SegmentRegister.WritableOrReadable | SegmentRegister.Accessed;
        SetSegment(SegmentIndex.Cs, codeSegment, (ulong)codeSegment << 4, 0xFFFF, Data);
        foreach (int index in new[] { SegmentIndex.Ds, SegmentIndex.Es, SegmentIndex.Fs, SegmentIndex.Gs, SegmentIndex.Ss })
        {
            SetSegment(index, dataSegment, (ulong)dataSegment << 4, 0xFFFF, Data);
        }

        SetFirmwareMtrrs();
        s->Rip = ip;
        UpdateMode();
    }

    /// <summary>Sets a segment register and its cached descriptor as given, without checks.</summary>
    internal void SetSegment(int index, ushort selector, ulong segmentBase, uint limit, uint attributes)
    {
        SegmentRegister* segment = CpuState.Segment(_s, index);
        segment->Selector = selector;
        segment->Base = segmentBase;
        segment->Limit = limit;
        segment->Attributes = attributes;
        segment->UpdateEnds();
        UpdateSegmentBases();
    }

    private void EnterFlat(ushort codeSelector, ushort dataSelector, ulong gdtBase, ushort gdtLimit, uint codeSize)
    {
        const uint Flat = SegmentRegister.Present | SegmentRegister.CodeOrData | SegmentRegister.WritableOrReadable | SegmentRegister.Accessed | SegmentRegister.Granularity;
        _s->GdtBase = gdtBase;
        _s->GdtLimit = gdtLimit;
        SetSegment(SegmentIndex.Cs, codeSelector, 0, uint.MaxValue, Flat | SegmentRegister.Executable | codeSize);
        foreach (int index in new[] { SegmentIndex.Ds, SegmentIndex.Es, SegmentIndex.Fs, SegmentIndex.Gs, SegmentIndex.Ss })
        {
            SetSegment(index, dataSelector, 0, uint.MaxValue, Flat | SegmentRegister.Big);
        }
    }

    private void SetFlatViews()
    {
        foreach (int index in new[] { SegmentIndex.Fs64, SegmentIndex.Gs64, SegmentIndex.Flat })
        {
            SegmentRegister* view = CpuState.Segment(_s, index);
            view->Base = 0;
            view->ReadEnd = ulong.MaxValue;
            view->WriteEnd = ulong.MaxValue;
            view->Attributes = SegmentRegister.Present | SegmentRegister.CodeOrData | SegmentRegister.WritableOrReadable;
            view->Limit = uint.MaxValue;
        }

        UpdateSegmentBases();
    }
}
