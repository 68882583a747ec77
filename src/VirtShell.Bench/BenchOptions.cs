using System.Collections.Generic;
using VirtShell.Cpu;

namespace VirtShell.Bench;

/// <summary>What is compared, and how often.</summary>
public sealed class BenchOptions
{
    /// <summary>The kernel that all guests boot.</summary>
    public const string DefaultKernel = "apt:linux-image-cloud-amd64#boot/vmlinuz-*";

    /// <summary>RAM of every guest, in MiB.</summary>
    public const int MemoryMegabytes = 256;

    /// <summary>The kernel's command line, the same in every guest; nothing about mitigations, so that each has its defaults.</summary>
    public const string KernelCommandLine = "console=ttyS0,115200 quiet panic=-1";

    public required IReadOnlyList<BenchProgram> Programs { get; init; }

    public required IReadOnlyList<Contestant> Contestants { get; init; }

    /// <summary>How often everything is run, 1 or more.</summary>
    public int Repeat { get; init; } = 3;

    /// <summary>Amount of work in percent of the normal one, 1 or more.</summary>
    public int Percent { get; init; } = 100;

    public EngineKind Engine { get; init; } = EngineKind.Auto;

    /// <summary>QEMU's processor model. The default is QEMU's own, with which its string instructions are far faster than with <c>max</c>.</summary>
    public string QemuCpu { get; init; } = "qemu64";

    /// <summary>Where the kernel comes from: a path, <c>apt:</c> or <c>https:</c>.</summary>
    public string Kernel { get; init; } = DefaultKernel;

    /// <summary>Which times the table and the marks compare.</summary>
    public BenchClock Clock { get; init; }

    /// <summary>Whether the time from starting a process to the guest's prompt is measured, too.</summary>
    public bool MeasureBoot { get; init; } = true;

    /// <summary>The command, word by word, that starts this very program's <c>run</c> in a fresh process with the engine asked for; empty where there is none.</summary>
    public IReadOnlyList<string> RunCommand { get; init; } = [];

    /// <summary>Where packages, the built programs and initramfs archives are kept.</summary>
    public required string CacheFolder { get; init; }
}
