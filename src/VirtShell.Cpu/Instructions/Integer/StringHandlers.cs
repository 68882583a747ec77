using System;
using System.Runtime.CompilerServices;
using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Integer;

/// <summary>
/// MOVS, STOS, LODS, CMPS, SCAS, INS, OUTS with their repeat prefixes (SDM Vol. 2). A repeated instruction runs in slices:
/// each slice retires one instruction; MOVS and STOS go on to the end of a page (backward, to its start), the others for <see cref="SliceElements"/>
/// elements. Interrupts can be taken between slices with RIP still at the instruction and the registers showing the
/// progress, as on hardware.
/// </summary>
internal static unsafe class StringHandlers
{
    /// <summary>Elements of a slice; part of the instruction count's definition, so the same in every engine.</summary>
    public const int SliceElements = 64;

    private const int Rcx = 1;
    private const int Rsi = 6;
    private const int Rdi = 7;

    public static void Register()
    {
        HandlerTable.Add(Code.Movsb_m8_m8, &Movs<W8>);
        HandlerTable.Add(Code.Movsw_m16_m16, &Movs<W16>);
        HandlerTable.Add(Code.Movsd_m32_m32, &Movs<W32>);
        HandlerTable.Add(Code.Movsq_m64_m64, &Movs<W64>);
        HandlerTable.Add(Code.Stosb_m8_AL, &Stos<W8>);
        HandlerTable.Add(Code.Stosw_m16_AX, &Stos<W16>);
        HandlerTable.Add(Code.Stosd_m32_EAX, &Stos<W32>);
        HandlerTable.Add(Code.Stosq_m64_RAX, &Stos<W64>);
        HandlerTable.Add(Code.Lodsb_AL_m8, &Lods<W8>);
        HandlerTable.Add(Code.Lodsw_AX_m16, &Lods<W16>);
        HandlerTable.Add(Code.Lodsd_EAX_m32, &Lods<W32>);
        HandlerTable.Add(Code.Lodsq_RAX_m64, &Lods<W64>);
        HandlerTable.Add(Code.Cmpsb_m8_m8, &Cmps<W8>);
        HandlerTable.Add(Code.Cmpsw_m16_m16, &Cmps<W16>);
        HandlerTable.Add(Code.Cmpsd_m32_m32, &Cmps<W32>);
        HandlerTable.Add(Code.Cmpsq_m64_m64, &Cmps<W64>);
        HandlerTable.Add(Code.Scasb_AL_m8, &Scas<W8>);
        HandlerTable.Add(Code.Scasw_AX_m16, &Scas<W16>);
        HandlerTable.Add(Code.Scasd_EAX_m32, &Scas<W32>);
        HandlerTable.Add(Code.Scasq_RAX_m64, &Scas<W64>);
        HandlerTable.Add(Code.Insb_m8_DX, &Ins<W8>);
        HandlerTable.Add(Code.Insw_m16_DX, &Ins<W16>);
        HandlerTable.Add(Code.Insd_m32_DX, &Ins<W32>);
        HandlerTable.Add(Code.Outsb_DX_m8, &Outs<W8>);
        HandlerTable.Add(Code.Outsw_DX_m16, &Outs<W16>);
        HandlerTable.Add(Code.Outsd_DX_m32, &Outs<W32>);
    }

    private static bool Repeats(Op* o) => (o->Flags & (OpFlags.Rep | OpFlags.RepNe)) != 0;

    /// <summary>A register truncated to the address size.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Pointer(CpuState* s, Op* o, int register) => s->Gpr[register] << o->AddressShift >> o->AddressShift;

    /// <summary>Writes a register by the address size: 16 bits keep the rest, 32 bits clear the upper half.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SetPointer(CpuState* s, Op* o, int register, ulong value)
    {
        switch (o->AddressShift)
        {
            case 48:
                *(ushort*)&s->Gpr[register] = (ushort)value;
                break;
            case 32:
                s->Gpr[register] = (uint)value;
                break;
            default:
                s->Gpr[register] = value;
                break;
        }
    }

    private static long Step<TW>(CpuState* s)
        where TW : struct, IWidth => (s->FlagsRest & Flags.Direction) != 0 ? -TW.Bytes : TW.Bytes;

    private static int EsOf(Op* o) => (o->Flags & OpFlags.Code64) != 0 ? SegmentIndex.Flat : SegmentIndex.Es;

    /// <summary>Elements of a MOVS or STOS slice: as many as lie whole in the current page on either side, in the direction they are taken, at least one.</summary>
    private static int Slice<TW>(CpuState* s, ulong count, long step, ulong source, ulong destination)
        where TW : struct, IWidth
    {
        if ((s->FlagsRest & Flags.Trap) != 0)
        {
            return 1;
        }

        ulong room = Math.Min(Room(source & 0xFFF, (ulong)TW.Bytes, step), Room(destination & 0xFFF, (ulong)TW.Bytes, step));
        return (int)Math.Min(count, Math.Max(room, 1));
    }

    private static ulong Room(ulong offset, ulong bytes, long step) =>
        step > 0 ? (4096 - offset) / bytes : offset + bytes > 4096 ? 0 : (offset / bytes) + 1;

    /// <summary>Elements between boundaries: one while single-stepping, which traps after each iteration (SDM Vol. 3B §18.3.1.4).</summary>
    private static int LongestSlice(CpuState* s) => (s->FlagsRest & Flags.Trap) != 0 ? 1 : SliceElements;

    /// <summary>Something waits for a boundary. Not a stop request by itself: the host makes it when it likes, and where slices end counts as instructions; nor a change of code, which each engine sees at other addresses.</summary>
    private static bool Interrupted(CpuState* s) =>
        s->StopBelow == ulong.MaxValue && (s->Pending & (PendingEvents.StopRequested | PendingEvents.DebugTrap)) != PendingEvents.StopRequested;

    /// <summary>A breakpoint was hit: it traps after the iteration, not after the slice (SDM Vol. 3B §18.3.1.2).</summary>
    private static bool Trapped(CpuState* s) => (s->Pending & PendingEvents.DebugTrap) != 0;

    /// <summary>After a slice: done, or the same instruction again.</summary>
    private static Op* Finish(CpuState* s, Op* o, ulong left)
    {
        if (left == 0)
        {
            return o + 1;
        }

        CpuState.Of(s).NoteRepetition(Flow.RetiredBefore(s, o) + 1);
        return Flow.Again(s, o);
    }

    private static Op* Movs<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        bool repeats = Repeats(o);
        ulong count = repeats ? Pointer(s, o, Rcx) : 1;
        if (count == 0)
        {
            return o + 1;
        }

        int es = EsOf(o);
        long step = Step<TW>(s);
        int slice = 1;
        if (repeats)
        {
            slice = Slice<TW>(s, count, step, CpuState.Segment(s, o->Segment)->Base + Pointer(s, o, Rsi), CpuState.Segment(s, es)->Base + Pointer(s, o, Rdi));
            if (MovsBulk<TW>(s, o, count, slice, out Op* next))
            {
                return next;
            }
        }

        for (int i = 0; i < slice; i++)
        {
            ulong source = Pointer(s, o, Rsi);
            ulong destination = Pointer(s, o, Rdi);
            ulong value = TW.Read(s, Addresses.Linear(s, o->Segment, source, TW.Bytes, write: false));
            TW.Write(s, Addresses.Linear(s, es, destination, TW.Bytes, write: true), value);
            SetPointer(s, o, Rsi, source + (ulong)step);
            SetPointer(s, o, Rdi, destination + (ulong)step);
            count--;
            if (repeats)
            {
                SetPointer(s, o, Rcx, count);
                if (Interrupted(s))
                {
                    break;
                }
            }
        }

        return Finish(s, o, count);
    }

    /// <summary>A slice that lies in one page on either side and hits both TLBs: one copy instead of a loop. The element count is that of the plain slice.</summary>
    private static bool MovsBulk<TW>(CpuState* s, Op* o, ulong count, int elements, out Op* next)
        where TW : struct, IWidth
    {
        next = null;
        int bytes = elements * TW.Bytes;
        ulong source = Pointer(s, o, Rsi);
        ulong destination = Pointer(s, o, Rdi);

        // Backward, the first element is the last in memory.
        bool backward = (s->FlagsRest & Flags.Direction) != 0;
        ulong first = backward ? (ulong)(bytes - TW.Bytes) : 0;
        if (source < first || destination < first)
        {
            return false;
        }

        source -= first;
        destination -= first;
        if (Wraps(o, source, bytes) || Wraps(o, destination, bytes))
        {
            return false;
        }

        SegmentRegister* from = CpuState.Segment(s, o->Segment);
        SegmentRegister* to = CpuState.Segment(s, EsOf(o));
        if (source + (ulong)bytes > from->ReadEnd || destination + (ulong)bytes > to->WriteEnd)
        {
            return false;
        }

        ulong linearFrom = (from->Base + source) & s->LinearMask;
        ulong linearTo = (to->Base + destination) & s->LinearMask;
        TlbEntry* read = s->Tlb + ((linearFrom >> 12) & Mem.TlbMask);
        if (linearFrom - read->TagRead > 4096 - (ulong)bytes)
        {
            Mem.CheckRead(s, linearFrom + first, TW.Bytes);
        }

        byte* hostTo = ForWriting(s, linearTo, bytes, first, TW.Bytes);
        if (hostTo == null || linearFrom - read->TagRead > 4096 - (ulong)bytes)
        {
            return false;
        }

        byte* hostFrom = (byte*)(read->Page + (linearFrom - read->TagRead));
        if (backward ? hostTo < hostFrom && hostFrom < hostTo + bytes : hostTo > hostFrom && hostTo < hostFrom + bytes)
        {
            // An overlapping copy repeats what it has just written.
            return false;
        }

        Buffer.MemoryCopy(hostFrom, hostTo, bytes, bytes);
        ulong behind = backward ? unchecked((ulong)-TW.Bytes) : (ulong)bytes;
        SetPointer(s, o, Rsi, source + behind);
        SetPointer(s, o, Rdi, destination + behind);
        SetPointer(s, o, Rcx, count - (ulong)elements);
        next = Finish(s, o, count - (ulong)elements);
        return true;
    }

    private static bool Wraps(Op* o, ulong offset, int bytes) => o->AddressShift != 0 && offset + (ulong)bytes > ulong.MaxValue >> o->AddressShift;

    private static Op* Stos<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        bool repeats = Repeats(o);
        ulong count = repeats ? Pointer(s, o, Rcx) : 1;
        if (count == 0)
        {
            return o + 1;
        }

        int es = EsOf(o);
        long step = Step<TW>(s);
        ulong value = TW.Get((byte*)&s->Gpr[0]);
        int slice = 1;
        if (repeats)
        {
            ulong destination = Pointer(s, o, Rdi);
            ulong linear = CpuState.Segment(s, es)->Base + destination;
            slice = Slice<TW>(s, count, step, linear, linear);
        }

        if (repeats && step > 0)
        {
            int elements = slice;
            int bytes = elements * TW.Bytes;
            ulong destination = Pointer(s, o, Rdi);
            SegmentRegister* to = CpuState.Segment(s, es);
            if (!Wraps(o, destination, bytes) && destination + (ulong)bytes <= to->WriteEnd)
            {
                byte* host = ForWriting(s, (to->Base + destination) & s->LinearMask, bytes, 0, TW.Bytes);
                if (host != null)
                {
                    Fill<TW>(host, elements, value);
                    SetPointer(s, o, Rdi, destination + (ulong)bytes);
                    SetPointer(s, o, Rcx, count - (ulong)elements);
                    return Finish(s, o, count - (ulong)elements);
                }
            }
        }

        for (int i = 0; i < slice; i++)
        {
            ulong destination = Pointer(s, o, Rdi);
            TW.Write(s, Addresses.Linear(s, es, destination, TW.Bytes, write: true), value);
            SetPointer(s, o, Rdi, destination + (ulong)step);
            count--;
            if (repeats)
            {
                SetPointer(s, o, Rcx, count);
                if (Interrupted(s))
                {
                    break;
                }
            }
        }

        return Finish(s, o, count);
    }

    /// <summary>Host address of a slice to be written, or null. Where the TLB misses it is filled as the first element's store would fill it, faults included.</summary>
    private static byte* ForWriting(CpuState* s, ulong linear, int bytes, ulong first, int elementBytes)
    {
        byte* host = Mem.Rmw(s, linear, bytes);
        if (host == null)
        {
            Mem.CheckWrite(s, linear + first, elementBytes);
            host = Mem.Rmw(s, linear, bytes);
        }

        return host;
    }

    private static void Fill<TW>(byte* host, int elements, ulong value)
        where TW : struct, IWidth
    {
        switch (TW.Bytes)
        {
            case 1:
                new Span<byte>(host, elements).Fill((byte)value);
                break;
            case 2:
                new Span<ushort>(host, elements).Fill((ushort)value);
                break;
            case 4:
                new Span<uint>(host, elements).Fill((uint)value);
                break;
            default:
                new Span<ulong>(host, elements).Fill(value);
                break;
        }
    }

    private static Op* Lods<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        bool repeats = Repeats(o);
        ulong count = repeats ? Pointer(s, o, Rcx) : 1;
        long step = Step<TW>(s);
        for (int i = LongestSlice(s); i > 0 && count != 0; i--)
        {
            ulong source = Pointer(s, o, Rsi);
            TW.Set((byte*)&s->Gpr[0], TW.Read(s, Addresses.Linear(s, o->Segment, source, TW.Bytes, write: false)));
            SetPointer(s, o, Rsi, source + (ulong)step);
            count--;
            if (repeats)
            {
                SetPointer(s, o, Rcx, count);
                if (Trapped(s))
                {
                    break;
                }
            }
        }

        return Finish(s, o, count);
    }

    private static Op* Cmps<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        bool repeats = Repeats(o);
        ulong count = repeats ? Pointer(s, o, Rcx) : 1;
        int es = EsOf(o);
        long step = Step<TW>(s);
        for (int i = LongestSlice(s); i > 0 && count != 0; i--)
        {
            ulong source = Pointer(s, o, Rsi);
            ulong destination = Pointer(s, o, Rdi);
            ulong a = TW.Read(s, Addresses.Linear(s, o->Segment, source, TW.Bytes, write: false));
            ulong b = TW.Read(s, Addresses.Linear(s, es, destination, TW.Bytes, write: false));
            AluHandlers.SetSub<TW>(s, a, b, a - b);
            SetPointer(s, o, Rsi, source + (ulong)step);
            SetPointer(s, o, Rdi, destination + (ulong)step);
            count--;
            if (repeats)
            {
                SetPointer(s, o, Rcx, count);
                if (Flags.Zf(s) == ((o->Flags & OpFlags.RepNe) != 0))
                {
                    return o + 1;
                }

                if (Trapped(s))
                {
                    break;
                }
            }
        }

        return Finish(s, o, count);
    }

    private static Op* Scas<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        bool repeats = Repeats(o);
        ulong count = repeats ? Pointer(s, o, Rcx) : 1;
        int es = EsOf(o);
        long step = Step<TW>(s);
        ulong a = TW.Get((byte*)&s->Gpr[0]);
        for (int i = LongestSlice(s); i > 0 && count != 0; i--)
        {
            ulong destination = Pointer(s, o, Rdi);
            ulong b = TW.Read(s, Addresses.Linear(s, es, destination, TW.Bytes, write: false));
            AluHandlers.SetSub<TW>(s, a, b, a - b);
            SetPointer(s, o, Rdi, destination + (ulong)step);
            count--;
            if (repeats)
            {
                SetPointer(s, o, Rcx, count);
                if (Flags.Zf(s) == ((o->Flags & OpFlags.RepNe) != 0))
                {
                    return o + 1;
                }

                if (Trapped(s))
                {
                    break;
                }
            }
        }

        return Finish(s, o, count);
    }

    private static Op* Ins<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        Vcpu cpu = CpuState.Of(s);
        ushort port = (ushort)s->Gpr[2];
        cpu.CheckIoPermission(port, TW.Bytes);
        bool repeats = Repeats(o);
        ulong count = repeats ? Pointer(s, o, Rcx) : 1;
        int es = EsOf(o);
        long step = Step<TW>(s);
        for (int i = LongestSlice(s); i > 0 && count != 0; i--)
        {
            ulong destination = Pointer(s, o, Rdi);
            ulong linear = Addresses.Linear(s, es, destination, TW.Bytes, write: true);

            // The port is read only once the store cannot fault any more.
            Mem.CheckWrite(s, linear, TW.Bytes);
            TW.Write(s, linear, cpu.Bus.ReadPort(port, TW.Bytes));
            SetPointer(s, o, Rdi, destination + (ulong)step);
            count--;
            if (repeats)
            {
                SetPointer(s, o, Rcx, count);
                if (Interrupted(s))
                {
                    break;
                }
            }
        }

        return Finish(s, o, count);
    }

    private static Op* Outs<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        Vcpu cpu = CpuState.Of(s);
        ushort port = (ushort)s->Gpr[2];
        cpu.CheckIoPermission(port, TW.Bytes);
        bool repeats = Repeats(o);
        ulong count = repeats ? Pointer(s, o, Rcx) : 1;
        long step = Step<TW>(s);
        for (int i = LongestSlice(s); i > 0 && count != 0; i--)
        {
            ulong source = Pointer(s, o, Rsi);
            ulong value = TW.Read(s, Addresses.Linear(s, o->Segment, source, TW.Bytes, write: false));
            SetPointer(s, o, Rsi, source + (ulong)step);
            count--;
            if (repeats)
            {
                SetPointer(s, o, Rcx, count);
            }

            cpu.Bus.WritePort(port, TW.Bytes, (uint)value);
            if (repeats && Interrupted(s))
            {
                break;
            }
        }

        return Finish(s, o, count);
    }
}
