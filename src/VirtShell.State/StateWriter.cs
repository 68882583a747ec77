using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace VirtShell.State;

/// <summary>
/// Writes saved machine state as a tree of named, versioned sections holding named values, so that a reader can
/// skip what it does not know and give a default to what is missing.
/// </summary>
/// <remarks>
/// Layout (little-endian): a record is {kind u8, name-length u8, name UTF-8, payload-length i64, payload}. A section's
/// payload is {version i32, records...}. Rules: fields are only ever added; an absent field means "as before the field existed".
/// </remarks>
public sealed class StateWriter
{
    internal const byte SectionKind = 1;
    internal const byte ValueKind = 2;
    internal const uint Magic = 0x31535356; // "VSS1"

    private readonly Stream _output;
    private readonly Stack<long> _open = new();

    /// <summary>Begins a state stream; <paramref name="output"/> must be seekable.</summary>
    public StateWriter(Stream output)
    {
        ArgumentNullException.ThrowIfNull(output);
        if (!output.CanSeek)
        {
            throw new ArgumentException("The state stream must be seekable.", nameof(output));
        }

        _output = output;
        WriteRaw(Magic);
    }

    /// <summary>Opens a nested section; dispose the result to close it.</summary>
    public SectionScope Section(string name, int version)
    {
        WriteHeader(SectionKind, name, 0);
        _open.Push(_output.Position);
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, version);
        _output.Write(bytes);
        return new SectionScope(this);
    }

    public void Write(string name, bool value) => Write(name, value ? 1UL : 0UL);

    /// <summary>Writes any unsigned integer; smaller types widen.</summary>
    public void Write(string name, ulong value)
    {
        WriteHeader(ValueKind, name, 8);
        WriteRaw(value);
    }

    /// <summary>Writes any signed integer; smaller types widen.</summary>
    public void Write(string name, long value) => Write(name, (ulong)value);

    public void Write(string name, uint value) => Write(name, (ulong)value);

    public void Write(string name, int value) => Write(name, (ulong)(long)value);

    public void Write(string name, string value) => Write(name, Encoding.UTF8.GetBytes(value));

    public void Write(string name, ReadOnlySpan<byte> value)
    {
        WriteHeader(ValueKind, name, value.Length);
        _output.Write(value);
    }

    private void EndSection()
    {
        long start = _open.Pop();
        long end = _output.Position;
        _output.Position = start - 8;
        WriteRaw((ulong)(end - start));
        _output.Position = end;
    }

    private void WriteHeader(byte kind, string name, long length)
    {
        int count = Encoding.UTF8.GetByteCount(name);
        if (count is 0 or > 255)
        {
            throw new ArgumentException("A state name has 1 to 255 bytes.", nameof(name));
        }

        Span<byte> head = stackalloc byte[2 + count + 8];
        head[0] = kind;
        head[1] = (byte)count;
        Encoding.UTF8.GetBytes(name, head[2..]);
        BinaryPrimitives.WriteInt64LittleEndian(head[(2 + count)..], length);
        _output.Write(head);
    }

    private void WriteRaw(ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        _output.Write(bytes);
    }

    private void WriteRaw(uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        _output.Write(bytes);
    }

    /// <summary>Closes the section it came from when disposed.</summary>
    public readonly ref struct SectionScope
    {
        private readonly StateWriter _writer;

        internal SectionScope(StateWriter writer) => _writer = writer;

        public void Dispose() => _writer.EndSection();
    }
}
