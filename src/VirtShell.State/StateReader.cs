using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace VirtShell.State;

/// <summary>Reads what <see cref="StateWriter"/> wrote: values by name with defaults, unknown names ignored, lengths checked.</summary>
public sealed class StateReader
{
    private readonly Dictionary<string, Entry> _entries;
    private readonly Stream _input;

    private StateReader(Stream input, long end, string path, int version)
    {
        _input = input;
        Path = path;
        Version = version;
        _entries = new Dictionary<string, Entry>(StringComparer.Ordinal);
        Span<byte> head = stackalloc byte[2];
        Span<byte> length = stackalloc byte[8];
        Span<byte> name = stackalloc byte[255];
        while (input.Position < end)
        {
            ReadExactly(head, end);
            Span<byte> nameBytes = name[..head[1]];
            ReadExactly(nameBytes, end);
            ReadExactly(length, end);
            long size = BinaryPrimitives.ReadInt64LittleEndian(length);
            long start = input.Position;
            if (size < 0 || size > end - start)
            {
                throw new StateFormatException($"Saved state is damaged: record '{Path}/{Encoding.UTF8.GetString(nameBytes)}' claims {size} bytes where {end - start} remain.");
            }

            _entries[Encoding.UTF8.GetString(nameBytes)] = new Entry(head[0], start, size);
            input.Position = start + size;
        }
    }

    /// <summary>The section's version as written; 0 for the root.</summary>
    public int Version { get; }

    /// <summary>Where this section stands, for messages: names from the root joined by '/'.</summary>
    public string Path { get; }

    /// <summary>Opens a state stream from its current position to its end.</summary>
    /// <exception cref="StateFormatException">The stream is not saved state, or is cut short.</exception>
    public static StateReader Open(Stream input)
    {
        ArgumentNullException.ThrowIfNull(input);
        Span<byte> magic = stackalloc byte[4];
        if (input.ReadAtLeast(magic, 4, throwOnEndOfStream: false) < 4 || BinaryPrimitives.ReadUInt32LittleEndian(magic) != StateWriter.Magic)
        {
            throw new StateFormatException("This is not VirtShell saved state (its first four bytes are not 'VSS1').");
        }

        return new StateReader(input, input.Length, string.Empty, 0);
    }

    public bool Has(string name) => _entries.ContainsKey(name);

    /// <summary>Opens a nested section that must exist, at most of version <paramref name="newestVersion"/>.</summary>
    public StateReader Section(string name, int newestVersion)
    {
        return TrySection(name, newestVersion) ?? throw new StateFormatException($"Saved state has no section '{Path}/{name}'.");
    }

    /// <summary>Opens a nested section, or gives null where it was not written.</summary>
    public StateReader? TrySection(string name, int newestVersion)
    {
        if (!_entries.TryGetValue(name, out Entry entry) || entry.Kind != StateWriter.SectionKind)
        {
            return null;
        }

        string path = $"{Path}/{name}";
        if (entry.Length < 4)
        {
            throw new StateFormatException($"Saved state is damaged: section '{path}' is {entry.Length} bytes long.");
        }

        _input.Position = entry.Start;
        Span<byte> bytes = stackalloc byte[4];
        ReadExactly(bytes, entry.Start + entry.Length);
        int version = BinaryPrimitives.ReadInt32LittleEndian(bytes);
        if (version > newestVersion)
        {
            throw new StateFormatException($"Saved state section '{path}' is of version {version}; this VirtShell reads up to {newestVersion}. Open it with a newer VirtShell.");
        }

        return new StateReader(_input, entry.Start + entry.Length, path, version);
    }

    public ulong ReadUInt64(string name, ulong whenAbsent = 0)
    {
        if (!TryValue(name, out Entry entry))
        {
            return whenAbsent;
        }

        if (entry.Length != 8)
        {
            throw new StateFormatException($"Saved state is damaged: '{Path}/{name}' is {entry.Length} bytes long where 8 are expected.");
        }

        Span<byte> bytes = stackalloc byte[8];
        _input.Position = entry.Start;
        ReadExactly(bytes, entry.Start + 8);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    public long ReadInt64(string name, long whenAbsent = 0) => (long)ReadUInt64(name, (ulong)whenAbsent);

    public uint ReadUInt32(string name, uint whenAbsent = 0) => checked((uint)ReadBounded(name, whenAbsent, uint.MaxValue));

    public ushort ReadUInt16(string name, ushort whenAbsent = 0) => (ushort)ReadBounded(name, whenAbsent, ushort.MaxValue);

    public byte ReadByte(string name, byte whenAbsent = 0) => (byte)ReadBounded(name, whenAbsent, byte.MaxValue);

    public bool ReadBoolean(string name, bool whenAbsent = false) => ReadBounded(name, whenAbsent ? 1UL : 0UL, 1) != 0;

    public int ReadInt32(string name, int whenAbsent = 0)
    {
        long value = ReadInt64(name, whenAbsent);
        return value is >= int.MinValue and <= int.MaxValue
            ? (int)value
            : throw new StateFormatException($"Saved state is damaged: '{Path}/{name}' is {value}, outside 32 bits.");
    }

    public string ReadString(string name, string whenAbsent = "") => TryValue(name, out Entry entry) ? Encoding.UTF8.GetString(ReadBytes(entry)) : whenAbsent;

    /// <summary>Reads a byte value of any length, or an empty array where it was not written.</summary>
    public byte[] ReadBytes(string name) => TryValue(name, out Entry entry) ? ReadBytes(entry) : [];

    /// <summary>Fills <paramref name="destination"/> from a value of exactly its length; leaves it alone where the value was not written.</summary>
    public void ReadBytes(string name, Span<byte> destination)
    {
        if (!TryValue(name, out Entry entry))
        {
            return;
        }

        if (entry.Length != destination.Length)
        {
            throw new StateFormatException($"Saved state is damaged: '{Path}/{name}' is {entry.Length} bytes long where {destination.Length} are expected.");
        }

        _input.Position = entry.Start;
        ReadExactly(destination, entry.Start + entry.Length);
    }

    private ulong ReadBounded(string name, ulong whenAbsent, ulong largest)
    {
        ulong value = ReadUInt64(name, whenAbsent);
        return value <= largest ? value : throw new StateFormatException($"Saved state is damaged: '{Path}/{name}' is {value}, above {largest}.");
    }

    private byte[] ReadBytes(Entry entry)
    {
        if (entry.Length > Array.MaxLength)
        {
            throw new StateFormatException($"Saved state is damaged: a value in '{Path}' is {entry.Length} bytes long.");
        }

        byte[] bytes = new byte[entry.Length];
        _input.Position = entry.Start;
        ReadExactly(bytes, entry.Start + entry.Length);
        return bytes;
    }

    private bool TryValue(string name, out Entry entry) => _entries.TryGetValue(name, out entry) && entry.Kind == StateWriter.ValueKind;

    private void ReadExactly(Span<byte> destination, long end)
    {
        if (destination.Length > end - _input.Position || _input.ReadAtLeast(destination, destination.Length, throwOnEndOfStream: false) < destination.Length)
        {
            throw new StateFormatException($"Saved state is cut short in section '{(Path.Length == 0 ? "/" : Path)}'.");
        }
    }

    private readonly record struct Entry(byte Kind, long Start, long Length);
}
