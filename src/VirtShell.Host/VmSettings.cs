using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Cpu;
using VirtShell.Images;
using VirtShell.Machine;
using VirtShell.Settings;

namespace VirtShell.Host;

/// <summary>
/// The settings of a VM, one row each. A row is the only place for a setting's bounds, its names in front ends, its meaning, and whether
/// it may change while the VM is on; its default is the initial value of its property in <see cref="VmDefinition"/>.
/// </summary>
public static class VmSettings
{
    private const string BelongsToTheGuest = "a suite's test and a run of the console program have no VM that stays";

    private static readonly VmDefinition s_blank = new() { Name = string.Empty };

    public static Setting<VmDefinition, string> Name { get; } = new(s_blank, SettingKinds.Text, d => d.Name, (d, v) => d with { Name = v! })
    {
        Name = "name",
        Property = nameof(VmDefinition.Name),
        Title = "name",
        Meaning = "The VM's name: up to 100 characters, none of them a wildcard or control character",
        Absent = new Dictionary<FrontEnd, string> { [FrontEnd.Suites] = BelongsToTheGuest, [FrontEnd.Console] = BelongsToTheGuest },
        MayDifferFromState = true,
    };

    public static Setting<VmDefinition, string> Notes { get; } = new(s_blank, SettingKinds.Text, d => d.Notes, (d, v) => d with { Notes = v! })
    {
        Name = "notes",
        Property = nameof(VmDefinition.Notes),
        Title = "notes",
        Meaning = "Free text",
        Absent = new Dictionary<FrontEnd, string> { [FrontEnd.Suites] = BelongsToTheGuest, [FrontEnd.Console] = BelongsToTheGuest },
        MayDifferFromState = true,
    };

    public static Setting<VmDefinition, string> Guest { get; } = new(s_blank, new TextKind("name"), d => d.Guest, (d, v) => d with { Guest = v })
    {
        Name = "guest",
        Property = nameof(VmDefinition.Guest),
        Title = "guest",
        OwnOptions = ["--guest", "-g"],
        Meaning = "A bundled guest by name, which needs no download",
        Remarks = new Dictionary<FrontEnd, string>
        {
            [FrontEnd.Suites] = "`virtshell guests` lists them.",
            [FrontEnd.Console] = "`virtshell guests` lists them.",
            [FrontEnd.Cmdlets] = "Tab completes them.",
        },
    };

    public static Setting<VmDefinition, string> Kernel { get; } = new(s_blank, SettingKinds.Source, d => d.Kernel, (d, v) => d with { Kernel = v })
    {
        Name = "kernel",
        Property = nameof(VmDefinition.Kernel),
        Title = "kernel",
        OwnOptions = ["--kernel", "-k"],
        Meaning = "What to boot: a Linux bzImage or zImage, an ELF kernel (vmlinux, by PVH where it has that entry), a Multiboot image, or a real-mode program with a Linux header (iPXE); a path, apt:PACKAGE[:ARCH]#GLOB (taken with the host's apt, nothing is installed), or https: with its hash",
    };

    public static Setting<VmDefinition, string> KernelSha256 { get; } = new(s_blank, SettingKinds.Sha256, d => d.KernelSha256, (d, v) => d with { KernelSha256 = v })
    {
        Name = "kernel-sha256",
        Property = nameof(VmDefinition.KernelSha256),
        Title = "kernel's sha256",
        Meaning = "SHA-256 of the kernel in 64 hexadecimal digits; required for https: sources",
    };

    public static Setting<VmDefinition, string> Firmware { get; } = new(s_blank, SettingKinds.Source, d => d.Firmware, (d, v) => d with { Firmware = v })
    {
        Name = "firmware",
        Property = nameof(VmDefinition.Firmware),
        Title = "firmware",
        OwnParameter = "FirmwarePath",
        OwnOutput = "FirmwarePath",
        Meaning = "A PC's firmware to start from in place of a kernel, such as apt:seabios#usr/share/seabios/bios-256k.bin: a path or apt:PACKAGE#GLOB. A vgabios-stdvga.bin beside it serves the display",
    };

    public static Setting<VmDefinition, string> Initrd { get; } = new(s_blank, SettingKinds.Source, d => d.Initrd, (d, v) => d with { Initrd = v })
    {
        Name = "initrd",
        Property = nameof(VmDefinition.Initrd),
        Title = "initrd",
        OwnOptions = ["--initrd", "-i"],
        Meaning = "A finished initramfs, from the same kinds of sources as a kernel; for a Multiboot image a list of modules: FILE ARGUMENTS,FILE ARGUMENTS",
    };

    public static Setting<VmDefinition, InitramfsDefinition> Initramfs { get; } = new(s_blank, InitramfsSettings.Kind, d => d.Initramfs, (d, v) => d with { Initramfs = v })
    {
        Name = "initramfs",
        Property = nameof(VmDefinition.Initramfs),
        Title = "initramfs",
        Meaning = "An initramfs to build",
        Remarks = new Dictionary<FrontEnd, string>
        {
            [FrontEnd.Suites] = $"A mapping with any of {Keys(s => s.Name)}.",
            [FrontEnd.Console] = $"A folder to pack, or KEY=VALUE with one of {Keys(s => s.Name)}, for example busybox=apt:busybox-static#bin/busybox or text=/init=CONTENT. May be repeated.",
            [FrontEnd.Cmdlets] = $"A folder to pack, or a table with any of {Keys(s => s.Property)}.",
        },
    };

    public static Setting<VmDefinition, IReadOnlyList<string>> Modules { get; } = new(s_blank, new ListOf<string>(new TextKind("module")), d => d.Modules, (d, v) => d with { Modules = v! })
    {
        Name = "modules",
        Property = nameof(VmDefinition.Modules),
        Title = "module",
        OwnOptions = ["--module"],
        OwnParameter = "Module",
        Meaning = "Files that a Multiboot image is given, in order, each a path or apt: source and what follows a space is its command line: apt:linux-image-amd64#boot/vmlinuz-* console=hvc0",
        Remarks = new Dictionary<FrontEnd, string> { [FrontEnd.Console] = "May be repeated." },
    };

    public static Setting<VmDefinition, string> CommandLine { get; } = new(s_blank, SettingKinds.Text, d => d.CommandLine, (d, v) => d with { CommandLine = v! })
    {
        Name = "cmdline",
        Property = nameof(VmDefinition.CommandLine),
        Title = "command line",
        OwnOptions = ["--append", "-a"],
        Meaning = "The kernel's command line",
        DefaultWords = new Dictionary<FrontEnd, string> { [FrontEnd.Console] = "for kernels: console=ttyS0" },
    };

    public static Setting<VmDefinition, long> Memory { get; } = new(
        s_blank,
        new NumberKind(NumberUnit.Size, least: 64L << 10, most: 1L << 40, multiple: 4096),
        d => (long)Math.Min(d.MemoryBytes, long.MaxValue),
        (d, v) => d with { MemoryBytes = (ulong)v })
    {
        Name = "memory",
        Property = nameof(VmDefinition.MemoryBytes),
        Title = "memory",
        OwnOptions = ["--memory", "-m"],
        OwnParameter = "MemoryStartupBytes",
        OwnOutput = "MemoryStartup",
        Meaning = "RAM",
        Remarks = new Dictionary<FrontEnd, string>
        {
            [FrontEnd.Cmdlets] = "In bytes, for example 512MB. Host memory is taken when the guest touches it: on Linux behind the first 2 MB in large pages (2 MB) where the host has them, else page by page.",
        },
    };

    public static Setting<VmDefinition, CpuModel> Cpu { get; } = new(
        s_blank,
        new WordKind<CpuModel>(
            new("i486", CpuModel.I486),
            new("pentium3", CpuModel.Pentium3),
            new("qemu64", CpuModel.Qemu64),
            new("x86-64-v2", CpuModel.X86_64_V2),
            new("x86-64-v3", CpuModel.X86_64_V3)),
        d => d.CpuModel,
        (d, v) => d with { CpuModel = v })
    {
        Name = "cpu",
        Property = nameof(VmDefinition.CpuModel),
        Title = "processor model",
        Meaning = "The processor that the guest sees",
        Remarks = new Dictionary<FrontEnd, string> { [FrontEnd.Cmdlets] = "Hyphens may stand in place of underscores, as in suites." },
    };

    public static Setting<VmDefinition, ClockMode> Clock { get; } = new(
        s_blank,
        new WordKind<ClockMode>(
            new("virtual", ClockMode.Virtual, "guest time is counted in instructions and waits are skipped, so that every run is the same"),
            new("host", ClockMode.Host, "guest time runs with the host's clock")),
        d => d.Clock,
        (d, v) => d with { Clock = v })
    {
        Name = "clock",
        Property = nameof(VmDefinition.Clock),
        Title = "clock",
        Meaning = "What drives guest time",
        OwnDefaults = new Dictionary<FrontEnd, ClockMode> { [FrontEnd.Suites] = ClockMode.Virtual },
        DefaultWords = new Dictionary<FrontEnd, string> { [FrontEnd.Console] = "host where a terminal or a pipe is the input, virtual for files and no input" },
        MayDifferFromState = true,
    };

    public static Setting<VmDefinition, EngineKind> Engine { get; } = new(
        s_blank,
        new WordKind<EngineKind>(
            new("auto", EngineKind.Auto, "the translator where the host can run it"),
            new("translator", EngineKind.Translator),
            new("interpreter", EngineKind.Interpreter)),
        d => d.Engine,
        (d, v) => d with { Engine = v })
    {
        Name = "engine",
        Property = nameof(VmDefinition.Engine),
        Title = "engine",
        Meaning = "What executes the guest, which changes speed and nothing else",
        Remarks = new Dictionary<FrontEnd, string> { [FrontEnd.Suites] = "As an axis of a matrix it holds both engines to the same assertions." },
        IsLive = true,
        MayDifferFromState = true,
    };

    public static Setting<VmDefinition, ulong> Seed { get; } = new(s_blank, SettingKinds.Seed, d => d.Seed, (d, v) => d with { Seed = v })
    {
        Name = "seed",
        Property = nameof(VmDefinition.Seed),
        Title = "seed",
        Meaning = "Seed of the machine's random sources. The same seed and the same date on the machine's clock give the same run under the virtual clock",
    };

    public static Setting<VmDefinition, RtcStart> RtcStart { get; } = new(s_blank, new RtcStartKind(), d => d.RtcStart, (d, v) => d with { RtcStart = v })
    {
        Name = "rtc",
        Property = nameof(VmDefinition.RtcStart),
        Title = "start of the RTC",
        Meaning = "What the machine's clock shows when it is switched on",
        Remarks = new Dictionary<FrontEnd, string>
        {
            [FrontEnd.Suites] = "With the host's time runs do not repeat.",
            [FrontEnd.Console] = "With a date under the virtual clock, runs repeat also in guests that ask for the time.",
        },
        OwnDefaults = new Dictionary<FrontEnd, RtcStart> { [FrontEnd.Suites] = Host.RtcStart.Repeatable },
        MayDifferFromState = true,
    };

    public static Setting<VmDefinition, IReadOnlyList<VmDisk>> Disks { get; } = new(s_blank, new ListOf<VmDisk>(VmDiskSettings.Kind), d => d.Disks, (d, v) => d with { Disks = v! })
    {
        Name = "disks",
        Property = nameof(VmDefinition.Disks),
        Title = "disk",
        OwnOptions = ["--disk", "-d"],
        OwnParameter = "Disk",
        Meaning = "Raw images as hard disks, in order: on virtio-blk, unless their interface is ide",
        Remarks = new Dictionary<FrontEnd, string>
        {
            [FrontEnd.Suites] = "Each is a path, or a mapping (below).",
            [FrontEnd.Console] = "IMAGE, then if need be ,read-only or ,read-write (otherwise writes are thrown away), ,ide, ,primary-slave or another place there, and ,overlay-limit=SIZE. May be repeated.",
            [FrontEnd.Cmdlets] = "A path gives a disk whose changes are thrown away at power-off; a table chooses: @{ Source = 'root.img'; Access = 'ReadWrite' } with ReadWrite, ReadOnly or Overlay; OverlayLimit = 8GB bounds an overlay's changes (default 16GB), beyond which the guest's writes fail.",
        },
        MayDifferFromState = true,
    };

    public static Setting<VmDefinition, IReadOnlyList<VmCdDrive>> Cds { get; } = new(s_blank, new ListOf<VmCdDrive>(VmCdSettings.Kind), d => d.Cds, (d, v) => d with { Cds = v! })
    {
        Name = "cds",
        Property = nameof(VmDefinition.Cds),
        Title = "CD drive",
        OwnOptions = ["--cd"],
        OwnParameter = "Cd",
        Meaning = "CD drives on the IDE controller, each with an ISO image in it or none",
        Remarks = new Dictionary<FrontEnd, string>
        {
            [FrontEnd.Suites] = "Each is a path, or a mapping with source and place; one without a source is empty.",
            [FrontEnd.Console] = "IMAGE, then if need be ,secondary-slave or another place. An empty IMAGE is an empty drive. May be repeated.",
            [FrontEnd.Cmdlets] = "A path, an empty text for an empty drive, or a table: @{ Source = 'install.iso'; Place = 'SecondarySlave' }. Media may change while the VM runs.",
        },
    };

    public static Setting<VmDefinition, IReadOnlyList<VmFloppyDrive>> Floppies { get; } = new(s_blank, new ListOf<VmFloppyDrive>(VmFloppySettings.Kind), d => d.Floppies, (d, v) => d with { Floppies = v! })
    {
        Name = "floppies",
        Property = nameof(VmDefinition.Floppies),
        Title = "floppy drive",
        OwnOptions = ["--floppy"],
        OwnParameter = "Floppy",
        Meaning = "Floppy drives, A: and B:, each with a raw image in it or none",
        Remarks = new Dictionary<FrontEnd, string>
        {
            [FrontEnd.Suites] = "Each is a path, or a mapping with source and access; one without a source is empty.",
            [FrontEnd.Console] = "IMAGE, then if need be ,read-only or ,read-write. An empty IMAGE is an empty drive. May be repeated.",
            [FrontEnd.Cmdlets] = "A path, an empty text for an empty drive, or a table: @{ Source = 'boot.img'; Access = 'ReadWrite' }. Media may change while the VM runs.",
        },
    };

    public static Setting<VmDefinition, IReadOnlyList<string>> Parts { get; } = new(s_blank, new ListOf<string>(new TextKind("part")), d => d.Parts, (d, v) => d with { Parts = v! })
    {
        Name = "parts",
        Property = nameof(VmDefinition.Parts),
        Title = "part",
        OwnOptions = ["--part"],
        OwnParameter = "Part",
        Meaning = "Parts of the machine that are left out, put in or set otherwise than usual: part=off, part=on or part.option=value, such as virtio-rng=off or com1.pace=on",
        Remarks = new Dictionary<FrontEnd, string>
        {
            [FrontEnd.Suites] = "One, or a list. [machine.md](machine.md) lists them.",
            [FrontEnd.Console] = "May be repeated. docs/machine.md lists them.",
            [FrontEnd.Cmdlets] = "Tab shows them all. Set-VM replaces the whole list; an empty one is the usual machine.",
        },
    };

    public static Setting<VmDefinition, string> BootOrder { get; } = new(s_blank, new BootOrderKind(), d => d.BootOrder, (d, v) => d with { BootOrder = v! })
    {
        Name = "boot-order",
        Property = nameof(VmDefinition.BootOrder),
        Title = "boot order",
        Meaning = "Where the BIOS looks for something to boot, in this order, when there is neither a kernel nor a bundled guest: floppy, cd, disk, with commas between them",
    };

    public static Setting<VmDefinition, long> HangInstructions { get; } = new(s_blank, SettingKinds.Count, d => d.HangInstructions, (d, v) => d with { HangInstructions = v })
    {
        Name = "hang-after",
        Property = nameof(VmDefinition.HangInstructions),
        Title = "hang limit",
        Meaning = "Instructions without serial output, disk access or a halt after which the guest counts as hung; 0 turns the check off",
        MayDifferFromState = true,
    };

    public static Setting<VmDefinition, long> SerialLogBytes { get; } = new(
        s_blank,
        new NumberKind(NumberUnit.Size, least: 64L << 10, most: 1L << 30),
        d => d.SerialLogBytes,
        (d, v) => d with { SerialLogBytes = v })
    {
        Name = "serial-log",
        Property = nameof(VmDefinition.SerialLogBytes),
        Title = "size of serial logs",
        Meaning = "Bytes of serial output that are kept of a run, of all ports together, in the host's memory; the oldest go first",
        MayDifferFromState = true,
    };

    public static Setting<VmDefinition, ResetAction> ResetAction { get; } = new(
        s_blank,
        new WordKind<ResetAction>(
            new("restart", Host.ResetAction.Restart, "the machine goes on, as a PC does"),
            new("end", Host.ResetAction.EndRun, "the run is over")),
        d => d.ResetAction,
        (d, v) => d with { ResetAction = v })
    {
        Name = "on-reset",
        Property = nameof(VmDefinition.ResetAction),
        Title = "reset action",
        Meaning = "What happens when the guest asks for a reset",
        OwnDefaults = new Dictionary<FrontEnd, ResetAction> { [FrontEnd.Suites] = Host.ResetAction.EndRun, [FrontEnd.Console] = Host.ResetAction.EndRun },
        MayDifferFromState = true,
    };

    public static Setting<VmDefinition, CrashAction> CrashAction { get; } = new(
        s_blank,
        new WordKind<CrashAction>(
            new("stop", Host.CrashAction.Stop, "the crash report stays"),
            new("restart", Host.CrashAction.Restart, "from power-on"),
            new("pause", Host.CrashAction.Pause, "the machine is kept for inspection")),
        d => d.CrashAction,
        (d, v) => d with { CrashAction = v })
    {
        Name = "on-crash",
        Property = nameof(VmDefinition.CrashAction),
        Title = "crash action",
        Meaning = "What happens when the guest crashes",
        Remarks = new Dictionary<FrontEnd, string> { [FrontEnd.Console] = "At a terminal pause waits for keys, Ctrl+] i to see the machine and Ctrl+] q to quit; without a terminal nobody could look at it, and it is as stop." },
        Absent = new Dictionary<FrontEnd, string> { [FrontEnd.Suites] = "a suite judges how its guest ends" },
        MayDifferFromState = true,
    };

    public static Setting<VmDefinition, int> CrashRestartLimit { get; } = new(s_blank, new IntegerKind(0), d => d.CrashRestartLimit, (d, v) => d with { CrashRestartLimit = v })
    {
        Name = "crash-restart-limit",
        Property = nameof(VmDefinition.CrashRestartLimit),
        Title = "limit of restarts after crashes",
        Meaning = "Restarts after crashes in one run beyond which the VM stays crashed, so that a guest that cannot boot does not spin for ever",
        Absent = new Dictionary<FrontEnd, string> { [FrontEnd.Suites] = "a suite judges how its guest ends" },
        MayDifferFromState = true,
    };

    public static Setting<VmDefinition, bool> DetectPanics { get; } = new(s_blank, SettingKinds.Boolean, d => d.DetectPanics, (d, v) => d with { DetectPanics = v })
    {
        Name = "detect-panics",
        Property = nameof(VmDefinition.DetectPanics),
        Title = "detection of panics",
        Meaning = "Whether a kernel panic seen on a serial port ends the run",
        Absent = new Dictionary<FrontEnd, string> { [FrontEnd.Suites] = "what a suite asserts of the end and of panics decides it" },
        MayDifferFromState = true,
    };

    /// <summary>All of them, in the order of documentation.</summary>
    public static IReadOnlyList<Setting<VmDefinition>> All { get; } =
    [
        Name, Guest, Kernel, KernelSha256, Firmware, Initrd, Initramfs, Modules, CommandLine, Memory, Cpu, Clock, Engine, Seed, RtcStart, Disks, Cds, Floppies, BootOrder, Parts,
        HangInstructions, SerialLogBytes, ResetAction, CrashAction, CrashRestartLimit, DetectPanics, Notes,
    ];

    /// <summary>Those that a front end has.</summary>
    public static IEnumerable<Setting<VmDefinition>> Of(FrontEnd frontEnd) => All.Where(s => s.Has(frontEnd));

    /// <summary><paramref name="definition"/> with a front end's own defaults.</summary>
    public static VmDefinition WithDefaults(VmDefinition definition, FrontEnd frontEnd) => All.Aggregate(definition, (d, s) => s.WithDefault(d, frontEnd));

    /// <summary>Whether two definitions differ in nothing but what may change while the VM is on.</summary>
    internal static bool DifferOnlyInLive(VmDefinition from, VmDefinition to) => All.Where(s => s.IsLive).Aggregate(to, (d, s) => s.Copy(from, d)) == from;

    private static string Keys(Func<Setting<InitramfsDefinition>, string> name) => string.Join(", ", InitramfsSettings.All.Select(name));
}
