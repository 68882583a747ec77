using System;
using System.Collections.Generic;
using VirtShell.Cpu;
using VirtShell.Images;
using VirtShell.Machine;

namespace VirtShell.Host;

/// <summary>Everything that a user configures of a VM; <see cref="VmSettings"/> has a row for each. Immutable; change it with <c>with</c> and <see cref="VirtualMachine.Configure"/>.</summary>
public sealed record VmDefinition
{
    /// <summary>1 to 100 characters; no wildcard characters and no control characters. Compared without case.</summary>
    public required string Name { get; init; }

    public Guid Id { get; init; } = Guid.NewGuid();

    public string Notes { get; init; } = string.Empty;

    public DateTimeOffset CreatedAt { get; init; } = DateTimeOffset.UtcNow;

    /// <summary>RAM in bytes.</summary>
    public ulong MemoryBytes { get; init; } = 256UL << 20;

    public CpuModel CpuModel { get; init; } = CpuModel.X86_64_V3;

    public ClockMode Clock { get; init; } = ClockMode.Host;

    /// <summary>Which engine executes the guest. It changes speed and nothing else.</summary>
    public EngineKind Engine { get; init; } = EngineKind.Auto;

    public ulong Seed { get; init; }

    /// <summary>What the RTC shows when the VM is switched on. Runs repeat where it is a date.</summary>
    public RtcStart RtcStart { get; init; }

    /// <summary>A bundled guest by name. Excludes <see cref="Kernel"/>.</summary>
    public string? Guest { get; init; }

    /// <summary>Kernel source: path, apt:, https:; a Linux bzImage or a Multiboot image, recognised by content.</summary>
    public string? Kernel { get; init; }

    /// <summary>Firmware image source, path or apt:, that starts the VM in place of a kernel. Excludes <see cref="Kernel"/> and <see cref="Guest"/>.</summary>
    public string? Firmware { get; init; }

    /// <summary>Required for https: sources.</summary>
    public string? KernelSha256 { get; init; }

    /// <summary>Initramfs file source. Excludes <see cref="Initramfs"/>.</summary>
    public string? Initrd { get; init; }

    /// <summary>An initramfs to build.</summary>
    public InitramfsDefinition? Initramfs { get; init; }

    /// <summary>Files for a Multiboot image, each with its arguments behind a space.</summary>
    public IReadOnlyList<string> Modules { get; init; } = [];

    public string CommandLine { get; init; } = string.Empty;

    public IReadOnlyList<VmDisk> Disks { get; init; } = [];

    /// <summary>CD drives on the IDE controller, with or without a medium.</summary>
    public IReadOnlyList<VmCdDrive> Cds { get; init; } = [];

    /// <summary>Floppy drives, A: and B:, with or without a medium.</summary>
    public IReadOnlyList<VmFloppyDrive> Floppies { get; init; } = [];

    /// <summary>Kinds of drives (floppy, cd, disk) in the order in which the BIOS looks for something to boot on them, where there is neither <see cref="Kernel"/> nor <see cref="Guest"/>.</summary>
    public string BootOrder { get; init; } = "floppy,cd,disk";

    /// <summary>Parts of the machine that are left out, put in or set otherwise than usual: "part=off", "part=on", "part.option=value" (<see cref="Machine.Boards.PartSettings"/>).</summary>
    public IReadOnlyList<string> Parts { get; init; } = [];

    /// <summary>The folder against which relative sources resolve.</summary>
    public string BaseFolder { get; init; } = Environment.CurrentDirectory;

    /// <summary>What happens when the guest crashes.</summary>
    public CrashAction CrashAction { get; init; } = CrashAction.Stop;

    /// <summary>After this many restarts by <see cref="CrashAction.Restart"/> in one run the VM stays crashed, so that a guest that cannot boot does not spin for ever.</summary>
    public int CrashRestartLimit { get; init; } = 5;

    /// <summary>What happens when the guest asks for a reset.</summary>
    public ResetAction ResetAction { get; init; } = ResetAction.Restart;

    /// <summary>Whether a kernel panic seen on a serial port (<see cref="GuestPatterns.Panics"/>) ends the run with <see cref="VmEndKind.Panic"/>.</summary>
    public bool DetectPanics { get; init; } = true;

    /// <summary>This many instructions retired without serial output, disk access or a halt to wait for an interrupt count as a hang; 0 turns the check off.</summary>
    public long HangInstructions { get; init; }

    /// <summary>Bytes of serial output that are kept, of all ports together; the oldest go first.</summary>
    public long SerialLogBytes { get; init; } = SerialLog.DefaultCapacity;

    /// <summary>Whether there is a drive that firmware can look at for something to boot.</summary>
    public bool HasDrives() => Disks.Count + Cds.Count + Floppies.Count > 0;
}

/// <summary>What the host does when a guest asks for a reset.</summary>
public enum ResetAction
{
    /// <summary>Reset the machine and go on, as a PC does.</summary>
    Restart,

    /// <summary>End the run with <see cref="VmEndKind.Reset"/>.</summary>
    EndRun,
}

/// <summary>How a disk image is used.</summary>
public enum DiskAccess
{
    /// <summary>Guest writes go to the image.</summary>
    ReadWrite,

    /// <summary>The guest sees a read-only disk.</summary>
    ReadOnly,

    /// <summary>Guest writes go to memory, many of them to a file of the host, and are thrown away when the VM is switched off.</summary>
    Overlay,
}

/// <summary>What a disk is connected to.</summary>
public enum DiskInterface
{
    /// <summary>A virtio block device, the fastest.</summary>
    Virtio,

    /// <summary>The IDE controller, which systems of all ages know.</summary>
    Ide,
}

/// <summary>A place on the IDE controller.</summary>
public enum IdePlace
{
    /// <summary>The next that is free: for disks from the primary master on, for CD drives from the secondary master on.</summary>
    Next,
    PrimaryMaster,
    PrimarySlave,
    SecondaryMaster,
    SecondarySlave,
}

/// <summary>A raw image as a hard disk.</summary>
/// <param name="Source">The image: path, apt: or https:.</param>
/// <param name="Access">How it is used.</param>
/// <param name="OverlayLimit">Bytes of changes that <see cref="DiskAccess.Overlay"/> takes; writes beyond them fail.</param>
/// <param name="Interface">What it is connected to.</param>
/// <param name="Place">Where on the IDE controller; of a disk on virtio always <see cref="IdePlace.Next"/>.</param>
public sealed record VmDisk(string Source, DiskAccess Access = DiskAccess.Overlay, long OverlayLimit = VmDisk.DefaultOverlayLimit, DiskInterface Interface = DiskInterface.Virtio, IdePlace Place = IdePlace.Next)
{
    /// <summary>16 GiB.</summary>
    public const long DefaultOverlayLimit = Storage.MemoryOverlay.DefaultLimit;
}

/// <summary>A CD drive on the IDE controller.</summary>
/// <param name="Source">The ISO image in it: path, apt: or https:; null for none.</param>
/// <param name="Place">Where the drive is.</param>
public sealed record VmCdDrive(string? Source = null, IdePlace Place = IdePlace.Next);

/// <summary>A floppy drive.</summary>
/// <param name="Source">The raw image in it: path, apt: or https:; null for none.</param>
/// <param name="Access">How it is used.</param>
/// <param name="OverlayLimit">Bytes of changes that <see cref="DiskAccess.Overlay"/> takes.</param>
public sealed record VmFloppyDrive(string? Source = null, DiskAccess Access = DiskAccess.Overlay, long OverlayLimit = VmDisk.DefaultOverlayLimit);

/// <summary>What the host does when a guest crashes.</summary>
public enum CrashAction
{
    /// <summary>Release the machine; the crash report stays.</summary>
    Stop,

    /// <summary>Start again from power-on.</summary>
    Restart,

    /// <summary>Keep the machine paused for inspection.</summary>
    Pause,
}
