using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;
using VirtShell.Machine.Acpi;

namespace VirtShell.Machine.FirmwareConfig;

/// <summary>
/// The script by which firmware puts ACPI tables in memory: allocate the files, add where they are to the pointers in them, and make the
/// checksums. Commands are of 128 bytes (QEMU, hw/acpi/bios-linker-loader).
/// </summary>
internal static class TableLoader
{
    private const int CommandLength = 128;
    private const int NameLength = 56;
    private const uint Allocate = 1;
    private const uint AddPointer = 2;
    private const uint AddChecksum = 3;
    private const byte HighZone = 1;
    private const byte BiosZone = 2;
    private const uint TablesAlignment = 64;
    private const uint RsdpAlignment = 16;

    /// <param name="acpi">Tables whose addresses are offsets in <paramref name="tables"/>.</param>
    /// <param name="tables">The file of the tables, which has room for the RSDP in front.</param>
    /// <param name="rsdp">The file of the RSDP.</param>
    public static byte[] Build(AcpiImage acpi, string tables, string rsdp)
    {
        List<byte> script = [];
        Span<byte> command = stackalloc byte[CommandLength];
        Name(Begin(command, Allocate), 4, tables);
        BinaryPrimitives.WriteUInt32LittleEndian(command[60..], TablesAlignment);
        command[64] = HighZone;
        script.AddRange(command);
        Name(Begin(command, Allocate), 4, rsdp);
        BinaryPrimitives.WriteUInt32LittleEndian(command[60..], RsdpAlignment);
        command[64] = BiosZone;
        script.AddRange(command);
        foreach (AcpiPointer pointer in acpi.Pointers)
        {
            Name(Begin(command, AddPointer), 4, pointer.Offset < AcpiTables.RsdpLength ? rsdp : tables);
            Name(command, 60, tables);
            BinaryPrimitives.WriteInt32LittleEndian(command[116..], pointer.Offset);
            command[120] = (byte)pointer.Size;
            script.AddRange(command);
        }

        void Checksum(Span<byte> into, string file, int at, int start, int length)
        {
            Name(Begin(into, AddChecksum), 4, file);
            BinaryPrimitives.WriteInt32LittleEndian(into[60..], at);
            BinaryPrimitives.WriteInt32LittleEndian(into[64..], start);
            BinaryPrimitives.WriteInt32LittleEndian(into[68..], length);
            script.AddRange(into);
        }

        foreach (AcpiTableRange table in acpi.Linked)
        {
            Checksum(command, tables, table.Offset + AcpiTables.ChecksumOffset, table.Offset, table.Length);
        }

        Checksum(command, rsdp, AcpiTables.RsdpChecksum, 0, AcpiTables.RsdpFirstLength);
        Checksum(command, rsdp, AcpiTables.RsdpExtendedChecksum, 0, AcpiTables.RsdpLength);
        return [.. script];
    }

    private static Span<byte> Begin(Span<byte> command, uint what)
    {
        command.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(command, what);
        return command;
    }

    private static void Name(Span<byte> command, int offset, string file) => Encoding.ASCII.GetBytes(file, command.Slice(offset, NameLength));
}
