using System;
using System.Runtime.CompilerServices;
using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;
using VirtShell.Cpu.Numerics;

namespace VirtShell.Cpu.Instructions.X87;

/// <summary>FXSAVE and FXRSTOR, and the parts of the legacy region that XSAVE shares with them (Intel SDM vol. 1, 10.5).</summary>
internal static unsafe class FxsaveHandlers
{
    private interface IWide
    {
        static abstract bool Value { get; }
    }

    public static void Register()
    {
        HandlerTable.Add(Code.Fxsave_m512byte, null, &Save<Narrow, Flat>, &Save<Narrow, General>);
        HandlerTable.Add(Code.Fxsave64_m512byte, null, &Save<Wide, Flat>, &Save<Wide, General>);
        HandlerTable.Add(Code.Fxrstor_m512byte, null, &Restore<Narrow, Flat>, &Restore<Narrow, General>);
        HandlerTable.Add(Code.Fxrstor64_m512byte, null, &Restore<Wide, Flat>, &Restore<Wide, General>);
    }

    /// <summary>XMM registers that the mode can name: 16 in 64-bit mode, 8 elsewhere.</summary>
    public static int VectorCount(CpuState* s) => s->CodeSize == 64 ? 16 : 8;

    /// <summary>Writes the x87 component: 24 bytes of environment at 0 and the registers at 32.</summary>
    public static void WriteX87(CpuState* s, byte* area, bool wide)
    {
        *(ushort*)(area + XsaveArea.Control) = s->Fcw;
        *(ushort*)(area + XsaveArea.Status) = s->Fsw;
        *(ushort*)(area + XsaveArea.Tags) = (byte)s->FpuValid;
        *(ushort*)(area + XsaveArea.Opcode) = s->Fop;
        *(ulong*)(area + XsaveArea.InstructionPointer) = wide ? s->Fip : (uint)s->Fip | ((ulong)s->Fcs << 32);
        *(ulong*)(area + XsaveArea.DataPointer) = wide ? s->Fdp : (uint)s->Fdp | ((ulong)s->Fds << 32);
        for (int i = 0; i < 8; i++)
        {
            Float80* register = Fpu.St(s, i);
            ulong* slot = (ulong*)(area + XsaveArea.St0 + (i * 16));
            slot[0] = register->Significand;
            slot[1] = register->SignExponent;
        }
    }

    /// <summary>Loads the x87 component.</summary>
    public static void ReadX87(CpuState* s, byte* area, bool wide)
    {
        Fpu.SetStatus(s, *(ushort*)(area + XsaveArea.Status));
        s->FpuValid = area[XsaveArea.Tags];
        s->Fop = (ushort)(*(ushort*)(area + XsaveArea.Opcode) & 0x7FF);
        ulong instruction = *(ulong*)(area + XsaveArea.InstructionPointer);
        ulong data = *(ulong*)(area + XsaveArea.DataPointer);
        s->Fip = wide ? instruction : (uint)instruction;
        s->Fdp = wide ? data : (uint)data;
        s->Fcs = wide ? (ushort)0 : (ushort)(instruction >> 32);
        s->Fds = wide ? (ushort)0 : (ushort)(data >> 32);
        for (int i = 0; i < 8; i++)
        {
            byte* slot = area + XsaveArea.St0 + (i * 16);
            Fpu.Put(s, i, new Float80(*(ushort*)(slot + 8), *(ulong*)slot));
        }

        Fpu.SetControl(s, *(ushort*)(area + XsaveArea.Control));
    }

    public static void WriteXmm(CpuState* s, byte* area)
    {
        int count = VectorCount(s);
        for (int i = 0; i < count; i++)
        {
            Unsafe.CopyBlockUnaligned(area + XsaveArea.Xmm0 + (i * 16), CpuState.Vector(s, i), 16);
        }
    }

    public static void ReadXmm(CpuState* s, byte* area)
    {
        int count = VectorCount(s);
        for (int i = 0; i < count; i++)
        {
            Unsafe.CopyBlockUnaligned(CpuState.Vector(s, i), area + XsaveArea.Xmm0 + (i * 16), 16);
        }
    }

    public static void WriteMxcsr(CpuState* s, byte* area)
    {
        *(uint*)(area + XsaveArea.Mxcsr) = s->Mxcsr;
        *(uint*)(area + XsaveArea.MxcsrMask) = XsaveArea.MxcsrWritable;
    }

    private static Op* Save<TWide, TA>(CpuState* s, Op* o)
        where TWide : struct, IWide
        where TA : struct, IAddressing
    {
        Fpu.EnterNoWait(s);
        ulong linear = Aligned(s, TA.Write(s, o, XsaveArea.LegacySize), 16);
        byte* area = stackalloc byte[XsaveArea.LegacySize];
        WriteX87(s, area, TWide.Value);
        WriteMxcsr(s, area);
        WriteXmm(s, area);
        Mem.WriteBytes(s, linear, new ReadOnlySpan<byte>(area, XsaveArea.Xmm0 + (VectorCount(s) * 16)));
        return o + 1;
    }

    private static Op* Restore<TWide, TA>(CpuState* s, Op* o)
        where TWide : struct, IWide
        where TA : struct, IAddressing
    {
        Fpu.EnterNoWait(s);
        ulong linear = Aligned(s, TA.Read(s, o, XsaveArea.LegacySize), 16);
        byte* area = stackalloc byte[XsaveArea.LegacySize];
        Mem.ReadBytes(s, linear, new Span<byte>(area, XsaveArea.LegacySize));
        uint mxcsr = *(uint*)(area + XsaveArea.Mxcsr);
        if ((mxcsr & ~XsaveArea.MxcsrWritable) != 0)
        {
            Fault.GeneralProtection(s);
        }

        ReadX87(s, area, TWide.Value);
        s->Mxcsr = mxcsr;
        ReadXmm(s, area);
        return o + 1;
    }

    /// <summary>#GP(0) for a misaligned area.</summary>
    public static ulong Aligned(CpuState* s, ulong linear, int alignment)
    {
        if ((linear & (ulong)(alignment - 1)) != 0)
        {
            Fault.GeneralProtection(s);
        }

        return linear;
    }

    private struct Narrow : IWide
    {
        public static bool Value => false;
    }

    private struct Wide : IWide
    {
        public static bool Value => true;
    }
}
