using System;
using System.Collections.Generic;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Translation;
using VirtShell.State;

namespace VirtShell.Cpu.Memory;

/// <summary>
/// Linear to physical: page walks, the soft TLBs and every access that they do not serve. A TLB set is kept for each of a
/// few PCIDs, so that a switch between them flushes nothing.
/// </summary>
internal sealed unsafe partial class Mmu : IDisposable
{
    /// <summary>Privilege views of the data TLB.</summary>
    internal const int UserView = 0;

    /// <summary>Supervisor, SMAP in force where CR4.SMAP is set (EFLAGS.AC clear).</summary>
    internal const int SupervisorView = 1;

    /// <summary>Supervisor with SMAP suspended by EFLAGS.AC.</summary>
    internal const int SupervisorAcView = 2;
    internal const int ExecSize = 512;
    private const int Contexts = 8;

    /// <summary>Tables of branch targets kept at most, of up to 1 MiB each: there are keys enough for a guest to ask for thousands.</summary>
    private const int MaxJumpTables = 32;

    private readonly PhysicalMemory _memory;
    private readonly ICpuBus _bus;
    private readonly CpuState* _s;
    [NotState("Filled anew from the page tables.")]
    private readonly TlbContext[] _contexts = new TlbContext[Contexts];
    [NotState("Filled anew from the page tables.")]
    private readonly TlbContext _slow;
    [NotState("Filled anew from the page tables.")]
    private readonly JumpTableMemory _jumpMemory = new(MaxJumpTables);
    [NotState("Filled anew from the page tables.")]
    private readonly Queue<(TlbContext Context, int Key)> _jumpTables = [];
    [NotState("Filled anew from the page tables.")]
    private TlbContext _current;
    [NotState("Filled anew from the page tables.")]
    private long _useCounter;
    private ulong _a20Mask = ulong.MaxValue;

    // Whether the page that the last walk came to is global (SDM Vol. 3A §4.10.2.4).
    [NotState("Filled anew from the page tables.")]
    private bool _global;

    internal Mmu(CpuState* state, PhysicalMemory memory, ICpuBus bus)
    {
        _s = state;
        _memory = memory;
        _bus = bus;
        for (int i = 0; i < Contexts; i++)
        {
            _contexts[i] = new TlbContext(state, _jumpMemory);
        }

        _slow = new TlbContext(state, _jumpMemory);
        _current = _contexts[0];
        TlbSites.Initialize(state, memory.Base);
    }

    internal enum Access
    {
        Read,
        Write,
        Execute,
    }

    /// <summary>How often mappings that code is found by have been dropped.</summary>
    [NotState("Counts for the host.")]
    internal long Flushes { get; private set; }

    /// <summary>Data TLB misses so far, for statistics.</summary>
    [NotState("Counts for the host.")]
    public long Misses { get; private set; }

    /// <summary>Non-zero while every data access must take the slow path (alignment checks, data breakpoints).</summary>
    [NotState("Set within a run alone.")]
    internal bool ForceSlow { get; set; }

    /// <summary>Whether bit 7 of a page-directory-pointer entry makes a page of 1 GiB; else it is reserved (SDM Vol. 3A §4.5).</summary>
    internal bool HasGigabytePages { get; init; }

    /// <summary>Whether the last page that <see cref="TryTranslateFetch"/> gave is global.</summary>
    internal bool IsGlobal => _global;

    internal ulong A20Mask => _a20Mask;

    /// <summary>Host memory that the soft TLBs and jump tables take, in bytes. From any thread.</summary>
    public ulong HostBytes()
    {
        ulong bytes = _slow.HostBytes() + _jumpMemory.ResidentBytes();
        foreach (TlbContext context in _contexts)
        {
            bytes += context.HostBytes();
        }

        return bytes;
    }

    public void Dispose()
    {
        foreach (TlbContext context in _contexts)
        {
            context.Dispose();
        }

        _slow.Dispose();
        _jumpMemory.Dispose();
    }

    internal void SetA20(bool enabled)
    {
        _a20Mask = enabled ? ulong.MaxValue : ~(1UL << 20);
        FlushAll();
    }

    /// <summary>Points the state at the TLBs of the current context and privilege; call after any change of CPL, AC, SMAP or <see cref="ForceSlow"/>.</summary>
    internal void SelectView()
    {
        int view = _s->Cpl == 3 ? UserView
            : (_s->FlagsRest & Flags.AlignmentCheck) != 0 && (_s->Cr4 & ControlBits.Cr4Smap) != 0 ? SupervisorAcView
            : SupervisorView;
        _s->Tlb = ForceSlow ? _slow.View(0) : _current.View(view);
        _s->SystemTlb = ForceSlow ? _slow.View(0) : _current.View(SupervisorView);
        _s->AcTlb = _current.View((_s->Cr4 & ControlBits.Cr4Smap) != 0 ? SupervisorAcView : SupervisorView);
        _s->UserTlb = (_s->Efer & ControlBits.EferLongActive) != 0 ? _current.View(UserView) : null;
        _s->ExecTlb = _current.Exec;
    }

    internal void FlushAll()
    {
        Flushes++;
        foreach (TlbContext context in _contexts)
        {
            context.Flush();
        }

        _slow.Flush();
    }

    /// <summary>Flushes what belongs to one PCID; global pages stay.</summary>
    internal void FlushPcid(ulong pcid)
    {
        Flushes++;
        foreach (TlbContext context in _contexts)
        {
            if (context.Pcid == pcid)
            {
                context.Flush(keepGlobal: true);
            }
        }
    }

    /// <summary>Makes the TLB set of <paramref name="pcid"/> (0 when CR4.PCIDE is clear) current.</summary>
    internal void SwitchPcid(ulong pcid, bool flush)
    {
        Flushes++;
        TlbContext? found = null;
        TlbContext oldest = _contexts[0];
        foreach (TlbContext context in _contexts)
        {
            if (context.Pcid == pcid)
            {
                found = context;
                break;
            }

            if (context.LastUse < oldest.LastUse)
            {
                oldest = context;
            }
        }

        if (found == null)
        {
            found = oldest;
            found.Flush(keepGlobal: true);
            found.Pcid = pcid;
        }
        else if (flush)
        {
            found.Flush(keepGlobal: true);
        }

        found.LastUse = ++_useCounter;
        if (_current != found)
        {
            TlbSites.Drop(_s);
            _current = found;
        }

        SelectView();
    }

    internal void FlushPage(ulong linear)
    {
        Flushes++;
        foreach (TlbContext context in _contexts)
        {
            context.FlushPage(linear);
        }
    }

    /// <summary>Takes write permission for a physical page out of every TLB, so that stores to it reach the slow path.</summary>
    internal void ProtectPhysicalPage(ulong physicalPage)
    {
        foreach (TlbContext context in _contexts)
        {
            context.ProtectPhysical(physicalPage);
        }
    }

    /// <summary>The same for every page.</summary>
    internal void ProtectAllPages()
    {
        foreach (TlbContext context in _contexts)
        {
            context.ProtectAll();
        }
    }

    /// <summary>Drops everything that names decoded code.</summary>
    internal void FlushExec()
    {
        Flushes++;
        foreach (TlbContext context in _contexts)
        {
            context.FlushExec();
        }
    }

    /// <summary>Translated branch targets of the current address space.</summary>
    internal JumpTable Jumps(int key) => _current.Jumps(key) ?? AddJumps(key);

    /// <summary>The same, where there have been any.</summary>
    internal JumpTable? JumpsIfAny(int key) => _current.Jumps(key);

    /// <summary>Makes a table, in place of the oldest where there are many. Emitted code must not be running.</summary>
    private JumpTable AddJumps(int key)
    {
        if (_jumpTables.Count >= MaxJumpTables)
        {
            (TlbContext context, int oldest) = _jumpTables.Dequeue();
            context.DropJumps(oldest);
        }

        _jumpTables.Enqueue((_current, key));
        return _current.AddJumps(key);
    }

    internal void AddExec(ulong linear, CodePage* page) => _current.AddExec(linear, (linear & ~0xFFFUL) | _s->ExecKey, page);

    /// <summary>Translates for an instruction fetch. False: the fault stands in the vCPU.</summary>
    /// <remarks>
    /// A page is walked once until its mapping is flushed, whatever engine asks how often: accessed bits are set at the same
    /// instructions by both.
    /// </remarks>
    internal bool TryTranslateFetch(ulong linear, out ulong physical)
    {
        bool user = _s->Cpl == 3;
        ulong key = (linear & ~0xFFFUL) | (user ? 1UL : 0);
        if (_current.TryGetFetch(key, out ulong page, out _global))
        {
            physical = page | (linear & 0xFFF);
            return true;
        }

        if (!Walk(linear, Access.Execute, user, smap: false, out physical, out _, commit: true))
        {
            return false;
        }

        _current.AddFetch(key, physical & ~0xFFFUL, _global);
        return true;
    }

    /// <summary>Translates without side effects or faults, for debuggers and crash reports.</summary>
    internal bool TryTranslateDebug(ulong linear, out ulong physical)
    {
        (int vector, uint error, bool has, ulong cr2) = CpuState.Of(_s).SaveFault();
        bool ok = Walk(linear, Access.Read, user: false, smap: false, out physical, out _, commit: false);
        CpuState.Of(_s).RestoreFault(vector, error, has, cr2);
        return ok;
    }

    internal void CheckWrite(ulong linear, int size)
    {
        CheckAlignment(linear, size);
        TranslateOrThrow(linear, Access.Write, system: false);
        if ((linear & 0xFFF) + (ulong)size > 4096)
        {
            TranslateOrThrow((linear + (ulong)size - 1) & _s->LinearMask, Access.Write, system: false);
        }
    }

    internal void CheckRead(ulong linear, int size)
    {
        CheckAlignment(linear, size);
        TranslateOrThrow(linear, Access.Read, system: false);
        if ((linear & 0xFFF) + (ulong)size > 4096)
        {
            TranslateOrThrow((linear + (ulong)size - 1) & _s->LinearMask, Access.Read, system: false);
        }
    }

    internal void ReadBytes(ulong linear, Span<byte> destination, bool system)
    {
        if (!system)
        {
            CheckAlignment(linear, destination.Length);
        }

        int inFirst = (int)Math.Min(4096 - (linear & 0xFFF), (ulong)destination.Length);
        ulong first = TranslateOrThrow(linear, Access.Read, system);
        if (inFirst < destination.Length)
        {
            ulong second = TranslateOrThrow((linear + (ulong)inFirst) & _s->LinearMask, Access.Read, system);
            ReadPhysical(second, destination[inFirst..]);
        }

        ReadPhysical(first, destination[..inFirst]);
        if (ForceSlow)
        {
            CpuState.Of(_s).NoteDataAccess(linear, destination.Length, write: false);
        }
    }

    internal void WriteBytes(ulong linear, ReadOnlySpan<byte> source, bool system)
    {
        if (!system)
        {
            CheckAlignment(linear, source.Length);
        }

        int inFirst = (int)Math.Min(4096 - (linear & 0xFFF), (ulong)source.Length);
        ulong first = TranslateOrThrow(linear, Access.Write, system);
        if (inFirst < source.Length)
        {
            ulong second = TranslateOrThrow((linear + (ulong)inFirst) & _s->LinearMask, Access.Write, system);
            WritePhysical(second, source[inFirst..]);
        }

        WritePhysical(first, source[..inFirst]);
        if (ForceSlow)
        {
            CpuState.Of(_s).NoteDataAccess(linear, source.Length, write: true);
        }
    }

    /// <summary>Physical address, with TLB fill and A/D update, or the guest's exception.</summary>
    internal ulong TranslateOrThrow(ulong linear, Access access, bool system)
    {
        int view = _s->Cpl == 3 && !system ? UserView : SupervisorView;
        bool smap = view == SupervisorView && (_s->Cr4 & ControlBits.Cr4Smap) != 0;
        if (smap && !system && (_s->FlagsRest & Flags.AlignmentCheck) != 0)
        {
            smap = false;
            view = SupervisorAcView;
        }

        if (!TryTranslate(linear, access, view, smap, out ulong physical))
        {
            CpuState.Of(_s).ThrowPendingFault();
        }

        return physical;
    }

    /// <summary>Fills the TLB for an access of emitted code. False: the access cannot be made by it, and <paramref name="fault"/> tells whether it faults (the fault stands in the vCPU).</summary>
    internal bool TryFill(ulong linear, bool write, out bool fault)
    {
        int view = _s->Cpl == 3 ? UserView : SupervisorView;
        bool smap = view == SupervisorView && (_s->Cr4 & ControlBits.Cr4Smap) != 0;
        if (smap && (_s->FlagsRest & Flags.AlignmentCheck) != 0)
        {
            smap = false;
            view = SupervisorAcView;
        }

        fault = !TryTranslate(linear, write ? Access.Write : Access.Read, view, smap, out _);
        TlbEntry* e = _current.View(view) + ((linear >> 12) & Mem.TlbMask);
        return !fault && (write ? e->TagWrite : e->TagRead) == (linear & ~0xFFFUL);
    }

    private bool TryTranslate(ulong linear, Access access, int view, bool smap, out ulong physical)
    {
        // What the TLB knows needs no walk: a store to a page with code, an access that crosses pages.
        TlbEntry* e = _current.View(view) + ((linear >> 12) & Mem.TlbMask);
        if (!ForceSlow && e->TagRead == (linear & ~0xFFFUL) && (access == Access.Read || (e->Physical & 1) != 0))
        {
            physical = (e->Physical & ~0xFFFUL) | (linear & 0xFFF);
            if (access == Access.Write && _memory.KindOf(physical) == PageKinds.Ram)
            {
                // Whatever stores were watched for is over.
                e->TagWrite = e->TagRead;
            }

            return true;
        }

        if (!Walk(linear, access, view == UserView, smap, out physical, out bool writable, commit: true))
        {
            return false;
        }

        Misses++;
        if (!ForceSlow)
        {
            PageKinds kind = _memory.KindOf(physical);
            if ((kind & (PageKinds.Ram | PageKinds.Rom)) != 0)
            {
                _current.Fill(view, linear, physical & ~0xFFFUL, _memory.Base, writable, _global, kind);
            }
        }

        return true;
    }

    internal void ReadPhysical(ulong physical, Span<byte> destination)
    {
        if ((_memory.KindOf(physical) & (PageKinds.Ram | PageKinds.Rom)) != 0)
        {
            new ReadOnlySpan<byte>(_memory.Base + physical, destination.Length).CopyTo(destination);
            return;
        }

        while (destination.Length > 0)
        {
            int size = MmioSize(physical, destination.Length);
            ulong value = _bus.ReadMmio(physical, size);
            new ReadOnlySpan<byte>(&value, size).CopyTo(destination);
            destination = destination[size..];
            physical += (ulong)size;
        }
    }

    internal void WritePhysical(ulong physical, ReadOnlySpan<byte> source)
    {
        PageKinds kind = _memory.KindOf(physical);
        if ((kind & PageKinds.Ram) != 0)
        {
            source.CopyTo(new Span<byte>(_memory.Base + physical, source.Length));
            if ((kind & PageKinds.Watched) != 0)
            {
                _memory.NoteStore(physical, (ulong)source.Length);
            }

            return;
        }

        while (source.Length > 0)
        {
            int size = MmioSize(physical, source.Length);
            ulong value = 0;
            source[..size].CopyTo(new Span<byte>(&value, size));
            _bus.WriteMmio(physical, size, value);
            source = source[size..];
            physical += (ulong)size;
        }
    }

    /// <summary>The largest power of two up to 8 that fits; devices see an access as the guest made it where it is aligned.</summary>
    private static int MmioSize(ulong physical, int length)
    {
        _ = physical;
        return length >= 8 ? 8 : length >= 4 ? 4 : length >= 2 ? 2 : 1;
    }

    private void CheckAlignment(ulong linear, int size)
    {
        if (ForceSlow && size is 2 or 4 or 8 or 10 or 16 && _s->Cpl == 3
            && (_s->FlagsRest & Flags.AlignmentCheck) != 0 && (_s->Cr0 & ControlBits.Cr0AlignmentMask) != 0
            && (linear & (ulong)((size == 10 ? 8 : size) - 1)) != 0)
        {
            CpuState.Of(_s).ThrowFault(Vector.AlignmentCheck, 0, true);
        }
    }
}
