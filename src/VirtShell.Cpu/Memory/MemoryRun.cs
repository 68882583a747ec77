using System;
using System.Collections.Generic;
using System.Linq;

namespace VirtShell.Cpu.Memory;

/// <summary>A range of guest memory, and where it stands in an image's content.</summary>
internal readonly unsafe record struct MemoryRun(ulong Start, ulong Length, ulong Offset)
{
    private const ulong ScanStep = 1 << 20;

    public ulong End => Start + Length;

    /// <summary>Stretches of pages that are not all zeros, in order. What stands below pages that are no memory now is content too: it comes back with them.</summary>
    public static List<MemoryRun> WrittenIn(PhysicalMemory memory)
    {
        List<MemoryRun> runs = [];
        for (ulong at = 0; at < memory.Top; at += ScanStep)
        {
            ulong end = Math.Min(at + ScanStep, memory.Top);

            // The hole below 4 GiB is never looked at: reading it would make the host back it.
            if (!memory.HasMemory(at, end - at) || PhysicalMemory.IsZero(memory.Base + at, end - at))
            {
                continue;
            }

            for (ulong page = at; page < end; page += PhysicalMemory.PageSize)
            {
                if (PhysicalMemory.IsZero(memory.Base + page, PhysicalMemory.PageSize))
                {
                    continue;
                }

                if (runs.Count > 0 && runs[^1].End == page)
                {
                    runs[^1] = runs[^1] with { Length = runs[^1].Length + PhysicalMemory.PageSize };
                }
                else
                {
                    runs.Add(new MemoryRun(page, PhysicalMemory.PageSize, 0));
                }
            }
        }

        return runs;
    }

    /// <summary>The same as a few, with the zeros between them but for the widest gaps; in the content one after another.</summary>
    public static List<MemoryRun> Join(List<MemoryRun> written, int most, ulong smallestGap)
    {
        HashSet<ulong> begins = [.. Enumerable.Range(1, Math.Max(0, written.Count - 1))
            .Where(i => written[i].Start - written[i - 1].End >= smallestGap)
            .OrderByDescending(i => written[i].Start - written[i - 1].End)
            .Take(most - 1)
            .Select(i => written[i].Start)];
        List<MemoryRun> joined = [];
        foreach (MemoryRun run in written)
        {
            if (joined.Count == 0)
            {
                joined.Add(run);
            }
            else if (begins.Contains(run.Start))
            {
                joined.Add(run with { Offset = joined[^1].Offset + joined[^1].Length });
            }
            else
            {
                joined[^1] = joined[^1] with { Length = run.End - joined[^1].Start };
            }
        }

        return joined;
    }
}
