using System.Collections.Generic;
using Iced.Intel;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>The memory that a mode's programs work on; the first region is plain data.</summary>
internal static class Regions
{
    private const int PlainBytes = 0xE000;

    public static List<Region> Of(ModeInfo mode, bool service)
    {
        if (mode.Segmented && !(service && mode.KernelBits != 16))
        {
            return Segmented(mode);
        }

        List<Region> list =
        [
            new(Register.None, Layout.Data, PlainBytes, 60),
            new(Register.None, Layout.Stack + 0x1000, 0x4000, 3),
            new(Register.None, Layout.Mmio, Layout.MmioBytes - 0x100, 3),

            // With A20 off this is the data again.
            new(Register.None, 0x10_0000 + Layout.Data, PlainBytes, 2),
        ];
        if (mode.Paging == PagingKind.None)
        {
            list.Add(new(Register.None, Layout.LargeFrame, 0x2000, 3));
            list.Add(new(Register.None, Layout.RamBytes - 0x100, 0x200, 1));
        }
        else
        {
            list.Add(new(Register.None, Layout.DataAlias, PlainBytes, 5));
            list.Add(new(Register.None, Layout.ReadOnlyAlias, PlainBytes, 3));
            list.Add(new(Register.None, Layout.DemandWindow, 0x1_0000, 4));
            list.Add(new(Register.None, Layout.SupervisorWindow, PlainBytes, 2));
            list.Add(new(Register.None, Layout.MmioWindow, 0xFF00, 2));
            list.Add(new(Register.None, Layout.AbsentWindow, 0x1000, 1));
            list.Add(new(Register.None, Layout.LargeWindow + (mode.Paging == PagingKind.Legacy ? Layout.LargeFrame : 0), 0x8000, 4));
        }

        if (mode.Bits == 64)
        {
            list.Add(new(Register.FS, 0, 0x2000, 4));
            list.Add(new(Register.GS, 0, 0x2000, 2));
            list.Add(new(Register.None, 0x8000_0000_0000, 64, 1));
        }

        return list;
    }

    private static List<Region> Segmented(ModeInfo mode)
    {
        List<Region> list =
        [
            new(Register.None, 0, PlainBytes, 60),
            new(Register.ES, 0, PlainBytes, 6),
            new(Register.SS, 0x1000, 0x4000, 4),
            new(Register.FS, 0, mode.IsReal ? 0xFF00 : 0x900, 4),

            // Around the limit.
            new(Register.None, 0xFFE0, 0x30, 2),
        ];
        return list;
    }
}
