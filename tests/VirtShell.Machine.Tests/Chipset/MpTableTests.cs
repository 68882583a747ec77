using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using VirtShell.Machine.Tests.Boot;
using VirtShell.State;
using Xunit;

namespace VirtShell.Machine.Tests.Chipset;

/// <summary>What systems look for that know no ACPI and expect a display: the MultiProcessor tables and the CRT controller's cursor registers.</summary>
public sealed class MpTableTests
{
    private const ulong Address = 0xF_0000;

    [Fact]
    public void The_tables_are_found_and_say_what_the_madt_says()
    {
        using Pc machine = new(Configuration());
        byte[] pointer = Read(machine, Address, 16);
        Assert.Equal("_MP_", Encoding.ASCII.GetString(pointer, 0, 4));
        Assert.Equal((1, 4, 0), (pointer[8], pointer[9], pointer[12] & 0x80));
        Assert.Equal(0, pointer.Sum(value => value) & 0xFF);
        ulong at = BinaryPrimitives.ReadUInt32LittleEndian(pointer.AsSpan(4));
        byte[] table = Read(machine, at, BinaryPrimitives.ReadUInt16LittleEndian(Read(machine, at, 6).AsSpan(4)));
        Assert.Equal("PCMP", Encoding.ASCII.GetString(table, 0, 4));
        Assert.Equal(4, table[6]);
        Assert.Equal(0, table.Sum(value => value) & 0xFF);
        Assert.Equal(0xFEE0_0000u, BinaryPrimitives.ReadUInt32LittleEndian(table.AsSpan(36)));
        List<string> entries = [];
        for (int offset = 44; offset < table.Length; offset += table[offset] == 0 ? 20 : 8)
        {
            entries.Add(Convert.ToHexString(table, offset, 8));
        }

        Assert.Equal(BinaryPrimitives.ReadUInt16LittleEndian(table.AsSpan(34)), entries.Count);
        Assert.StartsWith("00001403", entries[0], StringComparison.Ordinal);
        Assert.Equal(["0100504349202020", "0101495341202020", "020111010000C0FE", "0300000001000102", "0300000001010101"], entries[1..6]);
        Assert.Contains("03000D0001090109", entries);
        Assert.Contains("040300000100FF00", entries);
        Assert.Contains("040100000100FF01", entries);

        // Virtio devices have INTA; slot and pin rotate over pins 16 to 19.
        List<string> pci = [.. entries.Where(entry => entry.StartsWith("0300000000", StringComparison.Ordinal))];
        Assert.NotEmpty(pci);
        Assert.All(pci, entry => Assert.Equal(16 + ((Convert.ToInt32(entry[10..12], 16) >> 2) & 3), Convert.ToInt32(entry[14..16], 16)));
    }

    [Fact]
    public void The_cursor_is_kept_where_text_consoles_leave_it()
    {
        TestBoard rig = new();
        foreach ((int index, int value) in new[] { (0x0E, 0x07), (0x0F, 0xD0), (0x18, 0xAA), (0x19, 0xBB) })
        {
            rig.Out(0x3D4, index);
            rig.Out(0x3D5, value);
        }

        TestBoard copy = rig.Copy();
        Assert.Equal(0x19, copy.In(0x3D4));
        foreach ((int index, int value) in new[] { (0x0E, 0x07), (0x0F, 0xD0), (0x18, 0xAA), (0x19, 0x00), (0xFF, 0x00) })
        {
            copy.Out(0x3D4, index);
            Assert.Equal(value, copy.In(0x3D5));
        }
    }

    [Fact]
    public void State_from_before_the_crt_controller_loads()
    {
        using Pc machine = new(Configuration());
        using MemoryStream stream = new();
        machine.Save(stream);
        byte[] state = stream.ToArray();
        byte[] name = Encoding.ASCII.GetBytes("crt-controller");
        int at = state.AsSpan().IndexOf(name);
        Assert.True(at > 0, "the section is there");
        "another-device"u8.CopyTo(state.AsSpan(at));
        machine.Bus.WritePort(0x3D4, 1, 0x0F);
        machine.Load(state);
        Assert.Equal(0u, machine.Bus.ReadPort(0x3D4, 1));
    }

    private static MachineConfiguration Configuration() =>
        new() { MemoryBytes = 4 << 20, Boot = new MultibootBoot(MultibootImages.Flat(code => code.hlt()), string.Empty) };

    private static byte[] Read(Pc machine, ulong address, int length)
    {
        byte[] bytes = new byte[length];
        machine.Memory.Read(address, bytes);
        return bytes;
    }
}
