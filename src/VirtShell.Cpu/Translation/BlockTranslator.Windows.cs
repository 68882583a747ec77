namespace VirtShell.Cpu.Translation;

/// <summary>
/// Accesses of a block whose addresses differ by constants lie in a <b>window</b>: the first one checks that all of it is in one page,
/// and the others need no check of their own. Where a window crosses pages, the block goes on in a strict translation, where each
/// access is checked by itself.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>Before the first instruction, and after whatever may have changed mappings: nothing has been checked.</summary>
    private void CloseWindows()
    {
        for (int i = 0; i < _plan.WindowCount; i++)
        {
            _windows[i] = default;
        }

        _now.PointsTo = -1;
    }

    /// <summary>Whether the access needs no check: the scratch register then points to its window.</summary>
    private bool TryReach(in WindowAccess access, bool write)
    {
        ref PlannedWindow planned = ref _plan.Windows[access.Window];
        ref WindowState window = ref _windows[access.Window];
        _now.Operand = (int)(access.Offset - planned.Start);
        if (!window.IsOpen || (write && !window.IsWritable))
        {
            return false;
        }

        if (!PointsTo(access.Window))
        {
            if (!window.IsKept)
            {
                return false;
            }

            _code.LoadState(HostRegister.Scratch, StateOffset.Window(planned.Slot));
            PointTo(access.Window);
        }

        return true;
    }

    /// <summary>The check has succeeded, and the scratch register points to the access's window.</summary>
    private void Open(in WindowAccess access, bool write)
    {
        ref WindowState window = ref _windows[access.Window];
        window.IsWritable = write || (window.IsOpen && window.IsWritable);
        window.IsOpen = true;
        window.IsKept = false;
        PointTo(access.Window);
        if (_plan.Windows[access.Window].Last > access.Ordinal && _plan.AccessOrder[access.Ordinal + 1] != access.Window)
        {
            // The next access needs the register for another address.
            Keep(in access);
        }
    }

    /// <summary>Keeps the pointer to an open window in its slot.</summary>
    private void Keep(in WindowAccess access)
    {
        byte slot = _plan.Windows[access.Window].Slot;
        for (int i = 0; i < _plan.WindowCount; i++)
        {
            _windows[i].IsKept &= _plan.Windows[i].Slot != slot;
        }

        _code.StoreState(StateOffset.Window(slot), HostRegister.Scratch);
        _windows[access.Window].IsKept = true;
        PointTo(access.Window);
    }

    /// <summary>Slots of windows that later accesses rely on, as bits.</summary>
    private ushort KeptSlots(int ordinal)
    {
        int kept = 0;
        for (int i = 0; i < _plan.WindowCount; i++)
        {
            ref PlannedWindow planned = ref _plan.Windows[i];
            kept |= _windows[i].IsOpen && _windows[i].IsKept && planned.Last >= ordinal ? 1 << planned.Slot : 0;
        }

        return (ushort)kept;
    }

    private bool PointsTo(int window) => _now.PointsTo == window && (_code.Touched & ScratchBit) == 0;

    private void PointTo(int window)
    {
        _now.PointsTo = window;
        _code.Touched &= ~ScratchBit;
    }
}
