using System;
using System.Collections.Generic;
using VirtShell.State;

namespace VirtShell.Cpu.Memory;

/// <summary>Memory that begins with an image's content and shares its pages until they are written.</summary>
public sealed unsafe partial class PhysicalMemory
{
    /// <summary>What stands below pages that were not written since; null where nothing does. Not this object's to dispose.</summary>
    [NotState("How the host keeps the content.")]
    private MemoryImage? _image;

    [NotState("Notes for the host.")]
    private uint _sharedAt;

    /// <summary>
    /// Takes memory as it is as an image that never changes, for other machines to begin with. This one goes on as before, and shares the
    /// image's pages from now on: where the host shares memory, freezing takes none for what is there already. Between runs only.
    /// </summary>
    /// <exception cref="OutOfMemoryException">The host has no room, or no descriptor left; this memory is as it was.</exception>
    public MemoryImage Freeze() => Freeze(shares: true);

    /// <param name="shares">False for the way of hosts that share nothing.</param>
    internal MemoryImage Freeze(bool shares)
    {
        MemoryImage image = MemoryImage.Of(this, shares);
        if (image.IsShared)
        {
            try
            {
                // From its first mapping on some pages stand above the image.
                ulong mapped = _image is null ? 0 : Top;
                _image = image;
                List<(ulong Page, byte[] Content)> kept = ContentOfDevices();
                image.PutBelow(_base, mapped);
                PutBack(kept);
            }
            catch
            {
                image.Dispose();
                throw;
            }
        }

        return image;
    }

    /// <summary>Makes memory what an image holds: content, and what each page is. Between runs only.</summary>
    /// <exception cref="ArgumentException">The image is of a machine with more or less RAM.</exception>
    /// <exception cref="ObjectDisposedException">The image is disposed.</exception>
    /// <exception cref="OutOfMemoryException">The host has no room; the memory is then fit for <see cref="Dispose"/> only.</exception>
    public void Adopt(MemoryImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (image.RamBytes != RamBytes)
        {
            throw new ArgumentException($"The image is of a machine with {image.RamBytes} bytes of RAM; this one has {RamBytes}.", nameof(image));
        }

        Empty();
        if (image.IsShared)
        {
            // Without large pages: one byte that is written would cost 2 MiB.
            HostMemory.MapZeros(_base, Top);
            _image = image;
        }

        image.PutInto(_base, _kinds);
        TellMappingChanged(0, Top);
    }

    /// <summary>
    /// Gives back pages of its own that hold what stands below them all the same: what was written and then put back as it was, and zeros
    /// where the image has none. Gives how many bytes; 0 where no image stands below, or it is disposed. Looks only at pages written since the last call. Between runs only.
    /// </summary>
    public ulong ShareEqualPages()
    {
        if (_image is not { IsDisposed: false } image)
        {
            return 0;
        }

        ulong resident = ResidentBytes();
        uint before = _sharedAt;
        _sharedAt = MarkWrites();
        (ulong start, ulong end) = (0, 0);
        Span<byte> below = stackalloc byte[(int)PageSize];
        foreach (ulong page in WrittenSince(before, PageKinds.Ram))
        {
            image.ReadPage(page, below);
            if (!new ReadOnlySpan<byte>(_base + page, (int)PageSize).SequenceEqual(below))
            {
                continue;
            }

            if (page != end)
            {
                HostMemory.GiveUp(_base + start, end - start);
                start = page;
            }

            end = page + PageSize;
        }

        HostMemory.GiveUp(_base + start, end - start);
        return resident - Math.Min(resident, ResidentBytes());
    }

    /// <summary>
    /// Guest memory that the host has had to give for this machine alone, in bytes; 0 where the host cannot tell. What it shares with others
    /// is the image's (<see cref="MemoryImage.Bytes"/>). From any thread.
    /// </summary>
    public ulong ResidentBytes() => ResidentIn(0, LowRamBytes) + (HighRamBytes == 0 ? 0 : ResidentIn(FourGiB, HighRamBytes));

    // mincore finds an image's pages in every machine that maps them, so these are told apart by the host's own map of pages.
    private ulong ResidentIn(ulong start, ulong length) =>
        _image is not null && HostMemory.TryCountPrivate(_base + start, length, out ulong bytes) ? bytes : HostMemory.Resident(_base + start, length);

    // Makes everything read as zeros and cost nothing.
    private void Empty()
    {
        if (_image is null)
        {
            HostMemory.Discard(_base, Top);
            return;
        }

        // Pages that are merely discarded would show the image again.
        HostMemory.MapZeros(_base, Top);
        _image = null;
        HostMemory.PreferLargePages(_base, LowRamBytes);
        HostMemory.PreferLargePages(_base + FourGiB, HighRamBytes);
    }

    // Takes the image away from below everything. Of the content, that of RAM goes with it.
    private void LeaveImage()
    {
        List<(ulong Page, byte[] Content)> kept = ContentOfDevices();
        foreach (MemoryRun run in MemoryRun.WrittenIn(this))
        {
            for (ulong page = run.Start; page < run.End; page += PageSize)
            {
                if ((KindOf(page) & PageKinds.Ram) == 0)
                {
                    kept.Add((page, new ReadOnlySpan<byte>(_base + page, (int)PageSize).ToArray()));
                }
            }
        }

        Empty();
        PutBack(kept);
    }
}
