using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;
using VirtShell.Machine.Acpi;
using VirtShell.Machine.Boards;

namespace VirtShell.Machine.Bios;

/// <summary>The tables of the System Management BIOS (DMTF DSP0134, version 2.4): entry point, then structures.</summary>
internal static class SmbiosTables
{
    private const int EntryLength = 0x1F;
    private const int Structures = 0x20;

    /// <summary>Builds entry point and structures for placing at an address.</summary>
    public static byte[] Build(uint address, uint signature, Board board)
    {
        List<byte> all = [];
        int count = 0;
        int largest = 0;
        void Add(byte type, int handle, ReadOnlySpan<byte> body, params ReadOnlySpan<string> texts)
        {
            int start = all.Count;
            all.AddRange([type, (byte)(body.Length + 4), (byte)handle, (byte)(handle >> 8)]);
            all.AddRange(body);
            foreach (string text in texts)
            {
                all.AddRange(Encoding.ASCII.GetBytes(text));
                all.Add(0);
            }

            all.Add(0);
            if (texts.Length == 0)
            {
                all.Add(0);
            }

            count++;
            largest = Math.Max(largest, all.Count - start);
        }

        uint mebibytes = (uint)Math.Min(board.Memory.RamBytes >> 20, 0x7FFF);
        uint kibibytes = (uint)Math.Min(board.Memory.RamBytes >> 10, uint.MaxValue);

        // BIOS: vendor, version, segment, date, size, characteristics (PCI, boot from CD, EDD), extension (ACPI), release.
        Add(0, 0x000, [1, 2, 0x00, 0xF0, 3, 0, 0x80, 0x80, 0x08, 0, 0, 0, 0, 0, 0x01, 0x04, 1, 0, 0xFF, 0xFF], "VirtShell", "1.0", "01/01/2026");

        // System: maker, product, version, serial, UUID of zeros, woken by the power switch.
        Add(1, 0x100, [1, 2, 3, 0, .. new byte[16], 6, 0, 0], "VirtShell", "PC", "1.0");

        // Chassis: other.
        Add(3, 0x300, [1, 1, 0, 0, 0, 3, 3, 3, 2, 0, 0, 0, 0, 0, 0, 0, 0], "VirtShell");

        // Processor: central, other family, signature, 2000 MHz, enabled, socket unknown.
        byte[] processor = new byte[0x1F];
        processor[0] = 1;
        processor[1] = 3;
        processor[2] = 1;
        processor[3] = 2;
        BinaryPrimitives.WriteUInt32LittleEndian(processor.AsSpan(4), signature);
        BinaryPrimitives.WriteUInt16LittleEndian(processor.AsSpan(0x10), 2000);
        BinaryPrimitives.WriteUInt16LittleEndian(processor.AsSpan(0x12), 2000);
        processor[0x14] = 0x41;
        processor[0x15] = 1;
        processor[0x16] = processor[0x18] = processor[0x1A] = 0xFF;
        processor[0x17] = processor[0x19] = processor[0x1B] = 0xFF;
        Add(4, 0x400, processor, "CPU 0", "VirtShell");

        // Memory array: on the board, system memory, no correction, capacity, one device.
        byte[] array = [3, 3, 3, .. BitConverter.GetBytes(kibibytes), 0xFE, 0xFF, 1, 0];
        Add(16, 0x1000, array);

        // Memory device: of that array, 64 bits wide, size in mebibytes, DIMM, RAM.
        Add(17, 0x1100, [0x00, 0x10, 0xFE, 0xFF, 64, 0, 64, 0, (byte)mebibytes, (byte)(mebibytes >> 8), 9, 0, 1, 0, 7, 0, 0, 0, 0, 1, 0, 0, 0], "DIMM 0", "VirtShell");
        Add(19, 0x1300, [0, 0, 0, 0, .. BitConverter.GetBytes(kibibytes - 1), 0x00, 0x10, 1]);
        Add(32, 0x2000, [0, 0, 0, 0, 0, 0, 0]);
        Add(127, 0x7F00, []);

        byte[] image = new byte[Structures + all.Count];
        Span<byte> entry = image.AsSpan(0, EntryLength);
        Encoding.ASCII.GetBytes("_SM_", entry);
        entry[5] = EntryLength;
        entry[6] = 2;
        entry[7] = 4;
        BinaryPrimitives.WriteUInt16LittleEndian(entry[8..], (ushort)largest);
        Encoding.ASCII.GetBytes("_DMI_", entry[16..]);
        BinaryPrimitives.WriteUInt16LittleEndian(entry[22..], (ushort)all.Count);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[24..], address + Structures);
        BinaryPrimitives.WriteUInt16LittleEndian(entry[28..], (ushort)count);
        entry[30] = 0x24;
        entry[21] = AcpiTables.Checksum(entry[16..]);
        entry[4] = AcpiTables.Checksum(entry);
        all.CopyTo(image, Structures);
        return image;
    }
}
