using System;
using System.Collections.Generic;
using System.Numerics;
using System.Runtime.InteropServices;
using VirtShell.State;

namespace VirtShell.Harness.Console;

/// <summary>
/// Characters in the order in which they came, with the number of the byte that each came from. Only the last part is
/// held; positions are absolute and stay valid when the beginning is dropped.
/// </summary>
internal sealed class TextStream : IStateful
{
    /// <summary>The most characters held; then the older half goes.</summary>
    private const int Capacity = 1 << 20;

    private const int SmallestRoom = 4096;

    private char[] _text = new char[SmallestRoom];
    private long[] _origin = new long[SmallestRoom];
    private bool[] _afterPause = new bool[SmallestRoom];
    private bool _pausing;
    private int _count;
    private long _dropped;
    private long _lineStart;

    /// <summary>Position after the last character.</summary>
    public long End => _dropped + _count;

    /// <summary>Position of the oldest character held.</summary>
    public long First => _dropped;

    /// <summary>Position at which the line that is being received began.</summary>
    public long LineStart => Math.Max(_lineStart, _dropped);

    public char this[long position] => _text[position - _dropped];

    /// <summary>Number of the byte that the character came from.</summary>
    public long OriginOf(long position) => _origin[position - _dropped];

    /// <summary>Whether the output had paused before the character came.</summary>
    public bool IsAfterPause(long position) => _afterPause[position - _dropped];

    /// <summary>The output has paused: whatever comes next comes after the pause.</summary>
    public void MarkPause() => _pausing = true;

    public void Append(char c, long byteNumber)
    {
        if (_count == _text.Length)
        {
            Grow();
        }

        _text[_count] = c;
        _afterPause[_count] = _pausing;
        _pausing = false;
        _origin[_count++] = byteNumber;
        if (c == '\n')
        {
            _lineStart = End;
        }
    }

    public ReadOnlySpan<char> Slice(long from, long to)
    {
        from = Math.Clamp(from, _dropped, End);
        to = Math.Clamp(to, from, End);
        return _text.AsSpan((int)(from - _dropped), (int)(to - from));
    }

    /// <summary>Position of the first character that came from byte <paramref name="byteNumber"/> or a later one.</summary>
    public long PositionAt(long byteNumber)
    {
        int low = 0;
        int high = _count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_origin[middle] < byteNumber)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return _dropped + low;
    }

    /// <summary>Start of the line that holds <paramref name="position"/>.</summary>
    public long LineStartOf(long position)
    {
        int index = Slice(_dropped, position).LastIndexOf('\n');
        return index < 0 ? _dropped : _dropped + index + 1;
    }

    /// <summary>The last lines, for messages; blank ones at the end are left out.</summary>
    public IReadOnlyList<string> Tail(int lines)
    {
        string[] all = Slice(Math.Max(_dropped, End - 8192), End).TrimEnd().ToString().Split('\n');
        return all.Length <= lines ? all : all[^lines..];
    }

    public void Describe(StateVisitor visitor)
    {
        byte[] characters = MemoryMarshal.AsBytes(_text.AsSpan(0, _count)).ToArray();
        byte[] origins = MemoryMarshal.AsBytes(_origin.AsSpan(0, _count)).ToArray();
        byte[] pauses = MemoryMarshal.AsBytes(_afterPause.AsSpan(0, _count)).ToArray();
        visitor.Value("dropped", ref _dropped, 0, long.MaxValue / 2);
        bool loaded = visitor.Bytes("text", ref characters, Capacity * sizeof(char));
        visitor.Bytes("origin", ref origins, Capacity * sizeof(long));
        visitor.Bytes("after-pause", ref pauses, Capacity);
        if (loaded)
        {
            Take(visitor, characters, origins, pauses);
        }

        visitor.Value("pausing", ref _pausing);
        visitor.Value("line-start", ref _lineStart, 0, End);
    }

    private void Take(StateVisitor visitor, byte[] characters, byte[] origins, byte[] pauses)
    {
        if (characters.Length % sizeof(char) != 0 || origins.Length != characters.Length / sizeof(char) * sizeof(long) || pauses.Length != characters.Length / sizeof(char))
        {
            throw visitor.Damaged($"'{visitor.Path}' has {characters.Length} bytes of text, {origins.Length} of origins and {pauses.Length} of pauses.");
        }

        _count = pauses.Length;
        int room = Math.Max(SmallestRoom, (int)BitOperations.RoundUpToPowerOf2((uint)_count));
        _text = new char[room];
        _origin = new long[room];
        _afterPause = new bool[room];
        MemoryMarshal.Cast<byte, char>(characters).CopyTo(_text);
        MemoryMarshal.Cast<byte, long>(origins).CopyTo(_origin);
        for (int i = 0; i < _count; i++)
        {
            _afterPause[i] = pauses[i] != 0;
        }
    }

    private void Grow()
    {
        if (_text.Length < Capacity)
        {
            Array.Resize(ref _text, _text.Length * 2);
            Array.Resize(ref _origin, _origin.Length * 2);
            Array.Resize(ref _afterPause, _afterPause.Length * 2);
            return;
        }

        int half = _count / 2;
        Array.Copy(_text, half, _text, 0, _count - half);
        Array.Copy(_origin, half, _origin, 0, _count - half);
        Array.Copy(_afterPause, half, _afterPause, 0, _count - half);
        _count -= half;
        _dropped += half;
    }
}
