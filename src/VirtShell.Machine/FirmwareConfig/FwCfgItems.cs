using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Text;
using VirtShell.Machine.Acpi;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Boot;
using VirtShell.State;

namespace VirtShell.Machine.FirmwareConfig;

/// <summary>
/// What a board tells its firmware: numbered items, and files behind a directory. Tables that follow from how the firmware has set up the
/// board are made when it asks for them; all are of the same length at any time, because the directory says it.
/// </summary>
[NotState("Follows from the board.")]
internal sealed class FwCfgItems
{
    // Numbered items (docs/specs/fw_cfg).
    private const ushort Signature = 0x00;
    private const ushort Id = 0x01;
    private const ushort RamSize = 0x03;
    private const ushort ProcessorCount = 0x05;
    private const ushort BootMenu = 0x0E;
    private const ushort MostProcessors = 0x0F;
    private const ushort Directory = 0x19;
    private const ushort FirstFile = 0x20;
    private const ushort TimerOverride = 0x8002;

    private const uint HasFilesAndDma = 3;
    private const int DirectoryEntryLength = 64;
    private const int NameLength = 56;

    // Room for tables, whose length changes a little with what they say.
    private const int TablesLength = 0x8000;

    private const string TablesFile = "etc/acpi/tables";
    private const string RsdpFile = "etc/acpi/rsdp";

    private readonly Board _board;
    private readonly Dictionary<ushort, Func<byte[]>> _items = [];

    public FwCfgItems(Board board)
    {
        _board = board;
        _items[Signature] = () => "QEMU"u8.ToArray();
        _items[Id] = () => Int32(HasFilesAndDma);
        _items[RamSize] = () => BitConverter.GetBytes(board.Memory.RamBytes);
        _items[ProcessorCount] = () => [1, 0];
        _items[MostProcessors] = () => [1, 0];
        _items[BootMenu] = () => [0, 0];
        _items[TimerOverride] = () => Int32(1);
        List<(string Name, Func<byte[]> Content)> files =
        [
            ("etc/e820", MemoryRanges),
            ("etc/boot-fail-wait", () => Int32(uint.MaxValue)),
            ("etc/smbios/smbios-anchor", () => Smbios.Build(board.Memory.RamBytes).Anchor),
            ("etc/smbios/smbios-tables", () => Smbios.Build(board.Memory.RamBytes).Tables),
        ];
        if (board.Find<AcpiPm>() is not null)
        {
            files.Add((TablesFile, AcpiTablesFile));
            files.Add((RsdpFile, () => Acpi().Image[..AcpiTables.RsdpLength]));
            files.Add(("etc/table-loader", () => TableLoader.Build(Acpi(), TablesFile, RsdpFile)));
        }

        foreach (OptionRom rom in (board.Configuration.Boot as RomBoot)?.OptionRoms ?? [])
        {
            files.Add((rom.IsDisplay ? $"vgaroms/{rom.Name}" : $"genroms/{rom.Name}", () => rom.Content.ToArray()));
        }

        files.Sort(static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        _items[Directory] = () => MakeDirectory(files);
        for (int i = 0; i < files.Count; i++)
        {
            _items[(ushort)(FirstFile + i)] = files[i].Content;
        }
    }

    /// <summary>The content of an item; empty where there is none.</summary>
    public byte[] Find(ushort key) => _items.TryGetValue(key, out Func<byte[]>? content) ? content() : [];

    private static byte[] Int32(uint value) => BitConverter.GetBytes(value);

    private static byte[] MakeDirectory(List<(string Name, Func<byte[]> Content)> files)
    {
        byte[] directory = new byte[4 + (files.Count * DirectoryEntryLength)];
        BinaryPrimitives.WriteInt32BigEndian(directory, files.Count);
        for (int i = 0; i < files.Count; i++)
        {
            Span<byte> entry = directory.AsSpan(4 + (i * DirectoryEntryLength), DirectoryEntryLength);
            BinaryPrimitives.WriteInt32BigEndian(entry, files[i].Content().Length);
            BinaryPrimitives.WriteUInt16BigEndian(entry[4..], (ushort)(FirstFile + i));
            Encoding.ASCII.GetBytes(files[i].Name.AsSpan(0, Math.Min(files[i].Name.Length, NameLength - 1)), entry[8..]);
        }

        return directory;
    }

    // RAM alone: what of it the firmware takes for itself it knows best.
    private byte[] MemoryRanges()
    {
        using MemoryStream stream = new();
        using BinaryWriter writer = new(stream);
        void Add(ulong start, ulong length)
        {
            writer.Write(start);
            writer.Write(length);
            writer.Write((uint)MemoryKind.Ram);
        }

        Add(0, _board.Memory.LowRamBytes);
        if (_board.Memory.HighRamBytes > 0)
        {
            Add(1UL << 32, _board.Memory.HighRamBytes);
        }

        return stream.ToArray();
    }

    private AcpiImage Acpi() => AcpiTables.BuildLinked(0, _board);

    private byte[] AcpiTablesFile()
    {
        byte[] image = Acpi().Image;
        if (image.Length > TablesLength)
        {
            throw new InvalidOperationException($"The ACPI tables take {image.Length} bytes; firmware is given {TablesLength}.");
        }

        Array.Resize(ref image, TablesLength);
        image.AsSpan(0, AcpiTables.RsdpLength).Clear();
        return image;
    }
}
