using System;
using System.Collections.Generic;
using VirtShell.Cpu;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Drives;
using VirtShell.Storage;

namespace VirtShell.Machine;

/// <summary>How a machine's clock advances.</summary>
public enum ClockMode
{
    /// <summary>Time is a pure function of retired instructions; HLT jumps to the next event. Deterministic.</summary>
    Virtual,

    /// <summary>The same event queue, paced by a monotonic host clock.</summary>
    Host,
}

/// <summary>What a machine is built from. Fixed once the machine exists.</summary>
public sealed class MachineConfiguration
{
    /// <summary>What kind of machine it is.</summary>
    public MachineModel Model { get; init; } = MachineModel.Pc;

    /// <summary>Which of the model's parts it has, and their options.</summary>
    public PartSettings Parts { get; init; } = PartSettings.Default;

    /// <summary>RAM in bytes: a multiple of 4 KiB, at least 64 KiB.</summary>
    public required ulong MemoryBytes { get; init; }

    public CpuModel CpuModel { get; init; } = CpuModel.X86_64_V3;

    /// <summary>How many processors there are. Models have one; tests of what goes between processors have more.</summary>
    internal int Processors { get; init; } = 1;

    /// <summary>Which engine executes the guest; makes no difference to what it does.</summary>
    public EngineKind Engine { get; init; } = EngineKind.Auto;

    public ClockMode Clock { get; init; } = ClockMode.Virtual;

    /// <summary>Seed of every pseudo-random source of the machine (virtio-rng, RDRAND).</summary>
    public ulong Seed { get; init; }

    /// <summary>What the RTC shows at power-on, in UTC. Under the virtual clock the default is a fixed date, so that runs repeat.</summary>
    public DateTime RtcStart { get; init; } = new(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    /// <summary>What the machine starts. Null only for one that is made from a saved state and not reset.</summary>
    public required BootImage? Boot { get; init; }

    /// <summary>Disks on virtio-blk, in order (vda, vdb, …). The machine does not dispose them.</summary>
    public IReadOnlyList<DiskAttachment> Disks { get; init; } = [];

    /// <summary>Drives on the IDE and floppy controllers.</summary>
    public IReadOnlyList<Drive> Drives { get; init; } = [];

    /// <summary>A VGA BIOS for the display's expansion ROM, 256 KiB at most; empty where firmware brings its own.</summary>
    public ReadOnlyMemory<byte> VideoRom { get; init; }

    /// <summary>The drives on a controller.</summary>
    /// <param name="bus">Which.</param>
    /// <param name="count">How many places it has.</param>
    /// <exception cref="PartException">A drive has no place there, or two have one.</exception>
    internal IReadOnlyList<Drive> DrivesOn(DriveBus bus, int count)
    {
        List<Drive> found = [];
        foreach (Drive drive in Drives)
        {
            if (drive.Bus != bus)
            {
                continue;
            }

            if (drive.Number < 0 || drive.Number >= count || (drive.Kind == DriveKind.Floppy) != (bus == DriveBus.Floppy))
            {
                throw new PartException($"The {bus} controller has no place {drive.Number} for a drive of kind {drive.Kind}: it has {count}, numbered from 0.");
            }

            if (found.Exists(other => other.Number == drive.Number))
            {
                throw new PartException($"Two drives are at place {drive.Number} of the {bus} controller. Give one of them another place.");
            }

            found.Add(drive);
        }

        return found;
    }

    /// <summary>Whether firmware starts the machine, which then has what a PC has; a kernel that is started directly finds a smaller machine.</summary>
    public bool BootsByFirmware => Boot is BiosBoot or RomBoot;
}

/// <summary>A disk on the machine: its content and the serial number (up to 20 characters) that the guest sees.</summary>
public sealed record DiskAttachment(IBlockDevice Device, string Serial);

/// <summary>What the machine starts.</summary>
public abstract record BootImage;

/// <summary>A Linux bzImage by the Linux boot protocol: 64-bit entry where the kernel has one, else 32-bit; kernels that have neither are entered in real mode.</summary>
public sealed record LinuxBoot(ReadOnlyMemory<byte> Kernel, ReadOnlyMemory<byte> Initrd, string CommandLine) : BootImage;

/// <summary>A Multiboot image of version 1, or of version 2 where it has no header of the first: ELF32, ELF64 or by the header's own addresses.</summary>
/// <param name="Image">The file.</param>
/// <param name="CommandLine">Passed as it is; by custom its first word names the image, and systems skip it.</param>
public sealed record MultibootBoot(ReadOnlyMemory<byte> Image, string CommandLine) : BootImage
{
    /// <summary>Files that are placed above the image, in this order.</summary>
    public IReadOnlyList<MultibootModule> Modules { get; init; } = [];
}

/// <summary>A file beside a Multiboot image, with the string that goes with it; by custom its first word names the file.</summary>
public sealed record MultibootModule(ReadOnlyMemory<byte> Content, string CommandLine);

/// <summary>An ELF kernel without a Multiboot header: by the PVH boot ABI where it has that note, else an uncompressed Linux kernel at its ELF entry.</summary>
public sealed record ElfBoot(ReadOnlyMemory<byte> Image, ReadOnlyMemory<byte> Initrd, string CommandLine) : BootImage;

/// <summary>The built-in BIOS, which looks for something that boots on the machine's drives.</summary>
/// <param name="Order">Kinds of drives in the order in which they are tried.</param>
public sealed record BiosBoot(IReadOnlyList<DriveKind> Order) : BootImage;

/// <summary>A firmware image from a file, mapped below 4 GiB and its last 128 KiB below 1 MiB, entered at the reset vector.</summary>
/// <param name="Image">A multiple of 64 KiB, 16 MiB at most.</param>
public sealed record RomBoot(ReadOnlyMemory<byte> Image) : BootImage
{
    /// <summary>Kinds of drives in the order in which firmware is asked to try them; empty leaves it to the firmware.</summary>
    public IReadOnlyList<DriveKind> Order { get; init; } = [];

    /// <summary>Programs that firmware runs for devices which have none of their own.</summary>
    public IReadOnlyList<OptionRom> OptionRoms { get; init; } = [];
}

/// <summary>An option ROM: a multiple of 512 bytes that begins with AA55h (PCI Firmware Specification 3.0, 5).</summary>
/// <param name="Name">A file name, up to 40 characters.</param>
/// <param name="Content">The image.</param>
/// <param name="IsDisplay">Whether it serves the display, which firmware starts before the others.</param>
public sealed record OptionRom(string Name, ReadOnlyMemory<byte> Content, bool IsDisplay);
