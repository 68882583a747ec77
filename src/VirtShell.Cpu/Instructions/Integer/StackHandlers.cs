using Iced.Intel;
using VirtShell.Cpu.Decoding;

namespace VirtShell.Cpu.Instructions.Integer;

/// <summary>PUSH and POP of general registers, memory and immediates, and LEAVE. (Segment registers, flags, ENTER, PUSHA: elsewhere.)</summary>
internal static unsafe class StackHandlers
{
    public static void Register()
    {
        HandlerTable.Add(Code.Push_r64, &PushReg64);
        HandlerTable.Add(Code.Pop_r64, &PopReg64);
        HandlerTable.Add(Code.Push_r32, &PushReg<uint>);
        HandlerTable.Add(Code.Push_r16, &PushReg<ushort>);
        HandlerTable.Add(Code.Pop_r32, &PopReg<uint, W32>);
        HandlerTable.Add(Code.Pop_r16, &PopReg<ushort, W16>);
        HandlerTable.Add(Code.Push_rm64, &PushReg<ulong>, &PushMem<ulong, Flat>, &PushMem<ulong, General>);
        HandlerTable.Add(Code.Push_rm32, &PushReg<uint>, &PushMem<uint, Flat>, &PushMem<uint, General>);
        HandlerTable.Add(Code.Push_rm16, &PushReg<ushort>, &PushMem<ushort, Flat>, &PushMem<ushort, General>);
        HandlerTable.Add(Code.Pop_rm64, &PopReg<ulong, W64>, &PopMem<ulong, Flat>, &PopMem<ulong, General>);
        HandlerTable.Add(Code.Pop_rm32, &PopReg<uint, W32>, &PopMem<uint, Flat>, &PopMem<uint, General>);
        HandlerTable.Add(Code.Pop_rm16, &PopReg<ushort, W16>, &PopMem<ushort, Flat>, &PopMem<ushort, General>);
        HandlerTable.Add(Code.Pushq_imm8, &PushImm<ulong>);
        HandlerTable.Add(Code.Pushq_imm32, &PushImm<ulong>);
        HandlerTable.Add(Code.Pushd_imm8, &PushImm<uint>);
        HandlerTable.Add(Code.Pushd_imm32, &PushImm<uint>);
        HandlerTable.Add(Code.Pushw_imm8, &PushImm<ushort>);
        HandlerTable.Add(Code.Push_imm16, &PushImm<ushort>);
        HandlerTable.Add(Code.Leaveq, &Leave<ulong, W64>);
        HandlerTable.Add(Code.Leaved, &Leave<uint, W32>);
        HandlerTable.Add(Code.Leavew, &Leave<ushort, W16>);
    }

    private static Op* PushReg64(CpuState* s, Op* o)
    {
        ulong sp = s->Gpr[4] - 8;
        Memory.Mem.Write(s, sp, *(ulong*)((byte*)s + o->Dst));
        s->Gpr[4] = sp;
        return o + 1;
    }

    private static Op* PopReg64(CpuState* s, Op* o)
    {
        ulong sp = s->Gpr[4];
        ulong value = Memory.Mem.Read<ulong>(s, sp);
        s->Gpr[4] = sp + 8;
        *(ulong*)((byte*)s + o->Dst) = value;
        return o + 1;
    }

    private static Op* PushReg<T>(CpuState* s, Op* o)
        where T : unmanaged
    {
        Stack.Push(s, *(T*)((byte*)s + o->Dst));
        return o + 1;
    }

    private static Op* PushImm<T>(CpuState* s, Op* o)
        where T : unmanaged
    {
        Stack.Push(s, *(T*)&o->Imm);
        return o + 1;
    }

    private static Op* PushMem<T, TA>(CpuState* s, Op* o)
        where T : unmanaged
        where TA : struct, IAddressing
    {
        Stack.Push(s, Memory.Mem.Read<T>(s, TA.Read(s, o, sizeof(T))));
        return o + 1;
    }

    private static Op* PopReg<T, TW>(CpuState* s, Op* o)
        where T : unmanaged
        where TW : struct, IWidth
    {
        T value = Stack.Pop<T>(s);
        TW.Set((byte*)s + o->Dst, TW.Get((byte*)&value));
        return o + 1;
    }

    private static Op* PopMem<T, TA>(CpuState* s, Op* o)
        where T : unmanaged
        where TA : struct, IAddressing
    {
        // The address is computed after RSP was incremented (SDM, POP); RSP goes back when the store faults.
        ulong before = s->Gpr[4];
        T value = Stack.Peek<T>(s, 0);
        Stack.Move(s, sizeof(T));
        ulong after = s->Gpr[4];
        bool done = false;
        try
        {
            ulong linear = TA.Write(s, o, sizeof(T));
            Memory.Mem.Write(s, linear, value);
            done = true;
        }
        finally
        {
            s->Gpr[4] = done ? after : before;
        }

        return o + 1;
    }

    private static Op* Leave<T, TW>(CpuState* s, Op* o)
        where T : unmanaged
        where TW : struct, IWidth
    {
        ulong sp = s->Gpr[5] & s->StackMask;
        T value = Memory.Mem.Read<T>(s, Stack.Linear(s, sp, sizeof(T), write: false));
        Stack.SetPointer(s, sp + (ulong)sizeof(T));
        TW.Set((byte*)&s->Gpr[5], TW.Get((byte*)&value));
        return o + 1;
    }
}
