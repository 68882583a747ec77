using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;
using VirtShell.Machine.Acpi;

namespace VirtShell.Machine.FirmwareConfig;

/// <summary>
/// SMBIOS structures (DMTF DSP0134, 2.8) of this machine, and the entry point of 2.1 whose table address the firmware fills in: firmware,
/// system, enclosure, processor, memory array, device and its place, and the end. Nothing in them differs from run to run.
/// </summary>
internal static class Smbios
{
    private const int AnchorLength = 0x1F;
    private const ulong MiB = 1 << 20;
    private const string Maker = "VirtShell";

    // A memory device's size in MiB, where it fits; else this, and the size in the extended field.
    private const ushort ExtendedSize = 0x7FFF;

    public static (byte[] Anchor, byte[] Tables) Build(ulong ramBytes)
    {
        List<byte> tables = [];
        int count = 0;
        int longest = 0;
        void Add(byte type, ushort handle, byte[] body, params ReadOnlySpan<string> strings)
        {
            int start = tables.Count;
            tables.AddRange([type, (byte)(4 + body.Length), (byte)handle, (byte)(handle >> 8)]);
            tables.AddRange(body);
            foreach (string text in strings)
            {
                tables.AddRange(Encoding.ASCII.GetBytes(text));
                tables.Add(0);
            }

            tables.AddRange(strings.IsEmpty ? [0, 0] : [0]);
            longest = Math.Max(longest, tables.Count - start);
            count++;
        }

        uint mebibytes = (uint)(ramBytes / MiB);

        // 7.1: segment E800h, 64 KiB, PCI and boot from CD, and a virtual machine.
        Add(0, 0x000, [1, 2, 0x00, 0xE8, 3, 0, 0x80, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x14, 1, 0, 0xFF, 0xFF], Maker, "1.0", "01/01/2026");

        // 7.2: maker, product, version, no serial number; a UUID of zeros is one that is not there; started by the power switch.
        Add(1, 0x100, [1, 2, 3, 0, .. new byte[16], 6, 0, 0], Maker, "PC (i440FX, PIIX)", "1.0");

        // 7.4: an enclosure of an unknown kind, in a safe state.
        Add(3, 0x300, [1, 1, 2, 0, 0, 3, 3, 3, 2, 0, 0, 0, 0, 0, 1, 0, 0], Maker, "1.0");

        // 7.5: a central processor, enabled, in a socket of no known kind, with one core and one thread.
        byte[] processor = new byte[0x2A - 4];
        (processor[0x00], processor[0x01], processor[0x02], processor[0x03]) = (1, 3, 2, 2);
        BinaryPrimitives.WriteUInt16LittleEndian(processor.AsSpan(0x14 - 4), 2000);
        BinaryPrimitives.WriteUInt16LittleEndian(processor.AsSpan(0x16 - 4), 2000);
        (processor[0x18 - 4], processor[0x19 - 4]) = (0x41, 2);
        (processor[0x23 - 4], processor[0x24 - 4], processor[0x25 - 4], processor[0x26 - 4]) = (1, 1, 1, 2);
        for (int cache = 0x1A - 4; cache < 0x20 - 4; cache++)
        {
            processor[cache] = 0xFF;
        }

        Add(4, 0x400, processor, "CPU 0", Maker);

        // 7.17: system memory on the board, no error correction, one device.
        byte[] array = new byte[0x0F - 4];
        (array[0], array[1], array[2], array[9]) = (3, 3, 3, 1);
        BinaryPrimitives.WriteUInt32LittleEndian(array.AsSpan(3), (uint)Math.Min(ramBytes / 1024, int.MaxValue));
        (array[7], array[8]) = (0xFE, 0xFF);
        Add(16, 0x1000, array);

        // 7.18: a DIMM of RAM.
        byte[] device = new byte[0x22 - 4];
        (device[0], device[1], device[2], device[3]) = (0x00, 0x10, 0xFE, 0xFF);
        (device[4], device[5], device[6], device[7]) = (64, 0, 64, 0);
        BinaryPrimitives.WriteUInt16LittleEndian(device.AsSpan(8), (ushort)Math.Min(mebibytes, ExtendedSize));
        (device[0x0E - 4], device[0x10 - 4], device[0x12 - 4], device[0x13 - 4], device[0x17 - 4]) = (9, 1, 7, 2, 2);
        BinaryPrimitives.WriteUInt32LittleEndian(device.AsSpan(0x1C - 4), mebibytes >= ExtendedSize ? mebibytes : 0);
        Add(17, 0x1100, device, "DIMM 0", Maker);

        // 7.20: where the array stands, in KiB; beyond 2^32 KiB by the extended addresses, which no memory here needs.
        byte[] place = new byte[0x0F - 4];
        BinaryPrimitives.WriteUInt32LittleEndian(place.AsSpan(4), (uint)Math.Min((ramBytes / 1024) - 1, uint.MaxValue - 1));
        (place[8], place[9], place[10]) = (0x00, 0x10, 1);
        Add(19, 0x1300, place);

        // 7.33: no errors at the last start; 7.45: the end.
        Add(32, 0x2000, [0, 0, 0, 0, 0, 0, 0]);
        Add(127, 0x7F00, []);

        byte[] anchor = new byte[AnchorLength];
        "_SM_"u8.CopyTo(anchor);
        (anchor[5], anchor[6], anchor[7]) = (AnchorLength, 2, 8);
        BinaryPrimitives.WriteUInt16LittleEndian(anchor.AsSpan(8), (ushort)longest);
        "_DMI_"u8.CopyTo(anchor.AsSpan(0x10));
        BinaryPrimitives.WriteUInt16LittleEndian(anchor.AsSpan(0x16), (ushort)tables.Count);
        BinaryPrimitives.WriteUInt16LittleEndian(anchor.AsSpan(0x1C), (ushort)count);
        anchor[0x1E] = 0x28;
        anchor[0x15] = AcpiTables.Checksum(anchor.AsSpan(0x10, 0x0F));
        anchor[4] = AcpiTables.Checksum(anchor);
        return (anchor, [.. tables]);
    }
}
