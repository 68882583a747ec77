using System;
using VirtShell.State;

namespace VirtShell.Cpu.Memory;

/// <summary>Memory as state: RAM and ROM content without the zeros, and what each page is.</summary>
public sealed unsafe partial class PhysicalMemory : IStateful
{
    private const PageKinds SavedKinds = PageKinds.Ram | PageKinds.Rom;

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        ulong bytes = RamBytes;
        visitor.Value("bytes", ref bytes);
        if (bytes != RamBytes)
        {
            throw visitor.Refused($"Saved state is of a machine with {bytes} bytes of RAM; this one has {RamBytes}.");
        }

        if (visitor.IsLoading)
        {
            Empty();
        }

        visitor.Blocks("at-", new Chunks(this), hexadecimal: true);

        // Which pages code was decoded from is the engine's knowledge, no part of the guest's state.
        byte[] kinds = StateOfKinds();
        visitor.Array("kinds", kinds.AsSpan());
        if (visitor.IsLoading)
        {
            CutKinds(kinds);
            CopyKinds(kinds, new Span<byte>(_kinds, kinds.Length));
            TellMappingChanged(0, Top);
        }
    }

    /// <summary>What each page is, without what only this process knows of it.</summary>
    internal byte[] StateOfKinds()
    {
        byte[] kinds = new ReadOnlySpan<byte>(_kinds, checked((int)(Top / PageSize))).ToArray();
        CutKinds(kinds);
        return kinds;
    }

    /// <summary>Copies what pages are. Most are nothing, in the hole below 4 GiB: zeros are not written over zeros, which would take memory.</summary>
    internal static void CopyKinds(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        const int Step = (int)PageSize;
        for (int at = 0; at < source.Length; at += Step)
        {
            ReadOnlySpan<byte> part = source[at..Math.Min(at + Step, source.Length)];
            if (!part.SequenceEqual(destination.Slice(at, part.Length)))
            {
                part.CopyTo(destination[at..]);
            }
        }
    }

    /// <summary>Whether any of some pages is RAM or ROM. A range that begins in a device's memory is the device's.</summary>
    internal bool HasMemory(ulong physical, ulong length) => DeviceAt(physical) is null && new ReadOnlySpan<byte>(_kinds + (physical / PageSize), (int)(length / PageSize)).ContainsAnyExcept((byte)0);

    // Memory of devices is saved by them, wherever it was mapped.
    private void CutKinds(Span<byte> kinds)
    {
        foreach (ref byte kind in kinds)
        {
            kind &= (byte)SavedKinds;
        }

        foreach (DeviceRange range in _devices)
        {
            kinds.Slice((int)(range.Start / PageSize), (int)(range.Length / PageSize)).Clear();
        }
    }

    // Blocks of 1 MiB, by their addresses.
    private sealed class Chunks(PhysicalMemory memory) : StateBlocks
    {
        private const ulong Size = 1 << 20;

        public override long Next(long number)
        {
            for (ulong at = ((ulong)number + Size - 1) & ~(Size - 1); at < memory.Top; at += Size)
            {
                // The hole below 4 GiB is never looked at: reading it would make the host back it.
                if (memory.HasMemory(at, SizeAt(at)) && !IsZero(memory._base + at, SizeAt(at)))
                {
                    return (long)at;
                }
            }

            return -1;
        }

        public override ReadOnlySpan<byte> Read(long number) => new(memory._base + number, (int)SizeAt((ulong)number));

        public override Span<byte> Room(long number, long length) =>
            (ulong)number % Size == 0 && (ulong)number < memory.Top ? new(memory._base + number, (int)SizeAt((ulong)number)) : default;

        private ulong SizeAt(ulong at) => Math.Min(Size, memory.Top - at);
    }
}
