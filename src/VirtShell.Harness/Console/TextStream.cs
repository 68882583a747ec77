using System;
using System.Collections.Generic;

namespace VirtShell.Harness.Console;

/// <summary>
/// Characters in the order in which they came, with the number of the byte that each came from. Only the last part is
/// held; positions are absolute and stay valid when the beginning is dropped.
/// </summary>
internal sealed class TextStream
{
    /// <summary>The most characters held; then the older half goes.</summary>
    private const int Capacity = 1 << 20;

    private char[] text = new char[4096];
    private long[] origin = new long[4096];
    private bool[] afterPause = new bool[4096];
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
