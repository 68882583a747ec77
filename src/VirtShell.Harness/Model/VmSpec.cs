using System.Collections.Generic;
using System.Linq;
using VirtShell.Harness.Yaml;
using VirtShell.Host;
using VirtShell.Images;
using VirtShell.Settings;

namespace VirtShell.Harness.Model;

/// <summary>The machine that a test runs: a definition, and what a definition does not hold.</summary>
internal sealed class VmSpec : IPlaced
{
    private static readonly VmDefinition s_blank = VmSettings.WithDefaults(new VmDefinition { Name = string.Empty }, FrontEnd.Suites);

    public Mark Mark { get; set; }

    /// <summary>What the suite says, without its disks; the name, the folder and what assertions decide come when it is run.</summary>
    public VmDefinition Definition { get; set; } = s_blank;

    public IReadOnlyList<DiskSpec> Disks { get; set; } = [];

    public IReadOnlyList<CdSpec> Cds
    {
        get;
        set
        {
            field = value;
            Definition = Definition with { Cds = [.. value.Select(c => c.Drive)] };
        }
    } = [];

    public IReadOnlyList<FloppySpec> Floppies
    {
        get;
        set
        {
            field = value;
            Definition = Definition with { Floppies = [.. value.Select(f => f.Drive)] };
        }
    } = [];

    /// <summary>Everything that it names outside of the suite, with its place.</summary>
    public List<PlacedSource> Sources { get; } = [];
}

/// <summary>A source in a suite: a path, apt: or https:.</summary>
/// <param name="What">What it is for, for messages: "kernel".</param>
internal sealed record PlacedSource(string Source, string What, Mark Mark);

/// <summary>An initramfs to build.</summary>
internal sealed class InitramfsSpec
{
    public InitramfsDefinition Definition { get; set; } = new();
}

/// <summary>A CD drive, with its place in the suite.</summary>
internal sealed class CdSpec : IPlaced
{
    public Mark Mark { get; set; }

    public VmCdDrive Drive { get; set; } = new();
}

/// <summary>A floppy drive, with its place in the suite.</summary>
internal sealed class FloppySpec : IPlaced
{
    public Mark Mark { get; set; }

    public VmFloppyDrive Drive { get; set; } = new();
}

/// <summary>A disk: an image, or generated content.</summary>
internal sealed class DiskSpec : IPlaced
{
    public Mark Mark { get; set; }

    /// <summary>The disk; where its content is generated, the source is empty until it is run.</summary>
    public VmDisk Disk { get; set; } = new(string.Empty);

    public bool IsGenerated => Disk.Source.Length == 0;

    /// <summary>Bytes of generated content, a function of <see cref="Seed"/> alone.</summary>
    public long Generate { get; set; }

    public ulong Seed { get; set; }
}
