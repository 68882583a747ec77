using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Iced.Intel;
using Xunit;

namespace VirtShell.Machine.Tests.Boot;

public sealed class MultibootLoaderTests
{
    private static readonly Action<Assembler> s_code = a =>
    {
        a.nop();
        a.hlt();
    };

    [Theory]
    [InlineData("flat", 0x10_0020)]
    [InlineData("elf32", 0x10_000C)]
    [InlineData("elf64", 0x10_000C)]
    [InlineData("elf64-as-386", 0x10_000C)]
    public void Every_format_is_entered_by_the_contract(string format, int entry)
    {
        byte[] image = format switch
        {
            "flat" => MultibootImages.Flat(s_code),
            "elf32" => MultibootImages.Elf(wide: false, s_code),
            "elf64" => MultibootImages.Elf(wide: true, s_code, machine: 62),
            _ => MultibootImages.Elf(wide: true, s_code),
        };
        using Pc machine = new(Configuration(image, "one two"));
        Assert.Equal(0x2BAD_B002ul, machine.Cpu.GetRegister(0));
        unsafe
        {
            Assert.Equal((ulong)entry, machine.Cpu.State->Rip);
        }

        Assert.Equal(0xF490, machine.Memory.ReadUInt16((ulong)entry));
        ulong info = machine.Cpu.GetRegister(3);
        Assert.Equal(0x24Du, machine.Memory.ReadUInt32(info));
        Assert.Equal(639u, machine.Memory.ReadUInt32(info + 4));
        Assert.Equal(63u * 1024, machine.Memory.ReadUInt32(info + 8));
        byte[] line = new byte[8];
        machine.Memory.Read(machine.Memory.ReadUInt32(info + 16), line);
        Assert.Equal("one two\0", Encoding.ASCII.GetString(line));
        byte[] name = new byte[9];
        machine.Memory.Read(machine.Memory.ReadUInt32(info + 64), name);
        Assert.Equal("VirtShell", Encoding.ASCII.GetString(name));
        uint length = machine.Memory.ReadUInt32(info + 44);
        ulong map = machine.Memory.ReadUInt32(info + 48);
        Assert.Equal(6u * 24, length);
        Assert.Equal(20u, machine.Memory.ReadUInt32(map));
        Assert.Equal(0x9FC00ul, machine.Memory.ReadUInt64(map + 12));
        Assert.Equal(1u, machine.Memory.ReadUInt32(map + 20));
    }

    [Theory]
    [InlineData("flat", 0x10_0048)]
    [InlineData("elf32", 0x10_000C)]
    [InlineData("elf64", 0x10_000C)]
    public void The_second_version_is_entered_with_its_tags(string format, int entry)
    {
        MultibootModule[] modules = [new(new byte[] { 1, 2, 3 }, "first a"), new(new byte[] { 4 }, "second")];
        using Pc machine = new(new MachineConfiguration { MemoryBytes = 64 << 20, Boot = new MultibootBoot(MultibootImages.Second(format, s_code), "one two") { Modules = modules } });
        Assert.Equal(0x36D7_6289ul, machine.Cpu.GetRegister(0));
        unsafe
        {
            Assert.Equal((ulong)entry, machine.Cpu.State->Rip);
        }

        Assert.Equal(0xF490, machine.Memory.ReadUInt16((ulong)entry));
        ulong info = machine.Cpu.GetRegister(3);
        byte[] all = new byte[machine.Memory.ReadUInt32(info)];
        machine.Memory.Read(info, all);
        List<(uint Type, byte[] Content)> tags = [];
        for (int at = 8; at < all.Length; at += (BitConverter.ToInt32(all, at + 4) + 7) & ~7)
        {
            tags.Add((BitConverter.ToUInt32(all, at), all[(at + 8)..(at + BitConverter.ToInt32(all, at + 4))]));
        }

        Assert.Equal([1u, 2, 3, 3, 4, 6, 15, 0], tags.Select(tag => tag.Type));
        Assert.Equal("one two\0", Encoding.ASCII.GetString(tags[0].Content));
        byte[] second = new byte[1];
        machine.Memory.Read(BitConverter.ToUInt32(tags[3].Content), second);
        Assert.Equal(4, second[0]);
        Assert.Equal("first a\0", Encoding.ASCII.GetString(tags[2].Content, 8, 8));
        Assert.Equal((639u, 63u * 1024), (BitConverter.ToUInt32(tags[4].Content), BitConverter.ToUInt32(tags[4].Content, 4)));
        Assert.Equal((24u, 0x9FC00ul, 1u), (BitConverter.ToUInt32(tags[5].Content), BitConverter.ToUInt64(tags[5].Content, 16), BitConverter.ToUInt32(tags[5].Content, 24)));
        Assert.Equal("RSD PTR ", Encoding.ASCII.GetString(tags[6].Content, 0, 8));
    }

    /// <summary>A header tag, and whether it is one that may be left unknown.</summary>
    [Theory]
    [InlineData(5, false, false)]
    [InlineData(5, true, true)]
    [InlineData(77, false, false)]
    [InlineData(10, false, true)]
    public void What_the_second_version_demands_is_offered_or_refused(int tag, bool isOptional, bool starts)
    {
        MachineConfiguration configuration = new() { MemoryBytes = 4 << 20, Boot = new MultibootBoot(MultibootImages.Second("flat", s_code, (ushort)tag, isOptional ? (ushort)1 : (ushort)0), "") };
        if (starts)
        {
            new Pc(configuration).Dispose();
        }
        else
        {
            Assert.Contains($"tag {tag}", Assert.Throws<MachineBootException>(() => new Pc(configuration)).Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(0x1_0000)]
    [InlineData(0xA_0000)]
    public void Small_machines_have_the_information_in_what_they_have(int bytes)
    {
        byte[] image = MultibootImages.Flat(s_code, bss: 0);
        foreach (int offset in new[] { 12, 16, 20, 24, 28 })
        {
            BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(offset), BinaryPrimitives.ReadUInt32LittleEndian(image.AsSpan(offset)) - MultibootImages.LoadAddress + 0x500);
        }

        using Pc machine = new(new MachineConfiguration { MemoryBytes = (ulong)bytes, Boot = new MultibootBoot(image, "low") });
        ulong info = machine.Cpu.GetRegister(3);
        Assert.InRange(info, 0x1000ul, (ulong)bytes - 0x8000);
        Assert.Equal((byte)'l', machine.Memory.ReadUInt16(machine.Memory.ReadUInt32(info + 16)) & 0xFF);
        Assert.Equal(0xF490, machine.Memory.ReadUInt16(0x520));
    }

    [Fact]
    public void Modules_stand_above_the_image_with_their_strings()
    {
        MultibootModule[] modules = [new(new byte[] { 1, 2, 3 }, "one a"), new(new byte[5000], "two"), new(new byte[] { 9 }, "")];
        using Pc machine = new(new MachineConfiguration { MemoryBytes = 4 << 20, Boot = new MultibootBoot(MultibootImages.Flat(s_code), "k") { Modules = modules } });
        ulong info = machine.Cpu.GetRegister(3);
        Assert.Equal(3u, machine.Memory.ReadUInt32(info + 20));
        ulong list = machine.Memory.ReadUInt32(info + 24);
        uint end = MultibootImages.LoadAddress + 0x1000;
        for (int i = 0; i < modules.Length; i++)
        {
            ulong entry = list + ((ulong)i * 16);
            uint start = machine.Memory.ReadUInt32(entry);
            Assert.Equal(0u, start % 4096);
            Assert.True(start >= end, "modules do not overlap");
            end = machine.Memory.ReadUInt32(entry + 4);
            byte[] content = new byte[end - start];
            machine.Memory.Read(start, content);
            Assert.Equal(modules[i].Content.ToArray(), content);
            byte[] text = new byte[modules[i].CommandLine.Length + 1];
            machine.Memory.Read(machine.Memory.ReadUInt32(entry + 8), text);
            Assert.Equal(modules[i].CommandLine + "\0", Encoding.ASCII.GetString(text));
        }

        MultibootBoot large = new(MultibootImages.Flat(s_code), "k") { Modules = [new(new byte[4 << 20], "large")] };
        MachineBootException error = Assert.Throws<MachineBootException>(() => new Pc(new MachineConfiguration { MemoryBytes = 4 << 20, Boot = large }));
        Assert.Contains("does not fit above the image", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("none", "no Multiboot header")]
    [InlineData("demand", "demands features")]
    [InlineData("not-elf", "not an ELF file")]
    [InlineData("cut-flat", "cut short")]
    [InlineData("cut-elf", "cut short")]
    [InlineData("arm", "not for x86")]
    [InlineData("contradiction", "contradict")]
    [InlineData("bss", "not free memory")]
    [InlineData("low", "not free memory")]
    [InlineData("headers", "program headers")]
    [InlineData("command-line", "there is room for 23551")]
    public void Damaged_images_are_explained(string damage, string message)
    {
        byte[] image = damage is "cut-elf" or "arm" or "headers" or "not-elf" ? MultibootImages.Elf(false, s_code, (ushort)(damage == "arm" ? 40 : 3)) : MultibootImages.Flat(s_code);
        string line = damage == "command-line" ? new string('x', 30000) : "";
        switch (damage)
        {
            case "none":
                image[8] ^= 1;
                break;
            case "demand":
                Flags(image, 0x1_0010);
                break;
            case "not-elf":
                image[0] = 0;
                break;
            case "cut-flat":
                BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(20), 0x20_0000);
                break;
            case "cut-elf":
                BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(52 + 4), 0x1_0000);
                break;
            case "contradiction":
                BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(12), 0x20_0000);
                break;
            case "bss":
                BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(24), 0x7000_0000);
                break;
            case "low":
                foreach (int offset in new[] { 12, 16 })
                {
                    BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(offset), 0x9_0000);
                }

                BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(20), 0);
                break;
            case "headers":
                BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(28), 0xFFFF_0000);
                break;
        }

        MachineBootException error = Assert.Throws<MachineBootException>(() => new Pc(Configuration(image, line)));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Random_damage_never_gives_another_error(bool elf)
    {
        Random random = new(11);
        byte[] whole = elf ? MultibootImages.Elf(true, s_code) : MultibootImages.Flat(s_code);
        for (int i = 0; i < 150; i++)
        {
            byte[] image = whole.AsSpan(0, random.Next(4) == 0 ? random.Next(whole.Length) : whole.Length).ToArray();
            for (int n = random.Next(6); n > 0 && image.Length > 0; n--)
            {
                image[random.Next(elf || image.Length <= 12 ? 0 : 12, image.Length)] = (byte)random.Next(256);
            }

            try
            {
                using Pc machine = new(Configuration(image, "x"));
            }
            catch (MachineBootException)
            {
            }
        }
    }

    private static void Flags(byte[] image, uint flags)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(4), flags);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(8), unchecked(0u - 0x1BAD_B002 - flags));
    }

    private static MachineConfiguration Configuration(byte[] image, string line) =>
        new() { MemoryBytes = 64 << 20, Boot = new MultibootBoot(image, line) };
}
