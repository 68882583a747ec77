using System;
using System.Collections.Generic;
using System.Linq;

namespace VirtShell.Bench.Tests;

/// <summary>Made-up samples: QEMU takes 100 ms for everything, the others by their factor.</summary>
internal static class MadeUp
{
    public const double QemuMilliseconds = 100;

    public static List<Sample> Of(double virtShell, double native, double icount, Func<BenchProgram, bool>? programs = null) =>
    [
        .. BenchCatalog.All.Where(programs ?? (_ => true)).SelectMany(p => new[]
        {
            new Sample(Contestant.Native, p.Name, 1, QemuMilliseconds * native, 7),
            new Sample(Contestant.VirtShell, p.Name, 1, QemuMilliseconds * virtShell, 7, null, 1_000_000),
            new Sample(Contestant.Qemu, p.Name, 1, QemuMilliseconds, 7),
            new Sample(Contestant.QemuIcount, p.Name, 1, QemuMilliseconds * icount, 7),
        }),
    ];
}
