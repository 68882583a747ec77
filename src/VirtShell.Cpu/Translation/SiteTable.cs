using System.Collections.Generic;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Translation;

/// <summary>Where the accesses of a block keep their copies of TLB entries: those from one site in one place.</summary>
internal sealed class SiteTable
{
    private readonly List<long> _sites = [];
    private readonly List<int> _places = [];
    private bool _copies;
    private int _next;

    /// <summary>Begins a block, whose accesses keep copies or only share what a register holds.</summary>
    public void Begin(bool copies)
    {
        _sites.Clear();
        _places.Clear();
        _copies = copies;
    }

    /// <summary>Place in the state for a site.</summary>
    public int PlaceOf(long site)
    {
        int known = _sites.IndexOf(site);
        if (known < 0)
        {
            known = _sites.Count;
            _sites.Add(site);
            _places.Add(StateOffset.TlbSite((_copies ? _next++ : known) & (TlbSites.Count - 1)));
        }

        return _places[known];
    }
}
