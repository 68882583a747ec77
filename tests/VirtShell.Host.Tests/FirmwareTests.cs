using System;
using System.Collections.Generic;
using System.IO;
using Xunit;

namespace VirtShell.Host.Tests;

/// <summary>VMs that start from a firmware image, and what such an image has to be.</summary>
public sealed class FirmwareTests
{
    private const int ImageLength = 64 << 10;

    // mov al, 'h'; mov dx, 3F8h; out dx, al; mov al, 5; mov dx, 501h; out dx, al; jmp $
    private static readonly byte[] s_hello = [0xB0, (byte)'h', 0xBA, 0xF8, 0x03, 0xEE, 0xB0, 0x05, 0xBA, 0x01, 0x05, 0xEE, 0xEB, 0xFE];

    // mov al, 1; mov dx, 505h; out dx, al; jmp $
    private static readonly byte[] s_panic = [0xB0, 0x01, 0xBA, 0x05, 0x05, 0xEE, 0xEB, 0xFE];

    [Fact]
    public void A_firmware_image_is_entered_at_the_reset_vector()
    {
        VirtualMachine vm = Run(Image(s_hello), []);
        Assert.Equal((VmEndKind.DebugExit, 5, "h"), (vm.End, vm.EndCode, vm.Serial.GetText()));
    }

    [Fact]
    public void A_panic_that_the_guest_tells_is_a_crash_with_a_report()
    {
        VirtualMachine vm = Run(Image(s_panic), ["pvpanic=on"]);
        Assert.Equal(VmEndKind.Panic, vm.End);
        Assert.Contains("panic device", vm.CrashReport!.Summary);
    }

    public static TheoryData<int, string> Wrong => new()
    {
        { 1000, "multiple of 64 KiB" },
        { 17 << 20, "16 MiB at most" },
        { ImageLength, "reset vector" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void What_is_no_firmware_is_told(int length, string word)
    {
        VmException error = Assert.Throws<VmException>(() => Run(new byte[length], []));
        Assert.Equal(VmErrorKind.ImageInvalid, error.Kind);
        Assert.Contains(word, error.Message);
        Assert.Contains("bios.bin", error.Message);
    }

    [Fact]
    public void Modules_go_with_a_Multiboot_kernel_alone()
    {
        using TemporaryFolder folder = new();
        File.WriteAllBytes(folder.File("hello.elf"), VirtShell.Guests.GuestCatalog.Find("hello")!.Image.ToArray());
        File.WriteAllText(folder.File("module"), "content");
        byte[] linux = new byte[4096];
        BzImage(linux);
        File.WriteAllBytes(folder.File("vmlinuz"), linux);
        using VmHost host = new(folder.File("home"));
        VmDefinition definition = Vm.Guest("hello") with { Guest = null, Kernel = "hello.elf", BaseFolder = folder.Path };
        VirtualMachine vm = host.Started(definition with { Modules = ["module with arguments", "module"] });
        vm.AwaitEnd();
        Assert.Equal(VmEndKind.PowerOff, vm.End);
        vm = host.Create(definition with { Id = Guid.NewGuid(), Name = "other", Modules = ["gone"] });
        Assert.Contains("gone", Assert.Throws<VmException>(() => vm.Start()).Message);
        vm.Configure(vm.Definition with { Kernel = "vmlinuz", Modules = ["module"] });
        Assert.Contains("takes no modules", Assert.Throws<VmException>(() => vm.Start()).Message);
    }

    // Linux, Documentation/arch/x86/boot.rst: boot flag, magic, setup sectors and size.
    private static void BzImage(byte[] image)
    {
        (image[0x1F1], image[0x1F4], image[0x1FE], image[0x1FF]) = (1, 16, 0x55, 0xAA);
        "HdrS"u8.CopyTo(image.AsSpan(0x202));
        (image[0x206], image[0x207]) = (0x0F, 0x02);
    }

    private static byte[] Image(ReadOnlySpan<byte> code)
    {
        byte[] image = new byte[ImageLength];
        code.CopyTo(image);
        ((ReadOnlySpan<byte>)[0xEA, 0x00, 0x00, 0x00, 0xF0]).CopyTo(image.AsSpan(ImageLength - 16));
        return image;
    }

    private static VirtualMachine Run(byte[] image, IReadOnlyList<string> parts)
    {
        using TemporaryFolder folder = new();
        File.WriteAllBytes(folder.File("bios.bin"), image);
        using VmHost host = new(null);
        VirtualMachine vm = host.Started(Vm.Guest("hello") with { Guest = null, Firmware = "bios.bin", Parts = parts, BaseFolder = folder.Path });
        vm.AwaitEnd();
        return vm;
    }
}
