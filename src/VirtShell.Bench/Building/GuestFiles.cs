using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using VirtShell.Images;

namespace VirtShell.Bench.Building;

/// <summary>What every guest of the comparison boots.</summary>
/// <param name="Kernel">The kernel's file.</param>
/// <param name="KernelOrigin">Where it came from.</param>
/// <param name="Initramfs">The archive whose init runs the programs.</param>
/// <param name="ShellInitramfs">The archive whose init is a shell; null where boots are not measured.</param>
/// <param name="List">The list of programs, for the native run.</param>
/// <param name="Programs">The built programs.</param>
internal sealed record GuestFiles(string Kernel, string KernelOrigin, string Initramfs, string? ShellInitramfs, string List, BuiltPrograms Programs)
{
    /// <summary>The shell's prompt: a boot has ended when it is seen.</summary>
    public const string Prompt = "bench-prompt#";

    private const string ShellInit =
        $"""
        #!/bin/sh
        mount -t proc proc /proc
        mount -t sysfs sysfs /sys
        mount -t devtmpfs devtmpfs /dev
        export PS1='{Prompt} '
        exec setsid cttyhack sh

        """;

    /// <exception cref="BenchException">The programs cannot be built.</exception>
    /// <exception cref="ImageException">The kernel or busybox cannot be had.</exception>
    public static GuestFiles Prepare(BenchOptions options, IProgress<string> progress, CancellationToken cancellation)
    {
        BuiltPrograms programs = ProgramBuilder.Build(options.CacheFolder, cancellation);
        string text = ListText(options.Programs, options.Percent);
        string list = Path.Combine(Path.GetDirectoryName(programs.Main)!, $"list.{Environment.ProcessId}");
        File.WriteAllText(list, text);
        var images = new ImageResolver(options.CacheFolder);
        string here = Directory.GetCurrentDirectory();
        ResolvedFile kernel = images.Resolve(options.Kernel, here, null, progress, cancellation);
        ResolvedFile initramfs = images.BuildInitramfs(
            new InitramfsDefinition
            {
                Files = new Dictionary<string, string> { ["/init"] = programs.Main, ["/bin/spawned"] = programs.Spawned },
                Text = new Dictionary<string, string> { ["/bench.list"] = text },
            },
            here,
            progress,
            cancellation);
        ResolvedFile? shell = !options.MeasureBoot ? null : images.BuildInitramfs(
            new InitramfsDefinition
            {
                Busybox = "apt:busybox-static#bin/busybox",
                Text = new Dictionary<string, string> { ["/init"] = ShellInit },
            },
            here,
            progress,
            cancellation);
        return new GuestFiles(kernel.Path, kernel.Origin, initramfs.Path, shell?.Path, list, programs);
    }

    /// <summary>A line for each program: its name and the percentage of its normal work.</summary>
    internal static string ListText(IEnumerable<BenchProgram> programs, int percent) =>
        string.Concat(programs.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Name} {percent}\n")));
}
