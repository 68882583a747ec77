using System.Collections.Generic;
using System.Globalization;

namespace VirtShell.Host.Crash;

/// <summary>The page tables' entries on the way to a linear address (Intel SDM 3A, chapter 4), for people.</summary>
internal static class PageWalk
{
    private const ulong Cr0Paging = 1UL << 31;
    private const ulong Cr4PageSizeExtensions = 1UL << 4;
    private const ulong Cr4PhysicalAddressExtension = 1UL << 5;
    private const ulong Cr4FiveLevels = 1UL << 12;
    private const ulong EferLongModeActive = 1UL << 10;

    private const ulong Present = 1;
    private const ulong Writable = 2;
    private const ulong User = 4;
    private const ulong Accessed = 0x20;
    private const ulong Dirty = 0x40;
    private const ulong LargePage = 0x80;
    private const ulong Global = 0x100;
    private const ulong NoExecute = 1UL << 63;
    private const ulong LongAddressMask = 0x000F_FFFF_FFFF_F000;

    private static readonly string[] s_longNames = ["PML5E", "PML4E", "PDPTE", "PDE", "PTE"];

    /// <summary>Whether paging is on.</summary>
    public static bool IsPaging(GuestView guest) => (guest.Register("CR0").GetValueOrDefault() & Cr0Paging) != 0;

    /// <summary>One line for each entry down to the first that is not present, or to the page.</summary>
    public static IReadOnlyList<string> Of(GuestView guest, ulong linear)
    {
        List<string> lines = [];
        ulong cr3 = guest.Register("CR3").GetValueOrDefault();
        ulong cr4 = guest.Register("CR4").GetValueOrDefault();
        bool isLong = (guest.Register("EFER").GetValueOrDefault() & EferLongModeActive) != 0;
        if (isLong)
        {
            int first = (cr4 & Cr4FiveLevels) != 0 ? 0 : 1;
            WalkWide(guest, linear, cr3 & LongAddressMask, first, lines);
        }
        else if ((cr4 & Cr4PhysicalAddressExtension) != 0)
        {
            WalkWide(guest, (uint)linear, cr3 & 0xFFFF_FFE0, 2, lines);
        }
        else
        {
            WalkLegacy(guest, (uint)linear, (uint)cr3 & 0xFFFF_F000, (cr4 & Cr4PageSizeExtensions) != 0, lines);
        }

        return lines;
    }

    private static void WalkWide(GuestView guest, ulong linear, ulong table, int first, List<string> lines)
    {
        for (int level = first; level < s_longNames.Length; level++)
        {
            int shift = 12 + (9 * (s_longNames.Length - 1 - level));
            ulong index = (linear >> shift) & 0x1FF;
            ulong at = table + (index * 8);
            ulong entry = guest.Memory.ReadUInt64(at);
            bool isLarge = level is 2 or 3 && (entry & LargePage) != 0;
            bool isLast = level == s_longNames.Length - 1 || isLarge;
            lines.Add(Line(s_longNames[level], index, at, entry, isLast, 16));
            if ((entry & Present) == 0)
            {
                return;
            }

            if (isLast)
            {
                ulong size = 1UL << shift;
                lines.Add(Page(entry & LongAddressMask & ~(size - 1), linear & (size - 1), size));
                return;
            }

            table = entry & LongAddressMask;
        }
    }

    private static void WalkLegacy(GuestView guest, uint linear, uint table, bool hasLargePages, List<string> lines)
    {
        uint index = linear >> 22;
        uint at = table + (index * 4);
        uint entry = guest.Memory.ReadUInt32(at);
        bool isLarge = hasLargePages && (entry & LargePage) != 0;
        lines.Add(Line("PDE", index, at, entry, isLarge, 8));
        if ((entry & Present) == 0)
        {
            return;
        }

        if (isLarge)
        {
            // Bits 20:13 of a 4 MiB page's entry are address bits 39:32 (PSE-36).
            ulong large = (entry & 0xFFC0_0000) | ((entry & 0x1F_E000UL) << 19);
            lines.Add(Page(large, linear & 0x3F_FFFF, 4 << 20));
            return;
        }

        index = (linear >> 12) & 0x3FF;
        at = (entry & 0xFFFF_F000) + (index * 4);
        entry = guest.Memory.ReadUInt32(at);
        lines.Add(Line("PTE", index, at, entry, true, 8));
        if ((entry & Present) != 0)
        {
            lines.Add(Page(entry & 0xFFFF_F000, linear & 0xFFF, 4096));
        }
    }

    private static string Line(string name, ulong index, ulong at, ulong entry, bool isLast, int digits)
    {
        string flags = (entry & Present) == 0
            ? "not present"
            : string.Join(' ', Flags(entry, isLast));
        return string.Create(CultureInfo.InvariantCulture, $"{name,-5} [{index,3}] at {at:x10}: ") + entry.ToString("x" + digits.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture) + "  " + flags;
    }

    private static IEnumerable<string> Flags(ulong entry, bool isLast)
    {
        yield return "present";
        yield return (entry & Writable) != 0 ? "writable" : "read-only";
        yield return (entry & User) != 0 ? "user" : "kernel";
        if ((entry & NoExecute) != 0)
        {
            yield return "no-exec";
        }

        if ((entry & Accessed) != 0)
        {
            yield return "accessed";
        }

        if (isLast && (entry & Dirty) != 0)
        {
            yield return "dirty";
        }

        if (isLast && (entry & Global) != 0)
        {
            yield return "global";
        }
    }

    private static string Page(ulong page, ulong offset, ulong size)
    {
        string unit = size >= 1UL << 30 ? $"{size >> 30} GiB" : size >= 1UL << 20 ? $"{size >> 20} MiB" : $"{size >> 10} KiB";
        return string.Create(CultureInfo.InvariantCulture, $"page of {unit} at {page:x10}, so physical address {page + offset:x10}");
    }
}
