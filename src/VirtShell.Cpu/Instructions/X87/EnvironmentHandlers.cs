using System;
using System.Buffers.Binary;
using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Memory;
using VirtShell.Cpu.Numerics;

namespace VirtShell.Cpu.Instructions.X87;

/// <summary>
/// FNSTENV, FLDENV, FNSAVE and FRSTOR in the four layouts that operand size and mode select (Intel SDM vol. 1, figures
/// 8-9 to 8-12): control, status and tag words, then the pointers, then ST(0) to ST(7).
/// </summary>
internal static unsafe class EnvironmentHandlers
{
    private const int Environment16 = 14;
    private const int Environment32 = 28;
    private const int RegisterBytes = 80;

    private interface IWide
    {
        static abstract bool Value { get; }
    }

    public static void Register()
    {
        HandlerTable.Add(Code.Fnstenv_m14byte, null, &StoreEnvironment<Narrow, Flat>, &StoreEnvironment<Narrow, General>);
        HandlerTable.Add(Code.Fnstenv_m28byte, null, &StoreEnvironment<Wide, Flat>, &StoreEnvironment<Wide, General>);
        HandlerTable.Add(Code.Fldenv_m14byte, null, &LoadEnvironment<Narrow, Flat>, &LoadEnvironment<Narrow, General>);
        HandlerTable.Add(Code.Fldenv_m28byte, null, &LoadEnvironment<Wide, Flat>, &LoadEnvironment<Wide, General>);
        HandlerTable.Add(Code.Fnsave_m94byte, null, &Save<Narrow, Flat>, &Save<Narrow, General>);
        HandlerTable.Add(Code.Fnsave_m108byte, null, &Save<Wide, Flat>, &Save<Wide, General>);
        HandlerTable.Add(Code.Frstor_m94byte, null, &Restore<Narrow, Flat>, &Restore<Narrow, General>);
        HandlerTable.Add(Code.Frstor_m108byte, null, &Restore<Wide, Flat>, &Restore<Wide, General>);
    }

    private static Op* StoreEnvironment<TWide, TA>(CpuState* s, Op* o)
        where TWide : struct, IWide
        where TA : struct, IAddressing
    {
        Fpu.EnterNoWait(s);
        int size = TWide.Value ? Environment32 : Environment16;
        byte* image = stackalloc byte[Environment32];
        WriteEnvironment(s, image, TWide.Value);
        Mem.WriteBytes(s, TA.Write(s, o, size), new ReadOnlySpan<byte>(image, size));

        // All exceptions are masked from here on, what is pending included.
        s->Fcw |= Fpu.ExceptionFlags;
        Fpu.Summarize(s);
        return o + 1;
    }

    private static Op* LoadEnvironment<TWide, TA>(CpuState* s, Op* o)
        where TWide : struct, IWide
        where TA : struct, IAddressing
    {
        Fpu.Enter(s);
        int size = TWide.Value ? Environment32 : Environment16;
        byte* image = stackalloc byte[Environment32];
        Mem.ReadBytes(s, TA.Read(s, o, size), new Span<byte>(image, size));
        ReadEnvironment(s, image, TWide.Value);
        return o + 1;
    }

    private static Op* Save<TWide, TA>(CpuState* s, Op* o)
        where TWide : struct, IWide
        where TA : struct, IAddressing
    {
        Fpu.EnterNoWait(s);
        int environment = TWide.Value ? Environment32 : Environment16;
        byte* image = stackalloc byte[Environment32 + RegisterBytes];
        WriteEnvironment(s, image, TWide.Value);
        for (int i = 0; i < 8; i++)
        {
            *(Float80*)(image + environment + (i * sizeof(Float80))) = Fpu.Get(s, i);
        }

        Mem.WriteBytes(s, TA.Write(s, o, environment + RegisterBytes), new ReadOnlySpan<byte>(image, environment + RegisterBytes));
        Fpu.Initialize(s);
        return o + 1;
    }

    private static Op* Restore<TWide, TA>(CpuState* s, Op* o)
        where TWide : struct, IWide
        where TA : struct, IAddressing
    {
        Fpu.Enter(s);
        int environment = TWide.Value ? Environment32 : Environment16;
        byte* image = stackalloc byte[Environment32 + RegisterBytes];
        Mem.ReadBytes(s, TA.Read(s, o, environment + RegisterBytes), new Span<byte>(image, environment + RegisterBytes));
        ReadEnvironment(s, image, TWide.Value);
        for (int i = 0; i < 8; i++)
        {
            Fpu.Put(s, i, *(Float80*)(image + environment + (i * sizeof(Float80))));
        }

        return o + 1;
    }

    /// <summary>Pointers as linear addresses with the opcode, instead of selectors with offsets: real-address and virtual-8086 mode.</summary>
    private static bool IsRealLayout(CpuState* s) => (s->Cr0 & ControlBits.Cr0Protection) == 0 || s->Virtual8086 != 0;

    private static void WriteEnvironment(CpuState* s, byte* image, bool wide)
    {
        bool real = IsRealLayout(s);
        uint fip = (uint)s->Fip;
        uint fdp = (uint)s->Fdp;
        if (real)
        {
            fip += (uint)s->Fcs << 4;
            fdp += (uint)s->Fds << 4;
        }

        if (!wide)
        {
            var words = new Span<ushort>(image, 7);
            words[0] = s->Fcw;
            words[1] = s->Fsw;
            words[2] = Fpu.FullTags(s);
            words[3] = (ushort)fip;
            words[4] = real ? (ushort)(((fip >> 4) & 0xF000) | s->Fop) : s->Fcs;
            words[5] = (ushort)fdp;
            words[6] = real ? (ushort)((fdp >> 4) & 0xF000) : s->Fds;
            return;
        }

        var doubles = new Span<uint>(image, 7);
        doubles[0] = 0xFFFF_0000 | s->Fcw;
        doubles[1] = 0xFFFF_0000 | s->Fsw;
        doubles[2] = 0xFFFF_0000 | Fpu.FullTags(s);
        if (real)
        {
            doubles[3] = 0xFFFF_0000 | (ushort)fip;
            doubles[4] = ((fip >> 16) << 12) | s->Fop;
            doubles[5] = 0xFFFF_0000 | (ushort)fdp;
            doubles[6] = (fdp >> 16) << 12;
        }
        else
        {
            doubles[3] = fip;
            doubles[4] = ((uint)s->Fop << 16) | s->Fcs;
            doubles[5] = fdp;
            doubles[6] = 0xFFFF_0000 | s->Fds;
        }
    }

    private static void ReadEnvironment(CpuState* s, byte* image, bool wide)
    {
        bool real = IsRealLayout(s);
        int step = wide ? 4 : 2;
        Fpu.SetStatus(s, Word(image, step));
        Fpu.SetFullTags(s, Word(image, 2 * step));
        ushort high = Word(image, 4 * step);
        if (real)
        {
            uint instruction = wide ? *(uint*)(image + (4 * step)) : high;
            uint data = wide ? *(uint*)(image + (6 * step)) : Word(image, 6 * step);
            s->Fip = Word(image, 3 * step) | ((instruction & (wide ? 0x0FFF_F000u : 0xF000u)) << 4);
            s->Fdp = Word(image, 5 * step) | ((data & (wide ? 0x0FFF_F000u : 0xF000u)) << 4);
            s->Fop = (ushort)(instruction & 0x7FF);
            s->Fcs = 0;
            s->Fds = 0;
        }
        else
        {
            s->Fip = wide ? *(uint*)(image + (3 * step)) : Word(image, 3 * step);
            s->Fcs = high;
            s->Fop = wide ? (ushort)(Word(image, (4 * step) + 2) & 0x7FF) : (ushort)0;
            s->Fdp = wide ? *(uint*)(image + (5 * step)) : Word(image, 5 * step);
            s->Fds = Word(image, 6 * step);
        }

        Fpu.SetControl(s, Word(image, 0));
    }

    private static ushort Word(byte* image, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(new ReadOnlySpan<byte>(image + offset, 2));

    private struct Narrow : IWide
    {
        public static bool Value => false;
    }

    private struct Wide : IWide
    {
        public static bool Value => true;
    }
}
