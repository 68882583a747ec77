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

    private char[] text = new char[SmallestRoom];
    private long[] origin = new long[SmallestRoom];
    private bool[] afterPause = new bool[SmallestRoom];
    private bool pausing;
    private int count;
    private long dropped;
    private long lineStart;

    /// <summary>Position after the last character.</summary>
    public long End => dropped + count;

    /// <summary>Position of the oldest character held.</summary>
    public long First => dropped;

    /// <summary>Position at which the line that is being received began.</summary>
    public long LineStart => Math.Max(lineStart, dropped);

    public char this[long position] => text[position - dropped];

    /// <summary>Number of the byte that the character came from.</summary>
    public long OriginOf(long position) => origin[position - dropped];

    /// <summary>Whether the output had paused before the character came.</summary>
    public bool IsAfterPause(long position) => afterPause[position - dropped];

    /// <summary>The output has paused: whatever comes next comes after the pause.</summary>
    public void MarkPause() => pausing = true;

    public void Append(char c, long byteNumber)
    {
        if (count == text.Length)
        {
            Grow();
        }

        text[count] = c;
        afterPause[count] = pausing;
        pausing = false;
        origin[count++] = byteNumber;
        if (c == '\n')
        {
            lineStart = End;
        }
    }

    public ReadOnlySpan<char> Slice(long from, long to)
    {
        from = Math.Clamp(from, dropped, End);
        to = Math.Clamp(to, from, End);
        return text.AsSpan((int)(from - dropped), (int)(to - from));
    }

    /// <summary>Position of the first character that came from byte <paramref name="byteNumber"/> or a later one.</summary>
    public long PositionAt(long byteNumber)
    {
        int low = 0;
        int high = count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (origin[middle] < byteNumber)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return dropped + low;
    }

    /// <summary>Start of the line that holds <paramref name="position"/>.</summary>
    public long LineStartOf(long position)
    {
        int index = Slice(dropped, position).LastIndexOf('\n');
        return index < 0 ? dropped : dropped + index + 1;
    }

    /// <summary>The last lines, for messages; blank ones at the end are left out.</summary>
    public IReadOnlyList<string> Tail(int lines)
    {
        string[] all = Slice(Math.Max(dropped, End - 8192), End).TrimEnd().ToString().Split('\n');
        return all.Length <= lines ? all : all[^lines..];
    }

    public void Describe(StateVisitor visitor)
    {
        byte[] characters = MemoryMarshal.AsBytes(text.AsSpan(0, count)).ToArray();
        byte[] origins = MemoryMarshal.AsBytes(origin.AsSpan(0, count)).ToArray();
        byte[] pauses = MemoryMarshal.AsBytes(afterPause.AsSpan(0, count)).ToArray();
        visitor.Value("dropped", ref dropped, 0, long.MaxValue / 2);
        bool loaded = visitor.Bytes("text", ref characters, Capacity * sizeof(char));
        visitor.Bytes("origin", ref origins, Capacity * sizeof(long));
        visitor.Bytes("after-pause", ref pauses, Capacity);
        if (loaded)
        {
            Take(visitor, characters, origins, pauses);
        }

        visitor.Value("pausing", ref pausing);
        visitor.Value("line-start", ref lineStart, 0, End);
    }

    private void Take(StateVisitor visitor, byte[] characters, byte[] origins, byte[] pauses)
    {
        if (characters.Length % sizeof(char) != 0 || origins.Length != characters.Length / sizeof(char) * sizeof(long) || pauses.Length != characters.Length / sizeof(char))
        {
            throw visitor.Damaged($"'{visitor.Path}' has {characters.Length} bytes of text, {origins.Length} of origins and {pauses.Length} of pauses.");
        }

        count = pauses.Length;
        int room = Math.Max(SmallestRoom, (int)BitOperations.RoundUpToPowerOf2((uint)count));
        text = new char[room];
        origin = new long[room];
        afterPause = new bool[room];
        MemoryMarshal.Cast<byte, char>(characters).CopyTo(text);
        MemoryMarshal.Cast<byte, long>(origins).CopyTo(origin);
        for (int i = 0; i < count; i++)
        {
            afterPause[i] = pauses[i] != 0;
        }
    }

    private void Grow()
    {
        if (text.Length < Capacity)
        {
            Array.Resize(ref text, text.Length * 2);
            Array.Resize(ref origin, origin.Length * 2);
            Array.Resize(ref afterPause, afterPause.Length * 2);
            return;
        }

        int half = count / 2;
        Array.Copy(text, half, text, 0, count - half);
        Array.Copy(origin, half, origin, 0, count - half);
        Array.Copy(afterPause, half, afterPause, 0, count - half);
        count -= half;
        dropped += half;
    }
}
