using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using VirtShell.Cpu;
using VirtShell.Guests;
using VirtShell.Images;
using VirtShell.Machine;
using VirtShell.Machine.Boards;
using VirtShell.State;

namespace VirtShell.Host.Running;

/// <summary>What a run is made of: boot images in memory and open disks.</summary>
internal sealed class MachineBuild : IStateful, IDisposable
{
    // The last second that an RTC can show.
    private static readonly DateTime s_lastTime = new(9999, 12, 31, 23, 59, 59, DateTimeKind.Utc);

    private readonly VmDefinition _definition;
    private readonly BootImage _boot;
    private readonly MachineMedia _media;
    [NotState("A file, as the boot image is.")]
    private ReadOnlyMemory<byte> _videoRom;
    private DateTime _clockStarted;

    private MachineBuild(VmDefinition definition, BootImage boot, MachineMedia media)
    {
        _definition = definition;
        _boot = boot;
        _media = media;
    }

    /// <summary>All images that are open: of disks, and in drives.</summary>
    public IReadOnlyList<GuardedDisk> Disks => _media.Images;

    /// <summary>The disks, and what is in drives.</summary>
    public MachineMedia Media => _media;

    /// <summary>Where the VM's clock last stood, in UTC or what the guest takes for it; null for nowhere. What a guest writes to its RTC does not count.</summary>
    [NotState("What was before the run, for its first clock.")]
    public DateTime? ClockStood { get; set; }

    /// <summary>See <see cref="VmHost.Built"/>.</summary>
    public Action<Pc>? Built { get; set; }

    /// <summary>Resolves everything that <paramref name="definition"/> names.</summary>
    /// <exception cref="VmException">A part is missing or not usable; the message says what to do.</exception>
    public static MachineBuild Prepare(VmDefinition definition, ImageResolver resolver, IProgress<string>? progress, CancellationToken cancellation)
    {
        BootImage boot;
        ReadOnlyMemory<byte> videoRom = default;
        try
        {
            if (definition.Firmware is { } firmware)
            {
                (RomBoot rom, videoRom) = FirmwareFiles.Prepare(firmware, definition.BaseFolder, resolver, progress, cancellation);
                boot = rom with { Order = BootOrderKind.Read(definition.BootOrder) };
            }
            else
            {
                boot = PrepareBoot(definition, resolver, progress, cancellation);
            }
        }
        catch (ImageException e)
        {
            throw new VmException(VmErrorKind.ImageNotFound, e.Message, e);
        }

        cancellation.ThrowIfCancellationRequested();
        return new MachineBuild(definition, boot, MachineMedia.Open(definition, resolver, progress, cancellation)) { _videoRom = videoRom };
    }

    /// <summary>Bytes of all disks together.</summary>
    public long DiskBytes => Disks.Sum(disk => disk.Length);

    /// <summary>Builds a machine, switched on.</summary>
    /// <exception cref="VmException">An image is not usable after all, or the host is out of memory.</exception>
    public Pc PowerOn(EngineKind engine)
    {
        try
        {
            _clockStarted = _definition.RtcStart.Resolve(DateTimeOffset.UtcNow, ClockStood);
            return Make(engine, static configuration => new Pc(configuration));
        }
        catch (MachineBootException e)
        {
            throw new VmException(VmErrorKind.ImageInvalid, $"'{_definition.Guest ?? _definition.Kernel ?? _definition.Firmware ?? "What is on its drives"}' cannot be booted: {e.Message}", e);
        }
    }

    /// <summary>Builds a machine that has not been switched on, for its state to be loaded.</summary>
    /// <exception cref="VmException">The host is out of memory.</exception>
    public Pc Blank(EngineKind engine) => Make(engine, Pc.Blank);

    /// <summary>A machine from <see cref="PowerOn"/> has come to this guest time, in nanoseconds.</summary>
    public void NoteClock(long guestTime)
    {
        TimeSpan ran = TimeSpan.FromTicks(guestTime / TimeSpan.NanosecondsPerTick);
        DateTime now = ran < s_lastTime - _clockStarted ? _clockStarted + ran : s_lastTime;
        ClockStood = ClockStood is { } before && before > now ? before : now;
    }

    /// <summary>Where the machine's clock started, and the disks beside the machine: which they are, and what the guest did with them.</summary>
    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        long started = visitor.Value("clock-started", _clockStarted.Ticks);
        if (visitor.IsLoading)
        {
            _clockStarted = started >= 0 && started <= DateTime.MaxValue.Ticks ? new DateTime(started, DateTimeKind.Utc) : throw visitor.Damaged($"'{visitor.Path}/clock-started' is no time.");
        }

        _media.Describe(visitor);
    }

    public void Dispose() => _media.Dispose();

    private Pc Make(EngineKind engine, Func<MachineConfiguration, Pc> make)
    {
        try
        {
            Pc machine = make(new MachineConfiguration
            {
                MemoryBytes = _definition.MemoryBytes,
                CpuModel = _definition.CpuModel,
                Clock = _definition.Clock,
                Engine = engine,
                Seed = _definition.Seed,
                RtcStart = _clockStarted,
                Parts = PartSettings.Parse(MachineModel.Pc, _definition.Parts),
                Boot = _boot,
                VideoRom = _videoRom,
                Disks = _media.Disks,
                Drives = _media.MakeDrives(),
            });
            Built?.Invoke(machine);
            return machine;
        }
        catch (OutOfMemoryException e)
        {
            throw new VmException(VmErrorKind.OutOfResources, $"VM '{_definition.Name}' cannot have {_definition.MemoryBytes >> 20} MiB of memory: the host gives no more. Stop other VMs, or give this one less.", e);
        }
    }

    private static BootImage PrepareBoot(VmDefinition definition, ImageResolver resolver, IProgress<string>? progress, CancellationToken cancellation)
    {
        if (definition.Guest is { } name)
        {
            BundledGuest guest = GuestCatalog.Find(name)
                ?? throw new VmException(VmErrorKind.ImageNotFound, $"There is no bundled guest '{name}'. There are: {string.Join(", ", GuestCatalog.All.Select(one => one.Name))}.");
            return new MultibootBoot(guest.Image, WithName(name, definition.CommandLine));
        }

        if (definition.Kernel is not { } source)
        {
            return definition.HasDrives()
                ? new BiosBoot(BootOrderKind.Read(definition.BootOrder))
                : throw new VmException(VmErrorKind.InvalidDefinition, $"VM '{definition.Name}' has nothing to boot. Give it a disk, a CD or a floppy that boots, a kernel, a bundled guest or a firmware image.");
        }

        progress?.Report($"Resolving kernel {source}");
        ResolvedFile kernel = resolver.Resolve(source, definition.BaseFolder, definition.KernelSha256, progress, cancellation);
        byte[] image = PackedKernel.Unpack(ImageBytes.Read(kernel));
        switch (KernelFormat.Recognise(image, source))
        {
            case KernelKind.Multiboot:
                return new MultibootBoot(image, WithName(Path.GetFileName(kernel.Path), definition.CommandLine))
                {
                    Modules = PrepareModules(definition, resolver, progress, cancellation),
                };
            case var _ when definition.Modules.Count > 0:
                throw new VmException(VmErrorKind.ImageInvalid, $"The kernel '{source}' is no Multiboot image and takes no modules. Give its initramfs as initrd.");
            case KernelKind.Elf:
                return new ElfBoot(image, PrepareInitrd(definition, resolver, progress, cancellation), definition.CommandLine);
            default:
                return new LinuxBoot(image, PrepareInitrd(definition, resolver, progress, cancellation), definition.CommandLine);
        }
    }

    /// <summary>A Multiboot command line: its first word names the file, and systems skip it.</summary>
    private static string WithName(string file, string arguments)
    {
        string name = string.Join('_', file.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        return arguments.Length == 0 ? name : $"{name} {arguments}";
    }

    private static List<MultibootModule> PrepareModules(VmDefinition definition, ImageResolver resolver, IProgress<string>? progress, CancellationToken cancellation)
    {
        List<MultibootModule> modules = [];
        foreach (string module in definition.Modules)
        {
            (string source, string arguments) = ModuleList.Split(module);
            Add(source, arguments);
        }

        void Add(string source, string arguments)
        {
            progress?.Report($"Resolving module {source}");
            ResolvedFile file = resolver.Resolve(source, definition.BaseFolder, null, progress, cancellation);
            modules.Add(new MultibootModule(ImageBytes.Read(file), WithName(Path.GetFileName(file.Path), arguments)));
        }

        if (definition.Initrd is { } sources)
        {
            foreach ((string source, string arguments) in ModuleList.Read(sources, definition.BaseFolder))
            {
                Add(source, arguments);
            }
        }
        else if (definition.Initramfs is not null)
        {
            modules.Add(new MultibootModule(PrepareInitrd(definition, resolver, progress, cancellation), "initramfs"));
        }

        return modules;
    }

    private static ReadOnlyMemory<byte> PrepareInitrd(VmDefinition definition, ImageResolver resolver, IProgress<string>? progress, CancellationToken cancellation)
    {
        if (definition.Initrd is { } source)
        {
            progress?.Report($"Resolving initramfs {source}");
            return ImageBytes.Read(resolver.Resolve(source, definition.BaseFolder, null, progress, cancellation));
        }

        if (definition.Initramfs is { } parts)
        {
            progress?.Report("Building the initramfs");
            parts = parts with { ModulesFrom = parts.ModulesFrom ?? (parts.Modules.Count > 0 ? PackageOf(definition.Kernel) : null) };
            return ImageBytes.Read(resolver.BuildInitramfs(parts, definition.BaseFolder, progress, cancellation));
        }

        return default;
    }

    /// <summary>The package that an apt: source names, which for a kernel holds its modules too.</summary>
    private static string? PackageOf(string? source)
    {
        if (source is null || !source.StartsWith("apt:", StringComparison.Ordinal))
        {
            return null;
        }

        int hash = source.IndexOf('#', StringComparison.Ordinal);
        return hash < 0 ? source : source[..hash];
    }
}
