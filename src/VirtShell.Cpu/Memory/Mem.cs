using System;
using System.Runtime.CompilerServices;

namespace VirtShell.Cpu.Memory;

/// <summary>
/// The interpreter's access to guest memory by linear address, with the current privilege. Raises the guest's exceptions.
/// Accesses that cross a page check both pages before they touch either.
/// </summary>
/// <remarks>
/// Unsafe code is sound here because a TLB tag matches only whole accesses inside a page of RAM or ROM whose host address
/// the MMU computed from a checked guest-physical address.
/// </remarks>
internal static unsafe class Mem
{
    internal const int TlbBits = 12;
    internal const int TlbSize = 1 << TlbBits;
    internal const uint TlbMask = TlbSize - 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Read<T>(CpuState* s, ulong linear)
        where T : unmanaged
    {
        TlbEntry* e = s->Tlb + ((linear >> 12) & TlbMask);
        ulong offset = linear - e->TagRead;
        return offset <= 4096 - (ulong)sizeof(T)
            ? Unsafe.ReadUnaligned<T>((byte*)(e->Page + offset))
            : ReadSlow<T>(s, linear);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<T>(CpuState* s, ulong linear, T value)
        where T : unmanaged
    {
        TlbEntry* e = s->Tlb + ((linear >> 12) & TlbMask);
        ulong offset = linear - e->TagWrite;
        if (offset <= 4096 - (ulong)sizeof(T))
        {
            Unsafe.WriteUnaligned((byte*)(e->Page + offset), value);
        }
        else
        {
            WriteSlow(s, linear, value);
        }
    }

    /// <summary>
    /// Host address for a read-modify-write of <paramref name="size"/> bytes, or null where the access must go through
    /// <see cref="ReadForWrite{T}"/> and <see cref="Write{T}"/> (TLB miss, MMIO, page crossing, code page).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte* Rmw(CpuState* s, ulong linear, int size)
    {
        TlbEntry* e = s->Tlb + ((linear >> 12) & TlbMask);
        ulong offset = linear - e->TagWrite;
        return offset <= 4096 - (ulong)size ? (byte*)(e->Page + offset) : null;
    }

    /// <summary>Reads what will be written back: raises the write's faults before anything is read.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static T ReadForWrite<T>(CpuState* s, ulong linear)
        where T : unmanaged
    {
        CpuState.Of(s).Mmu.CheckWrite(linear, sizeof(T));
        return Read<T>(s, linear);
    }

    /// <summary>Raises the faults that a write of <paramref name="size"/> bytes would raise, and does nothing else.</summary>
    public static void CheckWrite(CpuState* s, ulong linear, int size)
    {
        if (Rmw(s, linear, size) == null)
        {
            CpuState.Of(s).Mmu.CheckWrite(linear, size);
        }
    }

    /// <summary>Raises the faults that a read of <paramref name="size"/> bytes would raise, and does nothing else.</summary>
    public static void CheckRead(CpuState* s, ulong linear, int size) => CpuState.Of(s).Mmu.CheckRead(linear, size);

    /// <summary>Reads any number of bytes (at most 4096), all pages checked first.</summary>
    public static void ReadBytes(CpuState* s, ulong linear, Span<byte> destination) => CpuState.Of(s).Mmu.ReadBytes(linear, destination, system: false);

    /// <summary>Writes any number of bytes (at most 4096), all pages checked first.</summary>
    public static void WriteBytes(CpuState* s, ulong linear, ReadOnlySpan<byte> source) => CpuState.Of(s).Mmu.WriteBytes(linear, source, system: false);

    /// <summary>Reads a descriptor table or task state: as supervisor, whatever the CPL.</summary>
    public static T ReadSystem<T>(CpuState* s, ulong linear)
        where T : unmanaged
    {
        TlbEntry* e = s->SystemTlb + ((linear >> 12) & TlbMask);
        ulong offset = linear - e->TagRead;
        if (offset <= 4096 - (ulong)sizeof(T))
        {
            return Unsafe.ReadUnaligned<T>((byte*)(e->Page + offset));
        }

        T value;
        CpuState.Of(s).Mmu.ReadBytes(linear, new Span<byte>(&value, sizeof(T)), system: true);
        return value;
    }

    /// <summary>Writes a descriptor table or task state: as supervisor, whatever the CPL.</summary>
    public static void WriteSystem<T>(CpuState* s, ulong linear, T value)
        where T : unmanaged
    {
        CpuState.Of(s).Mmu.WriteBytes(linear, new ReadOnlySpan<byte>(&value, sizeof(T)), system: true);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static T ReadSlow<T>(CpuState* s, ulong linear)
        where T : unmanaged
    {
        T value;
        CpuState.Of(s).Mmu.ReadBytes(linear, new Span<byte>(&value, sizeof(T)), system: false);
        return value;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void WriteSlow<T>(CpuState* s, ulong linear, T value)
        where T : unmanaged
    {
        CpuState.Of(s).Mmu.WriteBytes(linear, new ReadOnlySpan<byte>(&value, sizeof(T)), system: false);
    }
}
