using System.Collections.Generic;
using VirtShell.Cpu;
using VirtShell.Harness.Yaml;
using VirtShell.Host;
using VirtShell.Machine;

namespace VirtShell.Harness.Model;

/// <summary>The machine that a test runs, as the suite says it.</summary>
internal sealed class VmSpec : IPlaced
{
    public Mark Mark { get; set; }

    public string? Guest { get; set; }

    public string? Kernel { get; set; }

    public string? KernelSha256 { get; set; }

    public string? Initrd { get; set; }

    public InitramfsSpec? Initramfs { get; set; }

    public string CommandLine { get; set; } = string.Empty;

    public long MemoryBytes { get; set; } = 256L << 20;

    public CpuModel Cpu { get; set; } = CpuModel.X86_64_V3;

    public ClockMode Clock { get; set; } = ClockMode.Virtual;

    public EngineKind Engine { get; set; } = EngineKind.Auto;

    public ulong Seed { get; set; }

    public RtcStart Rtc { get; set; } = RtcStart.Repeatable;

    public IReadOnlyList<DiskSpec> Disks { get; set; } = [];

    public IReadOnlyList<string> Parts { get; set; } = [];

    public long HangAfter { get; set; }

    public ResetAction OnReset { get; set; } = ResetAction.EndRun;

    /// <summary>Everything that it names outside of the suite, with its place.</summary>
    public List<PlacedSource> Sources { get; } = [];
}

/// <summary>A source in a suite: a path, apt: or https:.</summary>
/// <param name="What">What it is for, for messages: "kernel".</param>
internal sealed record PlacedSource(string Source, string What, Mark Mark);

/// <summary>An initramfs to build; see <see cref="Images.InitramfsDefinition"/>.</summary>
internal sealed class InitramfsSpec
{
    public string? Folder { get; set; }

    public IReadOnlyDictionary<string, string> Files { get; set; } = new Dictionary<string, string>();

    public IReadOnlyDictionary<string, string> Text { get; set; } = new Dictionary<string, string>();

    public IReadOnlyDictionary<string, string> Links { get; set; } = new Dictionary<string, string>();

    public IReadOnlyDictionary<string, string> Nodes { get; set; } = new Dictionary<string, string>();

    public string? Busybox { get; set; }

    public IReadOnlyList<string> Modules { get; set; } = [];

    public string? ModulesFrom { get; set; }
}

/// <summary>A disk: an image, or generated content.</summary>
internal sealed class DiskSpec : IPlaced
{
    public Mark Mark { get; set; }

    public string? Source { get; set; }

    /// <summary>Bytes of generated content, a function of <see cref="Seed"/> alone.</summary>
    public long Generate { get; set; }

    public ulong Seed { get; set; }

    public DiskAccess Access { get; set; } = DiskAccess.Overlay;

    public long OverlayLimit { get; set; } = VmDisk.DefaultOverlayLimit;
}
