using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;

namespace VirtShell.Cpu.Instructions.Privileged;

/// <summary>CPUID, RDMSR, WRMSR, RDTSC, RDTSCP, RDPID, RDPMC, RDRAND, RDSEED, CLFLUSH, SERIALIZE, and the reserved NOPs.</summary>
internal static unsafe class InformationHandlers
{
    public static void Register()
    {
        HandlerTable.Add(Code.Cpuid, &ReadCpuid);
        HandlerTable.Add(Code.Rdmsr, &Rdmsr);
        HandlerTable.Add(Code.Wrmsr, &Wrmsr);
        HandlerTable.Add(Code.Rdtsc, &Rdtsc);
        HandlerTable.Add(Code.Rdtscp, &Rdtscp);
        HandlerTable.Add(Code.Rdpid_r32, &Rdpid);
        HandlerTable.Add(Code.Rdpid_r64, &Rdpid);
        HandlerTable.Add(Code.Rdpmc, &Rdpmc);
        HandlerTable.Add(Code.Rdrand_r16, &Random<W16>);
        HandlerTable.Add(Code.Rdrand_r32, &Random<W32>);
        HandlerTable.Add(Code.Rdrand_r64, &Random<W64>);
        HandlerTable.Add(Code.Rdseed_r16, &Random<W16>);
        HandlerTable.Add(Code.Rdseed_r32, &Random<W32>);
        HandlerTable.Add(Code.Rdseed_r64, &Random<W64>);
        HandlerTable.Add(Code.Reservednop_rm16_r16_0F0D, &ReservedNop);
        HandlerTable.Add(Code.Reservednop_rm32_r32_0F0D, &ReservedNop);
        HandlerTable.Add(Code.Reservednop_rm64_r64_0F0D, &ReservedNop);
        AddNops(Code.Reservednop_rm16_r16_0F18, Code.Reservednop_rm64_r64_0F1F);
        AddNops(Code.Lfence_E9, Code.Lfence_EF);
        AddNops(Code.Mfence_F1, Code.Mfence_F7);
        AddNops(Code.Sfence_F9, Code.Sfence_FF);
        // Every instruction here completes before the next begins.
        AddNops(Code.Serialize, Code.Serialize);
        AddNops(Code.Prefetchreserved3_m8, Code.Prefetchreserved7_m8);
        HandlerTable.Add(Code.Clflush_m8, null, &FlushLine<Flat>, &FlushLine<General>);
        HandlerTable.Add(Code.Clflushopt_m8, null, &FlushLine<Flat>, &FlushLine<General>);
    }

    private static void AddNops(Code first, Code last)
    {
        for (Code code = first; code <= last; code++)
        {
            HandlerTable.Add(code, &ReservedNop);
        }
    }

    // Caches are not modelled, but CLFLUSH faults as a load of a byte does (SDM Vol. 2, CLFLUSH).
    private static Op* FlushLine<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        Memory.Mem.CheckRead(s, TA.Read(s, o, 1), 1);
        return o + 1;
    }

    // Hint encodings that no feature of ours gives a meaning, ENDBR among them: no access, no fault.
    private static Op* ReservedNop(CpuState* s, Op* o) => o + 1;

    private static Op* ReadCpuid(CpuState* s, Op* o)
    {
        Vcpu cpu = CpuState.Of(s);
        uint number = (uint)s->Gpr[0];
        CpuidLeaf leaf = Cpuid.Read(cpu.Model, number, (uint)s->Gpr[1], s->Xcr0);
        uint ebx = leaf.Ebx;
        uint ecx = leaf.Ecx;
        uint edx = leaf.Edx;
        if (number == Cpuid.FeaturesLeaf)
        {
            ebx |= (uint)cpu.ApicId << 24;
            ecx |= (s->Cr4 & ControlBits.Cr4Osxsave) != 0 ? Cpuid.OsXsaveBit : 0;
            edx = cpu.MaskApicFeature(edx);
        }
        else if (number == Cpuid.TopologyLeaf)
        {
            edx |= cpu.ApicId;
        }

        s->Gpr[0] = leaf.Eax;
        s->Gpr[3] = ebx;
        s->Gpr[1] = ecx;
        s->Gpr[2] = edx;
        return o + 1;
    }

    private static Op* Rdmsr(CpuState* s, Op* o)
    {
        Vcpu cpu = CpuState.Of(s);
        cpu.CheckSupervisor();
        if (!cpu.TryReadMsr((uint)s->Gpr[1], out ulong value))
        {
            Fault.GeneralProtection(s);
        }

        SetPair(s, value);
        return o + 1;
    }

    private static Op* Wrmsr(CpuState* s, Op* o)
    {
        Vcpu cpu = CpuState.Of(s);
        cpu.CheckSupervisor();
        ulong value = (uint)s->Gpr[0] | (s->Gpr[2] << 32);
        if (!cpu.TryWriteMsr((uint)s->Gpr[1], value))
        {
            Fault.GeneralProtection(s);
        }

        return Flow.ExitNext(s, o);
    }

    private static Op* Rdtsc(CpuState* s, Op* o)
    {
        CheckTimestamp(s);
        SetPair(s, CpuState.Of(s).TimestampCounter);
        return o + 1;
    }

    private static Op* Rdtscp(CpuState* s, Op* o)
    {
        CheckTimestamp(s);
        SetPair(s, CpuState.Of(s).TimestampCounter);
        s->Gpr[1] = (uint)s->MsrTscAux;
        return o + 1;
    }

    private static Op* Rdpid(CpuState* s, Op* o)
    {
        *(ulong*)((byte*)s + o->Dst) = (uint)s->MsrTscAux;
        return o + 1;
    }

    // No performance counter exists, so every number that CR4.PCE or CPL 0 lets through is out of range.
    private static Op* Rdpmc(CpuState* s, Op* o)
    {
        Fault.GeneralProtection(s);
        return o + 1;
    }

    private static Op* Random<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        TW.Set((byte*)s + o->Dst, CpuState.Of(s).NextRandom());
        Flags.SetStatus(s, Flags.Carry);
        return o + 1;
    }

    private static void CheckTimestamp(CpuState* s)
    {
        if (s->Cpl != 0 && (s->Cr4 & ControlBits.Cr4Tsd) != 0)
        {
            Fault.GeneralProtection(s);
        }
    }

    private static void SetPair(CpuState* s, ulong value)
    {
        s->Gpr[0] = (uint)value;
        s->Gpr[2] = value >> 32;
    }
}
