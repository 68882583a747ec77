using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using VirtShell.Cpu;
using VirtShell.Guests;
using VirtShell.Images;
using VirtShell.Machine;
using VirtShell.Machine.Boards;
using VirtShell.State;
using VirtShell.Storage;
using Pc = VirtShell.Machine.Machine;

namespace VirtShell.Host.Running;

/// <summary>What a run is made of: boot images in memory and open disks.</summary>
internal sealed class MachineBuild : IStateful, IDisposable
{
    // The last second that an RTC can show.
    private static readonly DateTime LastTime = new(9999, 12, 31, 23, 59, 59, DateTimeKind.Utc);

    private readonly VmDefinition _definition;
    private readonly BootImage _boot;
    private DateTime _clockStarted;

    private MachineBuild(VmDefinition definition, BootImage boot, IReadOnlyList<GuardedDisk> disks)
    {
        _definition = definition;
        _boot = boot;
        Disks = disks;
    }

    public IReadOnlyList<GuardedDisk> Disks { get; }

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
        try
        {
            boot = PrepareBoot(definition, resolver, progress, cancellation);
        }
        catch (ImageException e)
        {
            throw new VmException(VmErrorKind.ImageNotFound, e.Message, e);
        }

        cancellation.ThrowIfCancellationRequested();
        List<GuardedDisk> disks = [];
        try
        {
            foreach (VmDisk disk in definition.Disks)
            {
                disks.Add(OpenDisk(disk, definition, resolver, progress, cancellation));
            }
        }
        catch
        {
            disks.ForEach(disk => disk.Dispose());
            throw;
        }

        return new MachineBuild(definition, boot, disks);
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
            throw new VmException(VmErrorKind.ImageInvalid, $"'{_definition.Guest ?? _definition.Kernel}' cannot be booted: {e.Message}", e);
        }
    }

    /// <summary>Builds a machine that has not been switched on, for its state to be loaded.</summary>
    /// <exception cref="VmException">The host is out of memory.</exception>
    public Pc Blank(EngineKind engine) => Make(engine, Pc.Blank);

    /// <summary>A machine from <see cref="PowerOn"/> has come to this guest time, in nanoseconds.</summary>
    public void NoteClock(long guestTime)
    {
        TimeSpan ran = TimeSpan.FromTicks(guestTime / TimeSpan.NanosecondsPerTick);
        DateTime now = ran < LastTime - _clockStarted ? _clockStarted + ran : LastTime;
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

        int count = Disks.Count;
        visitor.Value("disks", ref count);
        if (count != Disks.Count)
        {
            throw visitor.Refused($"It is of a VM with {count} disks; this one has {Disks.Count}. Give it the same disks, in the same order.");
        }

        visitor.Parts([.. Disks.Select((disk, index) => new GuardedDisk.Account(disk, DiskName(index)))], static account => account.Name);
    }

    public void Dispose()
    {
        foreach (GuardedDisk disk in Disks)
        {
            disk.Dispose();
        }
    }

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
                Disks = [.. Disks.Select((disk, index) => new DiskAttachment(disk, DiskName(index)))],
            });
            Built?.Invoke(machine);
            return machine;
        }
        catch (OutOfMemoryException e)
        {
            throw new VmException(VmErrorKind.OutOfResources, $"VM '{_definition.Name}' cannot have {_definition.MemoryBytes >> 20} MiB of memory: the host gives no more. Stop other VMs, or give this one less.", e);
        }
    }

    private static string DiskName(int index) => string.Create(CultureInfo.InvariantCulture, $"disk{index}");

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
            throw new VmException(VmErrorKind.InvalidDefinition, $"VM '{definition.Name}' has nothing to boot. Give it a kernel or a bundled guest.");
        }

        progress?.Report($"Resolving kernel {source}");
        ResolvedFile kernel = resolver.Resolve(source, definition.BaseFolder, definition.KernelSha256, progress, cancellation);
        byte[] image = ImageBytes.Read(kernel);
        switch (KernelFormat.Recognise(image, source))
        {
            case KernelKind.Multiboot:
                return new MultibootBoot(image, WithName(Path.GetFileName(kernel.Path), definition.CommandLine))
                {
                    Modules = PrepareModules(definition, resolver, progress, cancellation),
                };
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
        if (definition.Initrd is { } sources)
        {
            foreach ((string source, string arguments) in ModuleList.Read(sources, definition.BaseFolder))
            {
                progress?.Report($"Resolving module {source}");
                ResolvedFile file = resolver.Resolve(source, definition.BaseFolder, null, progress, cancellation);
                modules.Add(new MultibootModule(ImageBytes.Read(file), WithName(Path.GetFileName(file.Path), arguments)));
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

    private static GuardedDisk OpenDisk(VmDisk disk, VmDefinition definition, ImageResolver resolver, IProgress<string>? progress, CancellationToken cancellation)
    {
        bool isFetched = disk.Source.StartsWith("apt:", StringComparison.Ordinal) || disk.Source.StartsWith("https:", StringComparison.OrdinalIgnoreCase);
        if (isFetched && disk.Access == DiskAccess.ReadWrite)
        {
            throw new VmException(VmErrorKind.InvalidDefinition, $"The disk '{disk.Source}' is a shared download and cannot be written. Use it read-only or under an overlay.");
        }

        try
        {
            // A path is not given to the resolver, which would read the whole image to hash it.
            string path = isFetched
                ? resolver.Resolve(disk.Source, definition.BaseFolder, null, progress, cancellation).Path
                : Path.GetFullPath(Path.Combine(definition.BaseFolder, disk.Source));
            IBlockDevice device = disk.Access switch
            {
                DiskAccess.ReadWrite => RawImage.Open(path, readOnly: false),
                DiskAccess.ReadOnly => RawImage.Open(path, readOnly: true),
                _ => new MemoryOverlay(RawImage.Open(path, readOnly: true), ownsBase: true, limit: disk.OverlayLimit, spillFolder: Path.Combine(resolver.CacheFolder, "overlays")),
            };
            return new GuardedDisk(device, disk.Source) { ImageFile = isFetched ? null : path };
        }
        catch (ImageException e)
        {
            throw new VmException(VmErrorKind.ImageNotFound, e.Message, e);
        }
        catch (StorageException e)
        {
            throw new VmException(VmErrorKind.StorageFailed, e.Message, e);
        }
        catch (ArgumentException e)
        {
            throw new VmException(VmErrorKind.StorageFailed, string.Create(CultureInfo.InvariantCulture, $"The disk image's path '{disk.Source}' is not a path: {e.Message}"), e);
        }
    }
}
