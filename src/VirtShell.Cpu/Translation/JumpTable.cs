using System;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Translation;

/// <summary>
/// Translated targets of indirect branches, calls, returns and branches to other pages: RIP to host code, for one address
/// space and translation key. Direct-mapped; the targets in one guest page stand together, so that INVLPG drops them at once.
/// </summary>
/// <remarks>
/// One entry is 16 bytes: RIP, then the executable address. Emitted code reads it at (RIP ^ RIP » 5) ∧ <see cref="Mask"/>: eight
/// bits choose among 256 groups by the page, eight bits an entry of the group by the offset. The bits between stay zero, so
/// that one mask is enough; what lies there is never touched and costs nothing.
/// </remarks>
internal sealed unsafe class JumpTable : IDisposable
{
    public const int MixShift = 5;
    public const int EntryShift = 4;
    public const int Mask = 0xF_F0FF;
    private const int Groups = 256;
    private const int GroupEntries = 256;
    private const int GroupSpan = 4096;
    private const ulong Bytes = (ulong)Groups * GroupSpan << EntryShift;

    /// <summary>No RIP that stands in any entry but the first: the RIPs that are this or <see cref="UnusedFirst"/> are looked for elsewhere, and emitted code jumps without a further look.</summary>
    private const ulong Unused = 1UL << 63;

    /// <summary>The same for the first entry, where <see cref="Unused"/> itself would be looked for.</summary>
    private const ulong UnusedFirst = Unused | 1;

    private ulong* _entries = Create();
    private readonly bool[] _touched = new bool[Groups];
    private bool _hasLocal;

    ~JumpTable() => Release();

    public nint Address => (nint)_entries;

    /// <summary>Enters a target; <paramref name="global"/> where its page is mapped in every address space.</summary>
    public void Add(ulong rip, byte* code, bool global)
    {
        _hasLocal |= !global;
        int group = GroupOf(rip);
        if (!_touched[group])
        {
            Clear(group);
            _touched[group] = true;
        }

        ulong* entry = Entry(rip);
        entry[0] = rip;
        entry[1] = (ulong)code;
    }

    /// <summary>Drops one target.</summary>
    public void Remove(ulong rip)
    {
        ulong* entry = Entry(rip);
        if (entry[0] == rip)
        {
            entry[0] = entry == _entries ? UnusedFirst : Unused;
        }
    }

    public bool TryGet(ulong rip, out byte* code)
    {
        ulong* entry = Entry(rip);
        code = (byte*)entry[1];
        return entry[0] == rip && code != null;
    }

    /// <summary>Drops every target in the page of a linear address.</summary>
    public void FlushPage(ulong linear)
    {
        int group = GroupOf(linear);
        if (_touched[group])
        {
            Clear(group);
        }
    }

    /// <summary>Drops every target; keeps them where all are global and those may stay.</summary>
    public void Flush(bool keepGlobal)
    {
        if (keepGlobal && !_hasLocal)
        {
            return;
        }

        _hasLocal = false;
        for (int group = 0; group < _touched.Length; group++)
        {
            if (_touched[group])
            {
                Clear(group);
                _touched[group] = false;
            }
        }
    }

    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    /// <summary>Emits the search for the RIP in the scratch register: host code into the second one. Gives the jump that is taken where it is not there.</summary>
    public static byte* EmitLookUp(ref CodeWriter code)
    {
        code.Move32(HostRegister.Scratch2, HostRegister.Scratch);
        code.ShiftRight(HostRegister.Scratch2, MixShift);
        code.AluRegister(CodeWriter.Xor, HostRegister.Scratch2, HostRegister.Scratch, wide: false);
        code.AluImmediate(CodeWriter.And, HostRegister.Scratch2, Mask, wide: false);
        code.ShiftLeft(HostRegister.Scratch2, EntryShift);
        code.AluState(CodeWriter.Add, HostRegister.Scratch2, StateOffset.JumpTable);
        code.Rex(true, HostRegister.Scratch, HostRegister.Scratch2);
        code.Byte(0x3B);
        code.ModMemory(HostRegister.Scratch, HostRegister.Scratch2);
        byte* miss = code.JumpIf(5);
        code.Load(HostRegister.Scratch2, HostRegister.Scratch2, 8);
        return miss;
    }

    private static ulong IndexOf(ulong rip) => ((uint)rip ^ ((uint)rip >> MixShift)) & Mask;

    private static int GroupOf(ulong rip) => (int)(IndexOf(rip) >> 12);

    // An untouched entry has the tag 0, which only RIP 0 could match, and that looks at the first one.
    private static ulong* Create()
    {
        ulong* entries = (ulong*)HostMemory.Reserve(Bytes);
        entries[0] = UnusedFirst;
        return entries;
    }

    private ulong* Entry(ulong rip) => _entries + (IndexOf(rip) * 2);

    private void Clear(int group)
    {
        ulong* entry = _entries + ((ulong)group * GroupSpan * 2);
        for (int i = 0; i < GroupEntries; i++)
        {
            entry[i * 2] = Unused;
        }

        if (group == 0)
        {
            entry[0] = UnusedFirst;
        }
    }

    private void Release()
    {
        if (_entries != null)
        {
            HostMemory.Release((byte*)_entries, Bytes);
            _entries = null;
        }
    }
}
