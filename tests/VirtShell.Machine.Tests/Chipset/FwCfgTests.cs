using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using VirtShell.Machine.Acpi;
using VirtShell.Machine.Boards;
using VirtShell.Machine.FirmwareConfig;
using Xunit;

namespace VirtShell.Machine.Tests.Chipset;

/// <summary>The firmware configuration device: its two interfaces, its files, and the script that places ACPI tables.</summary>
public sealed class FwCfgTests
{
    private const ulong Descriptor = 0x2000;
    private const ulong Target = 0x3000;

    private readonly TestBoard _rig = new(PartSettings.Default, 64 << 20, boot: new RomBoot(default)
    {
        OptionRoms = [new OptionRom("screen.bin", new byte[] { 0x55, 0xAA, 1 }, IsDisplay: true), new OptionRom("net.rom", new byte[] { 0x55, 0xAA, 2, 0 }, IsDisplay: false)],
    });

    [Fact]
    public void Items_are_read_byte_by_byte_and_as_zeros_behind_their_end()
    {
        Assert.Equal("QEMU\0\0"u8.ToArray(), Item(0x00, 6));
        Assert.Equal([3, 0, 0, 0], Item(0x01, 4));
        Assert.Equal(64u << 20, BitConverter.ToUInt32(Item(0x03, 8)));
        Assert.Equal([1, 0], Item(0x05, 2));
        Assert.Equal([0, 0], Item(0x7777, 2));

        // Selecting begins anew.
        Assert.Equal("QE"u8.ToArray(), Item(0x00, 2));
        Assert.Equal("QE"u8.ToArray(), Item(0x00, 2));
    }

    [Fact]
    public void The_dma_registers_are_big_endian_and_tell_that_they_are_there()
    {
        Assert.Equal(0x554D_4551u, _rig.Bus.ReadPort(0x514, 4));
        Assert.Equal(0x4746_4320u, _rig.Bus.ReadPort(0x518, 4));
    }

    [Fact]
    public void A_descriptor_selects_skips_and_reads()
    {
        Assert.Equal(0u, Dma(control: 0x0000_000A, length: 6));
        Assert.Equal("QEMU\0\0"u8.ToArray(), Memory(Target, 6));
        Assert.Equal(0u, Dma(control: 0x0000_000C, length: 2));
        Assert.Equal(0u, Dma(control: 0x0000_0002, length: 2));
        Assert.Equal("MU"u8.ToArray(), Memory(Target, 2));
    }

    /// <summary>Control word, length and where to: what cannot be done is told in the descriptor.</summary>
    [Theory]
    [InlineData(0x0000_0018u, 4u, Target)]
    [InlineData(0x0000_000Au, uint.MaxValue, Target)]
    [InlineData(0x0000_000Au, 4u, 0xFFFF_0000_0000ul)]
    public void What_a_descriptor_may_not_ends_with_an_error(uint control, uint length, ulong target) => Assert.Equal(1u, Dma(control, length, target));

    [Fact]
    public void A_descriptor_beyond_memory_does_nothing()
    {
        Out32(0x514, 0xFFFF_FFFF);
        Out32(0x518, 0xFFFF_FFFF);
        Assert.Equal([1, 0], Item(0x05, 2));
    }

    [Fact]
    public void The_directory_names_what_firmware_asks_for()
    {
        Dictionary<string, byte[]> files = Files();
        Assert.Equal(
            ["etc/acpi/rsdp", "etc/acpi/tables", "etc/boot-fail-wait", "etc/e820", "etc/smbios/smbios-anchor", "etc/smbios/smbios-tables", "etc/table-loader", "genroms/net.rom", "vgaroms/screen.bin"],
            files.Keys.Order(StringComparer.Ordinal));
        Assert.Equal([0x55, 0xAA, 1], files["vgaroms/screen.bin"]);
        Assert.Equal((0ul, 64ul << 20, 1u), (BitConverter.ToUInt64(files["etc/e820"]), BitConverter.ToUInt64(files["etc/e820"], 8), BitConverter.ToUInt32(files["etc/e820"], 16)));
    }

    /// <summary>Carried out, the script makes tables at an address as good as those that are built for it.</summary>
    [Fact]
    public void The_script_links_the_tables_as_they_are_built_at_an_address()
    {
        const uint tablesAt = 0x00FE_0000;
        const uint rsdpAt = 0x000F_5000;
        Dictionary<string, byte[]> files = Files();
        Dictionary<string, uint> placed = new() { ["etc/acpi/tables"] = tablesAt, ["etc/acpi/rsdp"] = rsdpAt };
        foreach (byte[] command in files["etc/table-loader"].Chunk(128))
        {
            string Name(int at) => Encoding.ASCII.GetString(command, at, 56).TrimEnd('\0');
            int Number(int at) => BitConverter.ToInt32(command, at);
            byte[] file = files[Name(4)];
            switch (Number(0))
            {
                case 1:
                    Assert.Contains(Name(4), placed);
                    break;
                case 2:
                    Span<byte> field = file.AsSpan(Number(116), command[120]);
                    ulong value = field.Length == 8 ? BinaryPrimitives.ReadUInt64LittleEndian(field) : BinaryPrimitives.ReadUInt32LittleEndian(field);
                    BitConverter.GetBytes(value + placed[Name(60)]).AsSpan(0, field.Length).CopyTo(field);
                    break;
                default:
                    Assert.Equal(3, Number(0));
                    file[Number(60)] = 0;
                    file[Number(60)] = AcpiTables.Checksum(file.AsSpan(Number(64), Number(68)));
                    break;
            }
        }

        byte[] expected = AcpiTables.Build(tablesAt, _rig.Board);
        Assert.Equal(expected[AcpiTables.RsdpLength..], files["etc/acpi/tables"][AcpiTables.RsdpLength..expected.Length]);
        Assert.Equal(expected[..AcpiTables.RsdpLength], files["etc/acpi/rsdp"]);
    }

    /// <summary>The routing of interrupts is the firmware's, and told as it stands when the tables are asked for; their length stays.</summary>
    [Fact]
    public void The_tables_tell_what_firmware_has_set_up()
    {
        TestBoard unassigned = new(PartSettings.Default, 64 << 20, boot: new RomBoot(default));
        for (int pirq = 0; pirq < 4; pirq++)
        {
            PciTestMachine.WriteConfig(unassigned.Bus, 1, 0, 0x60 + pirq, 1, 0x80);
        }

        FwCfgItems items = new(unassigned.Board);
        byte[] before = Enumerable.Range(0x20, 16).Select(key => items.Find((ushort)key)).MaxBy(file => file.Length)!;
        PciTestMachine.WriteConfig(unassigned.Bus, 1, 0, 0x60, 1, 0x05);
        byte[] after = Enumerable.Range(0x20, 16).Select(key => items.Find((ushort)key)).MaxBy(file => file.Length)!;
        Assert.Equal(before.Length, after.Length);
        Assert.NotEqual(before, after);
    }

    [Theory]
    [InlineData(64ul << 20)]
    [InlineData(64ul << 30)]
    public void Smbios_structures_end_where_the_entry_point_says(ulong ram)
    {
        (byte[] anchor, byte[] tables) = Smbios.Build(ram);
        Assert.Equal(0, (byte)anchor.Sum(value => value));
        Assert.Equal(0, (byte)anchor[0x10..].Sum(value => value));
        Assert.Equal(tables.Length, BitConverter.ToUInt16(anchor, 0x16));
        List<byte> types = [];
        int longest = 0;
        for (int at = 0; at < tables.Length;)
        {
            int end = at + tables[at + 1];
            while (tables[end] != 0 || tables[end + 1] != 0)
            {
                end++;
            }

            types.Add(tables[at]);
            longest = Math.Max(longest, end + 2 - at);
            at = end + 2;
        }

        Assert.Equal([0, 1, 3, 4, 16, 17, 19, 32, 127], types);
        Assert.Equal((types.Count, longest), (BitConverter.ToUInt16(anchor, 0x1C), BitConverter.ToUInt16(anchor, 8)));
    }

    private Dictionary<string, byte[]> Files()
    {
        Dictionary<string, byte[]> files = [];
        int count = BinaryPrimitives.ReadInt32BigEndian(Item(0x19, 4));
        foreach (byte[] entry in Item(0x19, 4 + (64 * count))[4..].Chunk(64))
        {
            files[Encoding.ASCII.GetString(entry, 8, 56).TrimEnd('\0')] = Item(BinaryPrimitives.ReadUInt16BigEndian(entry.AsSpan(4)), BinaryPrimitives.ReadInt32BigEndian(entry));
        }

        return files;
    }

    private byte[] Item(int key, int length)
    {
        _rig.Bus.WritePort(0x510, 2, (uint)key);
        byte[] read = new byte[length];
        for (int i = 0; i < length; i++)
        {
            read[i] = _rig.In(0x511);
        }

        return read;
    }

    private uint Dma(uint control, uint length, ulong target = Target)
    {
        byte[] descriptor = new byte[16];
        BinaryPrimitives.WriteUInt32BigEndian(descriptor, control);
        BinaryPrimitives.WriteUInt32BigEndian(descriptor.AsSpan(4), length);
        BinaryPrimitives.WriteUInt64BigEndian(descriptor.AsSpan(8), target);
        _rig.Board.Memory.Write(Descriptor, descriptor);
        Out32(0x518, (uint)Descriptor);
        return BinaryPrimitives.ReadUInt32BigEndian(Memory(Descriptor, 4));
    }

    private void Out32(int port, uint value) => _rig.Bus.WritePort((ushort)port, 4, BinaryPrimitives.ReverseEndianness(value));

    private byte[] Memory(ulong address, int length)
    {
        byte[] read = new byte[length];
        _rig.Board.Memory.Read(address, read);
        return read;
    }
}
