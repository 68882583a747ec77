using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using VirtShell.Images;
using VirtShell.Machine;
using VirtShell.Machine.Drives;
using VirtShell.State;
using VirtShell.Storage;

namespace VirtShell.Host.Running;

/// <summary>A medium that is to be put into a drive, already open; null empties the drive.</summary>
/// <param name="Kind">A CD or a floppy drive.</param>
/// <param name="Index">Which of these the definition has, from 0.</param>
/// <param name="Image">The image.</param>
internal sealed record MediumChange(DriveKind Kind, int Index, GuardedDisk? Image);

/// <summary>The open images of a run: its disks, and what is in its drives. Used by the run's thread, but for <see cref="Images"/>.</summary>
internal sealed class MachineMedia : IStateful, IDisposable
{
    private const int LongestSource = 4096;

    private readonly VmDefinition _definition;
    [NotState("Of the host.")]
    private readonly ImageResolver _resolver;
    private readonly List<DiskAttachment> _disks = [];
    private readonly List<Slot> _slots = [];
    private GuardedDisk[] _images = [];

    private MachineMedia(VmDefinition definition, ImageResolver resolver)
    {
        _definition = definition;
        _resolver = resolver;
    }

    /// <summary>All of them, on any thread.</summary>
    public IReadOnlyList<GuardedDisk> Images => Volatile.Read(ref _images);

    /// <summary>The disks on virtio-blk.</summary>
    public IReadOnlyList<DiskAttachment> Disks => _disks;

    /// <summary>Opens everything that a definition names.</summary>
    /// <exception cref="VmException">An image is missing or not usable; the message says what to do.</exception>
    public static MachineMedia Open(VmDefinition definition, ImageResolver resolver, IProgress<string>? progress, CancellationToken cancellation)
    {
        MachineMedia media = new(definition, resolver);
        try
        {
            DrivePlaces places = DrivePlaces.Of(definition);
            for (int i = 0; i < definition.Disks.Count; i++)
            {
                GuardedDisk image = media.Add(OpenImage(definition.Disks[i], definition.BaseFolder, resolver, progress, cancellation));
                if (places.Disks[i] == DrivePlaces.None)
                {
                    media._disks.Add(new DiskAttachment(image, Serial("disk", i)));
                }
                else
                {
                    media._slots.Add(new Slot(DriveKind.HardDisk, DriveBus.Ide, places.Disks[i], i, Serial("disk", i)) { Image = image });
                }
            }

            for (int i = 0; i < definition.Cds.Count; i++)
            {
                media._slots.Add(new Slot(DriveKind.Cd, DriveBus.Ide, places.Cds[i], i, Serial("cd", i)) { Image = media.Add(OpenCd(definition, i, resolver, progress, cancellation)) });
            }

            for (int i = 0; i < definition.Floppies.Count; i++)
            {
                media._slots.Add(new Slot(DriveKind.Floppy, DriveBus.Floppy, i, i, Serial("floppy", i)) { Image = media.Add(OpenFloppy(definition, i, resolver, progress, cancellation)) });
            }

            return media;
        }
        catch
        {
            media.Dispose();
            throw;
        }
    }

    /// <summary>Opens what another definition with the same drives has in them in place of what is there.</summary>
    /// <exception cref="VmException">An image is missing or not usable; nothing has changed then.</exception>
    public static IReadOnlyList<MediumChange> OpenChanges(VmDefinition before, VmDefinition after, ImageResolver resolver)
    {
        List<MediumChange> changes = [];
        try
        {
            for (int i = 0; i < Math.Min(before.Cds.Count, after.Cds.Count); i++)
            {
                if (before.Cds[i] != after.Cds[i])
                {
                    changes.Add(new MediumChange(DriveKind.Cd, i, OpenCd(after, i, resolver, null, default)));
                }
            }

            for (int i = 0; i < Math.Min(before.Floppies.Count, after.Floppies.Count); i++)
            {
                if (before.Floppies[i] != after.Floppies[i])
                {
                    changes.Add(new MediumChange(DriveKind.Floppy, i, OpenFloppy(after, i, resolver, null, default)));
                }
            }

            return changes;
        }
        catch
        {
            changes.ForEach(change => change.Image?.Dispose());
            throw;
        }
    }

    /// <summary>Drives for a new machine, with what is in them now.</summary>
    public IReadOnlyList<Drive> MakeDrives() => [.. _slots.Select(slot => slot.Drive = new Drive(slot.Kind, slot.Bus, slot.Number, slot.Image, slot.Serial))];

    /// <summary>Opens an image for a drive, used as the definition says of that drive.</summary>
    /// <exception cref="VmException">There is no such drive, or the image is missing or not usable.</exception>
    public MediumChange OpenMedium(DriveKind kind, int index, string? source)
    {
        FindSlot(kind, index);
        if (kind == DriveKind.Cd)
        {
            VmDefinition definition = _definition with { Cds = [.. _definition.Cds.Select((drive, i) => i == index ? drive with { Source = source } : drive)] };
            return new MediumChange(kind, index, OpenCd(definition, index, _resolver, null, default));
        }

        VmDefinition other = _definition with { Floppies = [.. _definition.Floppies.Select((drive, i) => i == index ? drive with { Source = source } : drive)] };
        return new MediumChange(kind, index, OpenFloppy(other, index, _resolver, null, default));
    }

    /// <summary>Puts a medium into a drive in place of what was in it, which is closed.</summary>
    public void Insert(MediumChange change)
    {
        Slot slot = FindSlot(change.Kind, change.Index);
        GuardedDisk? before = slot.Image;
        slot.Image = change.Image;
        slot.Drive?.Change(change.Image);
        Volatile.Write(ref _images, [.. _images.Where(image => image != before), .. change.Image is { } added ? [added] : Array.Empty<GuardedDisk>()]);
        before?.Dispose();
    }

    /// <summary>Which images there are, what the guest did with them, and what is in the drives, which may be something else than at power-on.</summary>
    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        int count = _disks.Count + _slots.Count(slot => slot.Kind == DriveKind.HardDisk);
        int given = count;
        visitor.Value("disks", ref count);
        if (count != given)
        {
            throw visitor.Refused($"It is of a VM with {count} disks; this one has {given}. Give it the same disks, in the same order.");
        }

        foreach (Slot slot in _slots.Where(slot => slot.Kind != DriveKind.HardDisk))
        {
            string? source = slot.Image?.Source ?? string.Empty;
            visitor.Text(slot.Serial + "-medium", ref source, LongestSource);
            if (visitor.IsLoading && source != (slot.Image?.Source ?? string.Empty))
            {
                Insert(OpenMedium(slot.Kind, slot.Index, string.IsNullOrEmpty(source) ? null : source));
            }
        }

        visitor.Parts(
            [
                .. _disks.Select(disk => new GuardedDisk.Account((GuardedDisk)disk.Device, disk.Serial)),
                .. _slots.Where(slot => slot.Image is not null).Select(slot => new GuardedDisk.Account(slot.Image!, slot.Serial)),
            ],
            static account => account.Name);
    }

    public void Dispose()
    {
        foreach (GuardedDisk image in _images)
        {
            image.Dispose();
        }
    }

    private Slot FindSlot(DriveKind kind, int index) => _slots.Find(one => one.Kind == kind && one.Index == index)
        ?? throw new VmException(VmErrorKind.InvalidDefinition, string.Create(CultureInfo.InvariantCulture, $"The VM has no {(kind == DriveKind.Cd ? "CD" : "floppy")} drive {index + 1}. Add one while it is off."));

    private static string Serial(string kind, int index) => string.Create(CultureInfo.InvariantCulture, $"{kind}{index}");

    private static GuardedDisk? OpenCd(VmDefinition definition, int index, ImageResolver resolver, IProgress<string>? progress, CancellationToken cancellation) =>
        definition.Cds[index].Source is { } source ? OpenImage(new VmDisk(source, DiskAccess.ReadOnly), definition.BaseFolder, resolver, progress, cancellation) : null;

    private static GuardedDisk? OpenFloppy(VmDefinition definition, int index, ImageResolver resolver, IProgress<string>? progress, CancellationToken cancellation)
    {
        VmFloppyDrive drive = definition.Floppies[index];
        if (drive.Source is not { } source)
        {
            return null;
        }

        GuardedDisk image = OpenImage(new VmDisk(source, drive.Access, drive.OverlayLimit), definition.BaseFolder, resolver, progress, cancellation);
        if (image.Length <= FloppyFormat.MostBytes)
        {
            return image;
        }

        long length = image.Length;
        image.Dispose();
        throw new VmException(VmErrorKind.InvalidDefinition, string.Create(CultureInfo.InvariantCulture, $"The image '{source}' has {length} bytes, and a floppy disk at most {FloppyFormat.MostBytes} (2.88 MB). Attach it as a disk or as a CD."));
    }

    private static GuardedDisk OpenImage(VmDisk disk, string baseFolder, ImageResolver resolver, IProgress<string>? progress, CancellationToken cancellation)
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
                ? resolver.Resolve(disk.Source, baseFolder, null, progress, cancellation).Path
                : Path.GetFullPath(Path.Combine(baseFolder, disk.Source));
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

    [return: NotNullIfNotNull(nameof(image))]
    private GuardedDisk? Add(GuardedDisk? image)
    {
        _images = image is null ? _images : [.. _images, image];
        return image;
    }

    // A drive of the machine, whichever machine of the run that is now.
    private sealed class Slot(DriveKind kind, DriveBus bus, int number, int index, string serial)
    {
        public DriveKind Kind => kind;

        public DriveBus Bus => bus;

        public int Number => number;

        public int Index => index;

        public string Serial => serial;

        public GuardedDisk? Image { get; set; }

        [NotState("Described by the machine.")]
        public Drive? Drive { get; set; }
    }
}
