using System;
using System.Buffers.Binary;

namespace VirtShell.Host.Running;

internal enum KernelKind
{
    BzImage,
    Multiboot,
    Elf,
}

/// <summary>Tells by content what a kernel file is.</summary>
internal static class KernelFormat
{
    // Linux, Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header".
    private const int SetupSectsOffset = 0x1F1;
    private const int SysSizeOffset = 0x1F4;
    private const int BootFlagOffset = 0x1FE;
    private const int HeaderMagicOffset = 0x202;
    private const int VersionOffset = 0x206;
    private const ushort FourByteSize = 0x204;
    private const ushort BootFlag = 0xAA55;
    private const uint HeaderMagic = 0x53726448; // "HdrS"
    private const int SectorSize = 512;
    private const int Paragraph = 16;
    private const int DefaultSetupSects = 4;

    private const int ShortestHeader = 0x212;

    // Multiboot Specification 0.6.96, 3.1: the header lies within the first 8192 bytes, 4-byte aligned.
    private const uint MultibootMagic = 0x1BADB002;
    private const int MultibootSearch = 8192;

    // Multiboot 2, 3.1: within the first 32,768 bytes, 8-byte aligned.
    private const uint Multiboot2Magic = 0xE85250D6;
    private const int Multiboot2Search = 32768;

    /// <exception cref="VmException">With <see cref="VmErrorKind.ImageInvalid"/>: none of them, or cut short.</exception>
    public static KernelKind Recognise(ReadOnlySpan<byte> image, string source)
    {
        if (image.Length >= ShortestHeader && BinaryPrimitives.ReadUInt16LittleEndian(image[BootFlagOffset..]) == BootFlag)
        {
            if (BinaryPrimitives.ReadUInt32LittleEndian(image[HeaderMagicOffset..]) == HeaderMagic)
            {
                CheckBzImage(image, source);
                return KernelKind.BzImage;
            }

            if (IsOldKernel(image))
            {
                return KernelKind.BzImage;
            }
        }

        if (HasMultibootHeader(image) || HasMultiboot2Header(image))
        {
            return KernelKind.Multiboot;
        }

        return image is [0x7F, (byte)'E', (byte)'L', (byte)'F', ..] ? KernelKind.Elf : throw Invalid(source, What(image));
    }

    // Before boot protocol 2.00: a boot sector, setup code and a system whose sizes make up the file.
    private static bool IsOldKernel(ReadOnlySpan<byte> image)
    {
        int setup = image[SetupSectsOffset] == 0 ? DefaultSetupSects : image[SetupSectsOffset];
        int paragraphs = BinaryPrimitives.ReadUInt16LittleEndian(image[SysSizeOffset..]);
        int end = ((setup + 1) * SectorSize) + (paragraphs * Paragraph);
        return paragraphs != 0 && image.Length > end - Paragraph && image.Length <= end + SectorSize;
    }

    private static void CheckBzImage(ReadOnlySpan<byte> image, string source)
    {
        int setup = image[SetupSectsOffset] == 0 ? DefaultSetupSects : image[SetupSectsOffset];
        long paragraphs = BinaryPrimitives.ReadUInt32LittleEndian(image[SysSizeOffset..]);
        if (BinaryPrimitives.ReadUInt16LittleEndian(image[VersionOffset..]) < FourByteSize)
        {
            paragraphs &= ushort.MaxValue;
        }

        long wanted = ((setup + 1L) * SectorSize) + (paragraphs * Paragraph);
        if (image.Length < wanted - (Paragraph - 1))
        {
            throw Invalid(source, $"is a bzImage cut short: its header tells of {wanted} bytes, the file has {image.Length}. Copy or download it again.");
        }
    }

    private static bool HasMultibootHeader(ReadOnlySpan<byte> image)
    {
        int end = Math.Min(image.Length, MultibootSearch) - 12;
        for (int at = 0; at <= end; at += 4)
        {
            uint magic = BinaryPrimitives.ReadUInt32LittleEndian(image[at..]);
            if (magic == MultibootMagic)
            {
                uint flags = BinaryPrimitives.ReadUInt32LittleEndian(image[(at + 4)..]);
                uint checksum = BinaryPrimitives.ReadUInt32LittleEndian(image[(at + 8)..]);
                if (unchecked(magic + flags + checksum) == 0)
                {
                    return true;
                }
            }
        }

        return false;
    }

    private static bool HasMultiboot2Header(ReadOnlySpan<byte> image)
    {
        int end = Math.Min(image.Length, Multiboot2Search) - 16;
        for (int at = 0; at <= end; at += 8)
        {
            uint magic = BinaryPrimitives.ReadUInt32LittleEndian(image[at..]);
            if (magic == Multiboot2Magic)
            {
                uint sum = unchecked(magic + BinaryPrimitives.ReadUInt32LittleEndian(image[(at + 4)..]) + BinaryPrimitives.ReadUInt32LittleEndian(image[(at + 8)..]));
                if (unchecked(sum + BinaryPrimitives.ReadUInt32LittleEndian(image[(at + 12)..])) == 0)
                {
                    return true;
                }
            }
        }

        return false;
    }

    private static string What(ReadOnlySpan<byte> image) => image switch
    {
        { Length: 0 } => "is empty.",
        [0x1F, 0x8B, ..] => "is gzip-compressed, perhaps an initramfs. Give the kernel (bzImage, Multiboot image or vmlinux) here and the initramfs as initrd.",
        [(byte)'0', (byte)'7', (byte)'0', (byte)'7', (byte)'0', ..] => "is a cpio archive, so an initramfs. Give the kernel here and this file as initrd.",
        { Length: < 0x212 } => $"is only {image.Length} bytes long, too short for a kernel; it may be cut short. Copy or download it again.",
        _ => "is neither a Linux bzImage nor a Multiboot image nor an ELF kernel. Check that it is a kernel for x86 PCs.",
    };

    private static VmException Invalid(string source, string what) => new(VmErrorKind.ImageInvalid, $"The kernel '{source}' {what}");
}
