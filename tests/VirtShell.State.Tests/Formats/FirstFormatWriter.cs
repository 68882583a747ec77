using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace VirtShell.State.Tests.Formats;

/// <summary>
/// Writes the first format of saved state ("VSS1"), as VirtShell did before it could save to a stream that is not seekable. A record
/// is {kind u8, name-length u8, name UTF-8, payload-length i64, payload}, a section's payload {version i32, records...}.
/// </summary>
internal sealed class FirstFormatWriter
{
    private const byte SectionKind = 1;
    private const byte ValueKind = 2;
    private const uint Magic = 0x31535356; // "VSS1"

    private readonly Stream _output;
    private readonly Stack<long> _open = new();

    public FirstFormatWriter(Stream output)
    {
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
        private readonly FirstFormatWriter _writer;

        internal SectionScope(FirstFormatWriter writer) => _writer = writer;

        public void Dispose() => _writer.EndSection();
    }
}
