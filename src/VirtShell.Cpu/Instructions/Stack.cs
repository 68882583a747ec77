using System.Runtime.CompilerServices;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions;

/// <summary>The stack of the current mode. RSP changes only once the access has succeeded.</summary>
internal static unsafe class Stack
{
    private const int Rsp = 4;

    /// <summary>Pushes 2, 4 or 8 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Push<T>(CpuState* s, T value)
        where T : unmanaged
    {
        ulong sp = (s->Gpr[Rsp] - (ulong)sizeof(T)) & s->StackMask;
        Mem.Write(s, Linear(s, sp, sizeof(T), write: true), value);
        SetPointer(s, sp);
    }

    /// <summary>Pops 2, 4 or 8 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Pop<T>(CpuState* s)
        where T : unmanaged
    {
        ulong sp = s->Gpr[Rsp] & s->StackMask;
        T value = Mem.Read<T>(s, Linear(s, sp, sizeof(T), write: false));
        SetPointer(s, sp + (ulong)sizeof(T));
        return value;
    }

    /// <summary>Reads at an offset from the stack pointer without moving it.</summary>
    public static T Peek<T>(CpuState* s, int offset)
        where T : unmanaged
    {
        ulong sp = (s->Gpr[Rsp] + (ulong)offset) & s->StackMask;
        return Mem.Read<T>(s, Linear(s, sp, sizeof(T), write: false));
    }

    /// <summary>Adds to the stack pointer within the stack's width.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Move(CpuState* s, long delta) => SetPointer(s, s->Gpr[Rsp] + (ulong)delta);

    /// <summary>Sets SP, ESP or RSP, leaving the bits above the stack's width alone for a 16-bit stack.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetPointer(CpuState* s, ulong sp)
    {
        ulong keep = s->StackMask == 0xFFFF ? ~0xFFFFUL : 0;
        s->Gpr[Rsp] = (sp & s->StackMask) | (s->Gpr[Rsp] & keep);
    }

    /// <summary>Linear address of a stack offset; raises #SS.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Linear(CpuState* s, ulong sp, int size, bool write)
    {
        if (s->CodeSize == 64)
        {
            return sp;
        }

        ulong end = write ? s->Ss.WriteEnd : s->Ss.ReadEnd;
        if (sp + (ulong)size > end)
        {
            Addresses.CheckSegment(s, SegmentIndex.Ss, sp, size, write);
        }

        return (s->Ss.Base + sp) & s->LinearMask;
    }
}
