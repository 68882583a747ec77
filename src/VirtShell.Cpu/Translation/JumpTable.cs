using System;

namespace VirtShell.Cpu.Translation;

/// <summary>
/// Translated targets of indirect branches, calls, returns and branches to other pages: RIP to host code, for one address
/// space and translation key. Direct-mapped; the targets in one guest page stand together, so that INVLPG drops them at once.
/// </summary>
/// <remarks>
/// One entry is 16 bytes: RIP, then the executable address. It stands at RIP ∧ <see cref="Mask"/>, so that emitted code hardly
/// computes: eight bits choose among 256 groups by the page, eight bits an entry of the group by the offset in units of 16, to which
/// compilers align most targets. What is not there may be in the entry's neighbour, the other one of two: a new target moves an old one there.
/// </remarks>
internal sealed unsafe class JumpTable : IDisposable
{
    private const int Mask = 0xF_FFF0;
    private const int Code = 8;
    private const int Groups = 256;
    private const int GroupEntries = 256;
    private const ulong EntryBytes = 16;
    public const ulong Bytes = Groups * GroupEntries * EntryBytes;

    /// <summary>Stands in unused entries but the first two: it would be looked for in those, so that no RIP matches an unused entry.</summary>
    private const ulong Unused = 1UL << 63;

    /// <summary>The same for the first two entries, as it would be looked for in the next two.</summary>
    private const ulong UnusedFirst = Unused | (2 * EntryBytes);

    private readonly JumpTableMemory _memory;
    private ulong* _entries;
    private readonly bool[] _touched = new bool[Groups];
    private bool _hasLocal;

    public JumpTable(JumpTableMemory memory)
    {
        _memory = memory;
        _entries = (ulong*)memory.Take();

        // An untouched entry has the tag 0, which only RIP 0 could match, and that looks at the first two.
        _entries[0] = UnusedFirst;
        _entries[2] = UnusedFirst;
    }

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

        ulong* entry = Find(rip);
        if (entry == null)
        {
            entry = Entry(rip);
            if (IsUsed(entry))
            {
                ulong* neighbour = Neighbour(entry);
                neighbour[0] = entry[0];
                neighbour[1] = entry[1];
            }
        }

        entry[0] = rip;
        entry[1] = (ulong)code;
    }

    /// <summary>Drops one target.</summary>
    public void Remove(ulong rip)
    {
        ulong* entry = Find(rip);
        if (entry != null)
        {
            entry[0] = UnusedTag(entry);
        }
    }

    public bool TryGet(ulong rip, out byte* code)
    {
        ulong* entry = Find(rip);
        code = entry != null ? (byte*)entry[1] : null;
        return code != null;
    }

    /// <summary>Drops every target in the page of a linear address, and in the one before: the last instruction there may end in this one.</summary>
    public void FlushPage(ulong linear)
    {
        DropGroup(GroupOf(linear));
        DropGroup(GroupOf(linear - 4096));
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

    /// <summary>Gives its memory back, without any target in it.</summary>
    public void Dispose()
    {
        if (_entries != null)
        {
            Flush(keepGlobal: false);
            _memory.Return((byte*)_entries);
            _entries = null;
        }
    }

    /// <summary>
    /// Emits the search for the RIP in the scratch register (and <paramref name="copied"/> to the second one): its entry into the second one, which <see cref="EmitEnter"/> then uses. Gives
    /// the jump that is taken where it is not there, to what <see cref="EmitLookUpNeighbour"/> emits, and where that comes back to.
    /// </summary>
    public static byte* EmitLookUp(ref CodeWriter code, out byte* found, bool copied = false)
    {
        if (!copied)
        {
            code.Move32(HostRegister.Scratch2, HostRegister.Scratch);
        }

        code.AluImmediate(CodeWriter.And, HostRegister.Scratch2, Mask, wide: false);
        code.AluState(CodeWriter.Add, HostRegister.Scratch2, StateOffset.JumpTable);
        EmitCompare(ref code);
        byte* other = code.JumpIf(5);
        found = code.At;
        return other;
    }

    /// <summary>Emits a jump or a call to the code of the entry in the second scratch register.</summary>
    public static void EmitEnter(ref CodeWriter code, bool call)
    {
        // jmp or call [r10 + 8]
        code.Rex(false, 0, HostRegister.Scratch2);
        code.Byte(0xFF);
        code.ModMemory(call ? 2 : 4, HostRegister.Scratch2, Code);
    }

    /// <summary>Emits the search in the neighbour of the entry in the second scratch register; falls through where the RIP is not there either.</summary>
    public static void EmitLookUpNeighbour(ref CodeWriter code, byte* found)
    {
        code.AluImmediate(CodeWriter.Xor, HostRegister.Scratch2, (int)EntryBytes);
        EmitCompare(ref code);
        CodeWriter.Patch(code.JumpIf(4), found);
    }

    // cmp r9, [r10]
    private static void EmitCompare(ref CodeWriter code)
    {
        code.Rex(true, HostRegister.Scratch, HostRegister.Scratch2);
        code.Byte(0x3B);
        code.ModMemory(HostRegister.Scratch, HostRegister.Scratch2);
    }

    private static ulong IndexOf(ulong rip) => (rip & Mask) / EntryBytes;

    private static int GroupOf(ulong rip) => (int)(IndexOf(rip) / GroupEntries);

    private ulong* Entry(ulong rip) => _entries + (IndexOf(rip) * 2);

    private static ulong* Neighbour(ulong* entry) => (ulong*)((ulong)entry ^ EntryBytes);

    private ulong UnusedTag(ulong* entry) => entry - _entries < 4 ? UnusedFirst : Unused;

    private bool IsUsed(ulong* entry) => entry[1] != 0 && entry[0] != UnusedTag(entry);

    /// <summary>The entry that holds a RIP, or null.</summary>
    private ulong* Find(ulong rip)
    {
        ulong* entry = Entry(rip);
        if (entry[0] != rip)
        {
            entry = Neighbour(entry);
        }

        return entry[0] == rip && IsUsed(entry) ? entry : null;
    }

    private void DropGroup(int group)
    {
        if (_touched[group])
        {
            Clear(group);
        }
    }

    private void Clear(int group)
    {
        ulong* entry = _entries + ((ulong)group * GroupEntries * 2);
        for (int i = 0; i < GroupEntries; i++)
        {
            entry[i * 2] = UnusedTag(entry + (i * 2));
        }
    }
}
