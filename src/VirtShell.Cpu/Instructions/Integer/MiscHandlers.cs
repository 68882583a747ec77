using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Integer;

/// <summary>CBW and CWD families, XLAT, IN, OUT, PUSHA, POPA, ENTER, BOUND, and the decimal adjustments (SDM Vol. 2).</summary>
internal static unsafe class MiscHandlers
{
    private const int Rax = 0;
    private const int Rdx = 2;
    private const int Rbx = 3;
    private const int Rsp = 4;
    private const int Rbp = 5;

    public static void Register()
    {
        HandlerTable.Add(Code.Cbw, &Cbw);
        HandlerTable.Add(Code.Cwde, &Cwde);
        HandlerTable.Add(Code.Cdqe, &Cdqe);
        HandlerTable.Add(Code.Cwd, &Cwd);
        HandlerTable.Add(Code.Cdq, &Cdq);
        HandlerTable.Add(Code.Cqo, &Cqo);
        HandlerTable.Add(Code.Xlat_m8, &Xlat);
        HandlerTable.Add(Code.In_AL_imm8, &In<W8, PortImmediate>);
        HandlerTable.Add(Code.In_AX_imm8, &In<W16, PortImmediate>);
        HandlerTable.Add(Code.In_EAX_imm8, &In<W32, PortImmediate>);
        HandlerTable.Add(Code.In_AL_DX, &In<W8, PortDx>);
        HandlerTable.Add(Code.In_AX_DX, &In<W16, PortDx>);
        HandlerTable.Add(Code.In_EAX_DX, &In<W32, PortDx>);
        HandlerTable.Add(Code.Out_imm8_AL, &Out<W8, PortImmediate>);
        HandlerTable.Add(Code.Out_imm8_AX, &Out<W16, PortImmediate>);
        HandlerTable.Add(Code.Out_imm8_EAX, &Out<W32, PortImmediate>);
        HandlerTable.Add(Code.Out_DX_AL, &Out<W8, PortDx>);
        HandlerTable.Add(Code.Out_DX_AX, &Out<W16, PortDx>);
        HandlerTable.Add(Code.Out_DX_EAX, &Out<W32, PortDx>);
        HandlerTable.Add(Code.Pushaw, &Pusha<ushort>);
        HandlerTable.Add(Code.Pushad, &Pusha<uint>);
        HandlerTable.Add(Code.Popaw, &Popa<ushort, W16>);
        HandlerTable.Add(Code.Popad, &Popa<uint, W32>);
        HandlerTable.Add(Code.Enterw_imm16_imm8, &Enter<ushort, W16>);
        HandlerTable.Add(Code.Enterd_imm16_imm8, &Enter<uint, W32>);
        HandlerTable.Add(Code.Enterq_imm16_imm8, &Enter<ulong, W64>);
        HandlerTable.Add(Code.Bound_r16_m1616, null, null, &Bound<W16>);
        HandlerTable.Add(Code.Bound_r32_m3232, null, null, &Bound<W32>);
        HandlerTable.Add(Code.Daa, &Daa);
        HandlerTable.Add(Code.Das, &Das);
        HandlerTable.Add(Code.Aaa, &Aaa);
        HandlerTable.Add(Code.Aas, &Aas);
        HandlerTable.Add(Code.Aam_imm8, &Aam);
        HandlerTable.Add(Code.Aad_imm8, &Aad);
    }

    /// <summary>Where IN and OUT find their port.</summary>
    internal interface IPort
    {
        static abstract ushort Get(CpuState* s, Op* o);
    }

    private static Op* Cbw(CpuState* s, Op* o)
    {
        *(short*)&s->Gpr[Rax] = (sbyte)s->Gpr[Rax];
        return o + 1;
    }

    private static Op* Cwde(CpuState* s, Op* o)
    {
        s->Gpr[Rax] = (uint)(short)s->Gpr[Rax];
        return o + 1;
    }

    private static Op* Cdqe(CpuState* s, Op* o)
    {
        s->Gpr[Rax] = (ulong)(int)s->Gpr[Rax];
        return o + 1;
    }

    private static Op* Cwd(CpuState* s, Op* o)
    {
        *(short*)&s->Gpr[Rdx] = (short)((short)s->Gpr[Rax] >> 15);
        return o + 1;
    }

    private static Op* Cdq(CpuState* s, Op* o)
    {
        s->Gpr[Rdx] = (uint)((int)s->Gpr[Rax] >> 31);
        return o + 1;
    }

    private static Op* Cqo(CpuState* s, Op* o)
    {
        s->Gpr[Rdx] = (ulong)((long)s->Gpr[Rax] >> 63);
        return o + 1;
    }

    private static Op* Xlat(CpuState* s, Op* o)
    {
        ulong offset = (s->Gpr[Rbx] + (byte)s->Gpr[Rax]) << o->AddressShift >> o->AddressShift;
        *(byte*)&s->Gpr[Rax] = Mem.Read<byte>(s, Addresses.Linear(s, o->Segment, offset, 1, write: false));
        return o + 1;
    }

    private static Op* In<TW, TP>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TP : struct, IPort
    {
        Vcpu cpu = CpuState.Of(s);
        ushort port = TP.Get(s, o);
        cpu.CheckIoPermission(port, TW.Bytes);
        TW.Set((byte*)&s->Gpr[Rax], cpu.Bus.ReadPort(port, TW.Bytes));
        return o + 1;
    }

    private static Op* Out<TW, TP>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TP : struct, IPort
    {
        Vcpu cpu = CpuState.Of(s);
        ushort port = TP.Get(s, o);
        cpu.CheckIoPermission(port, TW.Bytes);
        cpu.Bus.WritePort(port, TW.Bytes, (uint)TW.Get((byte*)&s->Gpr[Rax]));
        return o + 1;
    }

    // All eight slots are checked before any is written.
    private static Op* Pusha<T>(CpuState* s, Op* o)
        where T : unmanaged
    {
        ulong sp = s->Gpr[Rsp];
        for (int i = 0; i < 8; i++)
        {
            ulong at = (sp - (ulong)((i + 1) * sizeof(T))) & s->StackMask;
            Mem.CheckWrite(s, Stack.Linear(s, at, sizeof(T), write: true), sizeof(T));
        }

        for (int i = 0; i < 8; i++)
        {
            ulong at = (sp - (ulong)((i + 1) * sizeof(T))) & s->StackMask;
            Mem.Write(s, Stack.Linear(s, at, sizeof(T), write: true), *(T*)&s->Gpr[i]);
        }

        Stack.Move(s, -8 * sizeof(T));
        return o + 1;
    }

    private static Op* Popa<T, TW>(CpuState* s, Op* o)
        where T : unmanaged
        where TW : struct, IWidth
    {
        ulong* values = stackalloc ulong[8];
        for (int i = 0; i < 8; i++)
        {
            T value = Stack.Peek<T>(s, i * sizeof(T));
            values[7 - i] = TW.Get((byte*)&value);
        }

        for (int i = 0; i < 8; i++)
        {
            if (i != Rsp)
            {
                TW.Set((byte*)&s->Gpr[i], values[i]);
            }
        }

        Stack.Move(s, 8 * sizeof(T));
        return o + 1;
    }

    private static Op* Enter<T, TW>(CpuState* s, Op* o)
        where T : unmanaged
        where TW : struct, IWidth
    {
        ulong locals = (ushort)o->Imm;
        int level = (int)o->Extra & 31;
        ulong spBefore = s->Gpr[Rsp];
        bool done = false;
        try
        {
            Stack.Push(s, *(T*)&s->Gpr[Rbp]);
            ulong frame = s->Gpr[Rsp];
            if (level > 0)
            {
                ulong bp = s->Gpr[Rbp];
                for (int i = 1; i < level; i++)
                {
                    bp = (bp - (ulong)sizeof(T)) & s->StackMask;
                    Stack.Push(s, Mem.Read<T>(s, Stack.Linear(s, bp, sizeof(T), write: false)));
                }

                Stack.Push(s, *(T*)&frame);
            }

            ulong sp = (s->Gpr[Rsp] - locals) & s->StackMask;

            // The instruction faults where the new top of the stack could not be written.
            Mem.CheckWrite(s, Stack.Linear(s, sp, sizeof(T), write: true), sizeof(T));
            Stack.SetPointer(s, sp);
            TW.Set((byte*)&s->Gpr[Rbp], frame);
            done = true;
        }
        finally
        {
            if (!done)
            {
                s->Gpr[Rsp] = spBefore;
            }
        }

        return o + 1;
    }

    private static Op* Bound<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        ulong linear = General.Read(s, o, TW.Bytes * 2);
        long lower = (long)TW.SignExtend(TW.Read(s, linear));
        long upper = (long)TW.SignExtend(TW.Read(s, (linear + (ulong)TW.Bytes) & s->LinearMask));
        long index = (long)TW.SignExtend(TW.Get((byte*)s + o->Dst));
        if (index < lower || index > upper)
        {
            Fault.Raise(s, Vector.BoundRange);
        }

        return o + 1;
    }

    private static byte Al(CpuState* s) => (byte)s->Gpr[Rax];

    private static byte Ah(CpuState* s) => (byte)(s->Gpr[Rax] >> 8);

    private static void SetAl(CpuState* s, int value) => *(byte*)&s->Gpr[Rax] = (byte)value;

    private static void SetAx(CpuState* s, int value) => *(ushort*)&s->Gpr[Rax] = (ushort)value;

    private static Op* Daa(CpuState* s, Op* o)
    {
        int al = Al(s);
        bool carry = Flags.Cf(s);
        bool adjust = Flags.Af(s);
        int result = al;
        bool newCarry = false;
        if ((al & 0xF) > 9 || adjust)
        {
            result += 6;
            adjust = true;
        }
        else
        {
            adjust = false;
        }

        if (al > 0x99 || carry)
        {
            result += 0x60;
            newCarry = true;
        }

        SetAl(s, result);
        SetDecimal(s, (byte)result, newCarry, adjust);
        return o + 1;
    }

    private static Op* Das(CpuState* s, Op* o)
    {
        int al = Al(s);
        bool carry = Flags.Cf(s);
        bool adjust = Flags.Af(s);
        int result = al;
        bool newCarry = false;
        if ((al & 0xF) > 9 || adjust)
        {
            result -= 6;
            newCarry = carry || al < 6;
            adjust = true;
        }
        else
        {
            adjust = false;
        }

        if (al > 0x99 || carry)
        {
            result -= 0x60;
            newCarry = true;
        }

        SetAl(s, result);
        SetDecimal(s, (byte)result, newCarry, adjust);
        return o + 1;
    }

    private static Op* Aaa(CpuState* s, Op* o)
    {
        bool adjust = (Al(s) & 0xF) > 9 || Flags.Af(s);
        if (adjust)
        {
            SetAx(s, (int)(ushort)s->Gpr[Rax] + 0x106);
        }

        SetAl(s, Al(s) & 0xF);
        SetDecimal(s, Al(s), adjust, adjust);
        return o + 1;
    }

    private static Op* Aas(CpuState* s, Op* o)
    {
        bool adjust = (Al(s) & 0xF) > 9 || Flags.Af(s);
        if (adjust)
        {
            SetAx(s, (int)(ushort)s->Gpr[Rax] - 0x106);
        }

        SetAl(s, Al(s) & 0xF);
        SetDecimal(s, Al(s), adjust, adjust);
        return o + 1;
    }

    private static Op* Aam(CpuState* s, Op* o)
    {
        int divisor = (byte)o->Imm;
        if (divisor == 0)
        {
            Fault.DivideError(s);
        }

        int al = Al(s);
        SetAx(s, ((al / divisor) << 8) | (al % divisor));
        SetDecimal(s, Al(s), false, false);
        return o + 1;
    }

    private static Op* Aad(CpuState* s, Op* o)
    {
        int result = (Al(s) + (Ah(s) * (byte)o->Imm)) & 0xFF;
        SetAx(s, result);
        SetDecimal(s, (byte)result, false, false);
        return o + 1;
    }

    /// <summary>SF, ZF and PF of AL; OF, which is undefined, clear.</summary>
    private static void SetDecimal(CpuState* s, byte al, bool carry, bool adjust) =>
        Flags.SetResult(s, (ulong)(sbyte)al, carry, false, adjust);

    private struct PortImmediate : IPort
    {
        public static ushort Get(CpuState* s, Op* o) => (byte)o->Imm;
    }

    private struct PortDx : IPort
    {
        public static ushort Get(CpuState* s, Op* o) => (ushort)s->Gpr[Rdx];
    }
}
