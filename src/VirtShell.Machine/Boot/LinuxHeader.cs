using System;
using System.Buffers.Binary;

namespace VirtShell.Machine.Boot;

/// <summary>The setup header of a bzImage (Linux Documentation/arch/x86/boot.rst), read and checked.</summary>
internal readonly struct LinuxHeader
{
    public const int HeaderStart = 0x1F1;
    private const int SetupSectsOffset = 0x1F1;
    private const int SysSizeOffset = 0x1F4;
    private const int BootFlagOffset = 0x1FE;
    private const int JumpOffset = 0x201;
    private const int MagicOffset = 0x202;
    private const int VersionOffset = 0x206;
    private const int KernelVersionOffset = 0x20E;
    private const int LoadFlagsOffset = 0x211;
    private const int Code32StartOffset = 0x214;
    private const int InitrdAddrMaxOffset = 0x22C;
    private const int KernelAlignmentOffset = 0x230;
    private const int RelocatableOffset = 0x234;
    private const int XLoadFlagsOffset = 0x236;
    private const int CmdlineSizeOffset = 0x238;
    private const int PrefAddressOffset = 0x258;
    private const int InitSizeOffset = 0x260;

    private const ushort BootFlag = 0xAA55;
    private const uint Magic = 0x5372_6448; // "HdrS"
    private const byte LoadedHigh = 1;
    private const ushort XlfKernel64 = 1;
    private const int SectorSize = 512;
    private const int DefaultSetupSects = 4;
    private const int SmallestHeaderEnd = 0x228;
    private const int LargestHeaderEnd = 0x290;

    private LinuxHeader(ReadOnlySpan<byte> image)
    {
        int sectors = image[SetupSectsOffset] == 0 ? DefaultSetupSects : image[SetupSectsOffset];
        SetupLength = (sectors + 1) * SectorSize;
        Version = DWord(image, MagicOffset) == Magic ? Word(image, VersionOffset) : 0;
        IsLoadedHigh = Version >= 0x200 && (image[LoadFlagsOffset] & LoadedHigh) != 0;
        HeaderEnd = Math.Clamp(MagicOffset + image[JumpOffset], SmallestHeaderEnd, LargestHeaderEnd);
        InitrdAddrMax = Version >= 0x203 ? DWord(image, InitrdAddrMaxOffset) : 0x37FF_FFFF;
        bool relocates = Version >= 0x205 && image[RelocatableOffset] != 0;
        Alignment = relocates ? Math.Max(DWord(image, KernelAlignmentOffset), 1) : 1;
        IsRelocatable = relocates;
        CmdlineSize = Version >= 0x206 ? DWord(image, CmdlineSizeOffset) : 255;
        PreferredAddress = Version >= 0x20A ? BinaryPrimitives.ReadUInt64LittleEndian(image[PrefAddressOffset..]) : MemoryMap.HighMemory;
        InitSize = Version >= 0x20A ? DWord(image, InitSizeOffset) : 0;
        Has64BitEntry = Version >= 0x20C && (Word(image, XLoadFlagsOffset) & XlfKernel64) != 0;
        IsRealModeOnly = !IsLoadedHigh || (!Has64BitEntry && (DWord(image, Code32StartOffset) == 0 || IsNamedOtherwise(image)));
    }

    /// <summary>Whether the protected-mode part belongs to 1 MiB; else it belongs to 64 KiB.</summary>
    public bool IsLoadedHigh { get; }

    /// <summary>
    /// Whether only the setup code knows how to go on: kernels below 1 MiB, and programs that wear the header of a bzImage
    /// (iPXE, MEMDISK). The latter say no 32-bit entry, or are told by their version string: that of Linux begins with a digit.
    /// </summary>
    public bool IsRealModeOnly { get; }

    /// <summary>Real-mode part in bytes; the protected-mode kernel follows it in the file.</summary>
    public int SetupLength { get; }

    /// <summary>Boot protocol version: 0x20F is 2.15.</summary>
    public int Version { get; }

    /// <summary>End of the header in the file, and so in boot_params.</summary>
    public int HeaderEnd { get; }

    /// <summary>Highest address that the initrd may occupy.</summary>
    public uint InitrdAddrMax { get; }

    public uint Alignment { get; }

    public bool IsRelocatable { get; }

    /// <summary>Longest command line, without its terminator.</summary>
    public uint CmdlineSize { get; }

    public ulong PreferredAddress { get; }

    /// <summary>Memory that the kernel needs from its load address until it has read the memory map; 0 where it does not tell.</summary>
    public uint InitSize { get; }

    public bool Has64BitEntry { get; }

    /// <summary>Reads the header.</summary>
    /// <exception cref="MachineBootException">The image is no bzImage, is cut short, or another file.</exception>
    public static LinuxHeader Parse(ReadOnlySpan<byte> image)
    {
        if (image.Length < LargestHeaderEnd)
        {
            throw new MachineBootException($"The Linux kernel image is only {image.Length} bytes long; a bzImage begins with a setup header of {LargestHeaderEnd} bytes.");
        }

        if (Word(image, BootFlagOffset) != BootFlag || (DWord(image, MagicOffset) != Magic && !IsOldKernel(image)))
        {
            string what = image[0] == 0x7F && image[1] == 'E' && image[2] == 'L' && image[3] == 'F'
                ? " It is an ELF file."
                : string.Empty;
            throw new MachineBootException($"The image is not a Linux bzImage: it has no 'HdrS' header at offset 0x202 with the boot flag AA55h before it.{what}");
        }

        LinuxHeader header = new(image);
        long systemSize = DWord(image, SysSizeOffset) * 16L;
        if (header.Version < 0x204)
        {
            systemSize &= 0xF_FFFF;
        }

        // The last paragraph may be partly filled.
        long needed = header.SetupLength + systemSize - 15;
        if (image.Length <= header.SetupLength || image.Length < needed)
        {
            throw new MachineBootException($"The Linux kernel image is cut short: its header tells of {header.SetupLength + systemSize} bytes, the file has {image.Length}.");
        }

        return header;
    }

    // Before 2.00 there was no magic number: a boot sector, setup code of that many sectors, and a system of that many paragraphs.
    private static bool IsOldKernel(ReadOnlySpan<byte> image)
    {
        int sectors = image[SetupSectsOffset] == 0 ? DefaultSetupSects : image[SetupSectsOffset];
        int paragraphs = Word(image, SysSizeOffset);
        int end = ((sectors + 1) * SectorSize) + (paragraphs * 16);
        return paragraphs != 0 && image.Length > end - 16 && image.Length <= end + SectorSize;
    }

    private static bool IsNamedOtherwise(ReadOnlySpan<byte> image)
    {
        int name = Word(image, KernelVersionOffset) + SectorSize;
        return name > SectorSize && name < image.Length && image[name] is not (0 or (>= (byte)'0' and <= (byte)'9'));
    }

    private static ushort Word(ReadOnlySpan<byte> image, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(image[offset..]);

    private static uint DWord(ReadOnlySpan<byte> image, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(image[offset..]);
}
