using System.Collections.Generic;
using System.Globalization;
using System.Threading;
using VirtShell.Bench.Building;

namespace VirtShell.Bench.Running;

/// <summary>How QEMU is called: one plain PC without devices beyond the board's own, its translator, the serial line on its standard streams.</summary>
internal static class Qemu
{
    public const string Program = "qemu-system-x86_64";

    /// <summary>QEMU's path, or null where it is not installed.</summary>
    public static string? Find() => HostTool.Find(Program);

    /// <summary>QEMU's version, in its own words.</summary>
    public static string Version(string path, CancellationToken cancellation) => HostTool.Run(path, ["--version"], cancellation).Output.Split('\n')[0].Trim();

    public static IReadOnlyList<string> Arguments(string kernel, string initramfs, string cpu, bool icount) =>
    [
        "-accel", "tcg",
        .. icount ? ["-icount", "shift=auto,sleep=off"] : (IEnumerable<string>)[],
        "-M", "pc",
        "-cpu", cpu,
        "-m", BenchOptions.MemoryMegabytes.ToString(CultureInfo.InvariantCulture),
        "-no-user-config", "-nodefaults",
        "-display", "none",
        "-serial", "stdio",
        "-no-reboot",
        "-kernel", kernel,
        "-initrd", initramfs,
        "-append", BenchOptions.KernelCommandLine,
    ];
}
