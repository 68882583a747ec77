namespace VirtShell.Cpu.Memory;

/// <summary>
/// Copies of entries of the current user view, one at each place where emitted user code accesses memory: an access that finds its page
/// there needs no look at the TLB. A copy says nothing that its entry does not say as well: whatever takes something from an entry
/// of which there are copies, or makes another view the current one, drops them all.
/// </summary>
internal static unsafe class TlbSites
{
    /// <summary>Sites; emitted code uses them in turn.</summary>
    public const int Count = 1024;

    /// <summary>Bytes of a copy: a <see cref="TlbEntry"/>, whose last field says whether the site is listed.</summary>
    public const int Bytes = 32;

    /// <summary>Copies that are dropped one by one; where there are more, all sites are emptied.</summary>
    public const int Listed = 128;

    /// <summary>In <see cref="TlbEntry.Physical"/>: there may be copies.</summary>
    public const ulong Copied = 4;

    /// <summary>Empties all sites of a new processor. No tag of theirs matches, but <paramref name="memory"/>, of the guest, is all that one could reach.</summary>
    public static void Initialize(CpuState* state, byte* memory)
    {
        for (int i = 0; i < Count; i++)
        {
            Empty(state, i * Bytes);
            Site(state, i * Bytes)->Page = (ulong)memory;
        }
    }

    /// <summary>Drops every copy.</summary>
    public static void Drop(CpuState* state)
    {
        uint used = state->TlbSitesUsed;
        if (used == 0)
        {
            return;
        }

        state->TlbSitesUsed = 0;
        if (used < Listed)
        {
            for (int i = 0; i < used; i++)
            {
                Empty(state, state->TlbSitesList[i]);
            }
        }
        else
        {
            for (int i = 0; i < Count; i++)
            {
                Empty(state, i * Bytes);
            }
        }
    }

    private static void Empty(CpuState* state, int site)
    {
        TlbEntry* copy = Site(state, site);
        copy->TagRead = TlbContext.UnusedBase;
        copy->TagWrite = TlbContext.UnusedBase;
        copy->Physical = 0;
    }

    private static TlbEntry* Site(CpuState* state, int site) => (TlbEntry*)((byte*)state->TlbSites + site);
}
