using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;
using VirtShell.Cpu;
using Xunit;

namespace VirtShell.Machine.Tests.Boot;

public sealed class LinuxLoaderTests
{
    private const ulong BootParams = 0x9_0000;
    private const ulong MiB = 1 << 20;

    [Fact]
    public void A64_bit_kernel_is_entered_in_long_mode()
    {
        using Pc machine = new(Configuration(Kernel(), new byte[5000], "console=ttyS0", 256));
        Assert.Equal(BootParams, machine.Cpu.GetRegister(6));
        Assert.Equal(0x5A5A_5A5Au, machine.Memory.ReadUInt32(0x100_0000));
        ulong initrd = machine.Memory.ReadUInt32(BootParams + 0x218);
        Assert.Equal((256 * MiB) - 8192, initrd);
        Assert.Equal(5000u, machine.Memory.ReadUInt32(BootParams + 0x21C));
        Assert.Equal(0xFF, machine.Memory.ReadUInt16(BootParams + 0x210) & 0xFF);
        Assert.Equal(0x100_0000u, machine.Memory.ReadUInt32(BootParams + 0x214));
        byte[] line = new byte[14];
        machine.Memory.Read(machine.Memory.ReadUInt32(BootParams + 0x228), line);
        Assert.Equal("console=ttyS0\0", Encoding.ASCII.GetString(line));
        byte[] rsdp = new byte[8];
        machine.Memory.Read(machine.Memory.ReadUInt64(BootParams + 0x70), rsdp);
        Assert.Equal("RSD PTR ", Encoding.ASCII.GetString(rsdp));
        unsafe
        {
            Assert.Equal(0x100_0200ul, machine.Cpu.State->Rip);
            Assert.Equal(0x10, machine.Cpu.State->Cs.Selector);
            Assert.Equal(0x18, machine.Cpu.State->Ds.Selector);
            Assert.Equal(0u, machine.Memory.ReadUInt32(machine.Cpu.State->GdtBase));
            ulong pml4 = machine.Cpu.State->Cr3;
            ulong pdpt = machine.Memory.ReadUInt64(pml4) & ~0xFFFul;
            ulong directory = machine.Memory.ReadUInt64(pdpt + 24) & ~0xFFFul;
            Assert.Equal(0xFFE0_0083ul, machine.Memory.ReadUInt64(directory + (511 * 8)));
        }

        Assert.False(machine.Cpu.InterruptsEnabled);
    }

    [Theory]
    [InlineData(CpuModel.X86_64_V3, false)]
    [InlineData(CpuModel.Pentium3, true)]
    [InlineData(CpuModel.I486, true)]
    public void Otherwise_the_entry_is_32_bit(CpuModel model, bool has64BitEntry)
    {
        byte[] kernel = Kernel();
        kernel[0x236] = has64BitEntry ? (byte)1 : (byte)0;
        using Pc machine = new(Configuration(kernel, [], "", 64, model));
        unsafe
        {
            Assert.Equal(0x100_0000ul, machine.Cpu.State->Rip);
            Assert.Equal(0ul, machine.Cpu.State->Efer);
        }

        Assert.Equal(BootParams, machine.Cpu.GetRegister(6));
        Assert.Equal(0ul, machine.Cpu.GetRegister(3) | machine.Cpu.GetRegister(5) | machine.Cpu.GetRegister(7));
    }

    [Fact]
    public void The_memory_map_is_handed_over()
    {
        using Pc machine = new(Configuration(Kernel(), [], "", 5 * 1024));
        int count = machine.Memory.ReadUInt16(BootParams + 0x1E8) & 0xFF;
        List<string> map = [];
        for (int i = 0; i < count; i++)
        {
            ulong at = BootParams + 0x2D0 + ((ulong)i * 20);
            map.Add($"{machine.Memory.ReadUInt64(at):x}+{machine.Memory.ReadUInt64(at + 8):x}:{machine.Memory.ReadUInt32(at + 16)}");
        }

        Assert.Equal(["0+9fc00:1", "9fc00+400:2", "e0000+20000:2", "100000+bff00000:1", "fec00000+1000:2", "fee00000+1000:2", "100000000+80000000:1"], map);
    }

    [Fact]
    public void Small_machines_load_a_relocatable_kernel_low()
    {
        using Pc machine = new(Configuration(Kernel(), [], "", 12));
        Assert.Equal(0x20_0000u, machine.Memory.ReadUInt32(BootParams + 0x214));
    }

    [Fact]
    public void The_initrd_keeps_below_the_kernels_limit()
    {
        byte[] kernel = Kernel();
        BinaryPrimitives.WriteUInt32LittleEndian(kernel.AsSpan(0x22C), 0x37FF_FFFF);
        using Pc machine = new(Configuration(kernel, new byte[4096], "", 2048));
        Assert.Equal(0x37FF_F000u, machine.Memory.ReadUInt32(BootParams + 0x218));
    }

    public static TheoryData<string, string> DamagedImages => new()
    {
        { "empty", "only 0 bytes" },
        { "short", "only 600 bytes" },
        { "no-magic", "not a Linux bzImage" },
        { "elf", "It is an ELF file" },
        { "no-boot-flag", "not a Linux bzImage" },
        { "zimage-size", "does not fit" },
        { "zimage-line", "at most 100" },
        { "old-initrd", "knows no initrd" },
        { "cut", "cut short" },
        { "setup-only", "cut short" },
        { "command-line", "at most 100" },
        { "nul", "NUL" },
        { "memory", "needs at least 10 MiB" },
        { "fixed", "needs at least 24 MiB" },
        { "initrd", "does not fit above the Linux kernel" },
    };

    [Theory]
    [MemberData(nameof(DamagedImages))]
    public void Damaged_images_are_explained(string damage, string message)
    {
        byte[] kernel = Kernel();
        byte[] initrd = [];
        string line = "";
        ulong memory = 64;
        switch (damage)
        {
            case "empty":
                kernel = [];
                break;
            case "short":
                kernel = kernel[..600];
                break;
            case "no-magic":
                kernel[0x202] = 0;
                kernel[0x1F4] = 0;
                break;
            case "elf":
                kernel = new byte[5000];
                "\u007fELF"u8.CopyTo(kernel);
                break;
            case "no-boot-flag":
                kernel[0x1FE] = 0;
                break;
            case "zimage-size":
                kernel[0x211] = 0;
                Array.Resize(ref kernel, 0x9_0000);
                break;
            case "zimage-line":
                kernel[0x211] = 0;
                line = new string('x', 101);
                break;
            case "old-initrd":
                kernel[0x202] = 0;
                initrd = [1];
                break;
            case "cut":
                kernel = kernel[..^100];
                break;
            case "setup-only":
                kernel = kernel[..1024];
                break;
            case "command-line":
                line = new string('x', 101);
                break;
            case "nul":
                line = "a\0b";
                break;
            case "memory":
                memory = 9;
                break;
            case "fixed":
                kernel[0x234] = 0;
                memory = 20;
                break;
            case "initrd":
                initrd = new byte[41 * MiB];
                break;
        }

        MachineBootException error = Assert.Throws<MachineBootException>(() => new Pc(Configuration(kernel, initrd, line, memory)));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Random_damage_never_gives_another_error()
    {
        Random random = new(7);
        byte[] whole = Kernel();
        for (int i = 0; i < 150; i++)
        {
            byte[] kernel = whole.AsSpan(0, random.Next(4) == 0 ? random.Next(whole.Length) : whole.Length).ToArray();
            for (int n = random.Next(8); n >= 0 && kernel.Length > 0x1F1; n--)
            {
                kernel[random.Next(0x1F1, Math.Min(kernel.Length, 0x290))] = (byte)random.Next(256);
            }

            try
            {
                using Pc machine = new(Configuration(kernel, new byte[100], "x", 64));
            }
            catch (MachineBootException)
            {
            }
        }
    }

    private static MachineConfiguration Configuration(byte[] kernel, byte[] initrd, string line, ulong mebibytes, CpuModel model = CpuModel.X86_64_V3) =>
        new() { MemoryBytes = mebibytes * MiB, CpuModel = model, Boot = new LinuxBoot(kernel, initrd, line) };

    // A bzImage of one setup sector and two kilobytes of kernel, protocol 2.15, preferring 16 MiB, needing 8 MiB.
    internal static byte[] Kernel()
    {
        byte[] image = new byte[1024 + 2048];
        image[0x1F1] = 1;
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x1F4), 128);
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x1FE), 0xAA55);
        image[0x200] = 0xEB;
        image[0x201] = 0x6A;
        "HdrS"u8.CopyTo(image.AsSpan(0x202));
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x206), 0x20F);
        image[0x211] = 1;
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x214), 0x10_0000);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x22C), 0x7FFF_FFFF);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x230), 0x20_0000);
        image[0x234] = 1;
        image[0x236] = 1;
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x238), 100);
        BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(0x258), 0x100_0000);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x260), 0x80_0000);
        image.AsSpan(1024).Fill(0x5A);
        return image;
    }
}
