using System;
using System.Buffers.Binary;
using System.IO;
using System.IO.Compression;
using System.Linq;
using VirtShell.Guests;
using VirtShell.Host.Running;
using Xunit;

namespace VirtShell.Host.Tests;

public sealed class KernelFormatTests
{
    [Fact]
    public void A_whole_bzImage_is_recognised() => Assert.Equal(KernelKind.BzImage, KernelFormat.Recognise(BzImage(), "k"));

    [Fact]
    public void Other_ELF_files_are_left_to_their_loader() => Assert.Equal(KernelKind.Elf, KernelFormat.Recognise("\u007fELF"u8, "k"));

    [Fact]
    public void Kernels_of_the_first_protocols_are_recognised_by_their_sizes()
    {
        byte[] image = BzImage();
        image[0x202] = 0;
        Assert.Equal(KernelKind.BzImage, KernelFormat.Recognise(image, "k"));
        Assert.Contains("neither", Assert.Throws<VmException>(() => KernelFormat.Recognise(image.AsSpan(0, 9000), "k")).Message);
    }

    [Theory]
    [InlineData("a.gz", "a.gz:")]
    [InlineData("a one two,b", "a:one two|b:")]
    [InlineData("a,,b c, d e ", "a,b:c|d:e")]
    [InlineData("apt:p#boot/k-*  x=1,apt:q#i", "apt:p#boot/k-*:x=1|apt:q#i:")]
    public void A_Multiboot_initrd_is_a_list_of_modules(string text, string modules) =>
        Assert.Equal(modules, string.Join('|', ModuleList.Read(text, "/nowhere").Select(module => $"{module.Source}:{module.Arguments}")));

    /// <summary>A compressed ELF kernel is unpacked; what else is compressed, or cut short, stays as it is, and is told by its kind.</summary>
    [Fact]
    public void A_compressed_kernel_is_unpacked()
    {
        byte[] kernel = [0x7F, (byte)'E', (byte)'L', (byte)'F', .. GuestCatalog.Find("hello")!.Image.Span];
        Assert.Equal(kernel, PackedKernel.Unpack(Pack(kernel)));
        byte[] cut = Pack(kernel)[..^100];
        byte[][] others = [kernel, Pack("070701"u8.ToArray()), Pack([]), [0x1F, 0x8B], cut, cut[..20]];
        Assert.All(others, other => Assert.Same(other, PackedKernel.Unpack(other)));

        static byte[] Pack(byte[] content)
        {
            using MemoryStream stream = new();
            using (GZipStream packed = new(stream, CompressionLevel.Fastest))
            {
                packed.Write(content);
            }

            return stream.ToArray();
        }
    }

    [Fact]
    public void Bundled_guests_are_Multiboot() =>
        Assert.All(GuestCatalog.All, guest => Assert.Equal(KernelKind.Multiboot, KernelFormat.Recognise(guest.Image.Span, guest.Name)));

    [Theory]
    [InlineData(8191, "cut short")]
    [InlineData(600, "cut short")]
    [InlineData(0x20A, "too short")]
    [InlineData(0, "empty")]
    public void A_truncated_bzImage_is_told(int length, string word)
    {
        VmException error = Assert.Throws<VmException>(() => KernelFormat.Recognise(BzImage().AsSpan(0, length), "boot/vmlinuz"));
        Assert.Equal(VmErrorKind.ImageInvalid, error.Kind);
        Assert.Contains("'boot/vmlinuz'", error.Message);
        Assert.Contains(word, error.Message);
    }

    [Theory]
    [InlineData("\u001f\u008b", "initramfs")]
    [InlineData("070701", "cpio")]
    [InlineData("hello", "neither")]
    public void Other_files_are_told_what_they_are(string start, string word)
    {
        byte[] file = new byte[4096];
        start.Select(c => (byte)c).ToArray().CopyTo(file, 0);
        Assert.Contains(word, Assert.Throws<VmException>(() => KernelFormat.Recognise(file, "k")).Message);
    }

    private static byte[] BzImage()
    {
        byte[] image = new byte[2048 + 8192];
        image[0x1F1] = 3;
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x1F4), 8192 / 16);
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x1FE), 0xAA55);
        "HdrS"u8.CopyTo(image.AsSpan(0x202));
        image[0x211] = 1;
        return image;
    }
}
