using System;

namespace VirtShell.Cpu.Translation;

/// <summary>Code that a block rarely runs, behind the rest of it.</summary>
internal enum ColdKind : byte
{
    Exit,
    Miss,
    SiteMiss,
    Vectors,
    LookUp,
    Fold,
    Edge,
}

/// <summary>The cold parts of a block that wait to be emitted.</summary>
internal sealed unsafe class ColdCode
{
    private ColdPart[] _parts = new ColdPart[64];

    public int Count { get; private set; }

    public ref ColdPart Last => ref _parts[Count - 1];

    public void Clear() => Count = 0;

    public ref readonly ColdPart At(int index) => ref _parts[index];

    /// <summary>A new part; what its kind does not use is left as it was.</summary>
    public ref ColdPart Add(ColdKind kind, byte* from)
    {
        if (Count == _parts.Length)
        {
            Array.Resize(ref _parts, Count * 2);
        }

        ref ColdPart part = ref _parts[Count++];
        part.Kind = kind;
        part.From = from;
        return ref part;
    }
}

/// <summary>What a cold part needs to know of the place that it belongs to.</summary>
internal unsafe struct ColdPart
{
    public ColdKind Kind;
    public bool Write;
    public bool InHost;

    /// <summary>The flags have been handed on already.</summary>
    public bool Passed;

    /// <summary>Back to a repeated string instruction, which has not ended.</summary>
    public bool Repeats;
    public uint HostFlags;
    public byte* From;
    public byte* Back;
    public int Id;
    public int Owed;

    /// <summary>The site's copy of a TLB entry, as a place in the state.</summary>
    public int Place;

    /// <summary>The guest register that the second scratch register holds, to be loaded again; -1 for none.</summary>
    public int Held;

    /// <summary>Where the entry was looked up, and need not be again; null where it is an earlier access's.</summary>
    public byte* Exact;
    public int Item;

    /// <summary>Bytes of the window that was to be checked, and where in it the access is.</summary>
    public int Span;
    public int Operand;

    /// <summary>Bytes by which the register of the guest's RSP lags behind.</summary>
    public int StackMoves;
    public ulong Target;
    public FlagThunk Flags;
    public FlagThunk Partial;
}
