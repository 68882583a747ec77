using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;

namespace VirtShell.State;

/// <summary>Writes state to a stream, which need not be seekable. Call <see cref="Complete"/> at the end.</summary>
public sealed class StateSaver : StateVisitor
{
    private const int BufferBytes = 16 << 10;

    private readonly Stream _output;
    private readonly byte[] _buffer = new byte[BufferBytes];
    private readonly Stack<(string Path, int Version)> _open = new();
    private int _filled;

    /// <summary>Begins a state at the stream's position.</summary>
    public StateSaver(Stream output)
    {
        ArgumentNullException.ThrowIfNull(output);
        _output = output;
        BinaryPrimitives.WriteUInt32LittleEndian(Take(4), StateFormat.Magic);
        _open.Push((string.Empty, 0));
    }

    public override bool IsLoading => false;

    public override int Version => _open.Peek().Version;

    public override string Path => _open.Peek().Path;

    /// <summary>Ends the state; the stream may go on with something else.</summary>
    public void Complete()
    {
        Take(1)[0] = StateFormat.End;
        Flush();
        _output.Flush();
    }

    public override bool Bytes(string name, ref byte[] value, int maxLength)
    {
        ArgumentNullException.ThrowIfNull(value);
        Write(name, value);
        return false;
    }

    public override void Blocks(string prefix, StateBlocks blocks, bool hexadecimal = false)
    {
        ArgumentNullException.ThrowIfNull(blocks);
        for (long number = blocks.Next(0); number >= 0; number = blocks.Next(number + 1))
        {
            Write(prefix + number.ToString(hexadecimal ? "x" : "d", CultureInfo.InvariantCulture), blocks.Read(number));
        }
    }

    internal override void Enter(string name, int version)
    {
        if (_open.Count > StateFormat.DeepestNesting)
        {
            throw new InvalidOperationException($"Sections of state nest {StateFormat.DeepestNesting} deep at most.");
        }

        WriteName(StateFormat.Section, name);
        BinaryPrimitives.WriteInt32LittleEndian(Take(4), version);
        _open.Push(($"{Path}/{name}", version));
    }

    internal override void Leave()
    {
        _open.Pop();
        Take(1)[0] = StateFormat.End;
    }

    internal override bool Number(string name, ref ulong value)
    {
        WriteName(StateFormat.Value, name);
        BinaryPrimitives.WriteInt64LittleEndian(Take(8), 8);
        BinaryPrimitives.WriteUInt64LittleEndian(Take(8), value);
        return false;
    }

    internal override bool Fixed(string name, Span<byte> bytes)
    {
        Write(name, bytes);
        return false;
    }

    private void Write(string name, ReadOnlySpan<byte> value)
    {
        WriteName(StateFormat.Value, name);
        BinaryPrimitives.WriteInt64LittleEndian(Take(8), value.Length);
        if (value.Length <= BufferBytes)
        {
            value.CopyTo(Take(value.Length));
        }
        else
        {
            Flush();
            _output.Write(value);
        }
    }

    private void WriteName(byte kind, string name)
    {
        int count = Encoding.UTF8.GetByteCount(name);
        if (count is 0 or > StateFormat.LongestName)
        {
            throw new ArgumentException($"A state name has 1 to {StateFormat.LongestName} bytes.", nameof(name));
        }

        Span<byte> head = Take(2 + count);
        head[0] = kind;
        head[1] = (byte)count;
        Encoding.UTF8.GetBytes(name, head[2..]);
    }

    // Room in the buffer for the next bytes.
    private Span<byte> Take(int count)
    {
        if (_filled + count > BufferBytes)
        {
            Flush();
        }

        _filled += count;
        return _buffer.AsSpan(_filled - count, count);
    }

    private void Flush()
    {
        _output.Write(_buffer, 0, _filled);
        _filled = 0;
    }
}
