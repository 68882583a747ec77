using System;
using System.Buffers;
using System.Text;
using VirtShell.Host;
using VirtShell.State;

namespace VirtShell.Harness.Console;

/// <summary>
/// A serial port's output as text, twice: <see cref="Clean"/> is everything without terminal control, <see cref="User"/>
/// also without kernel messages. An expectation looks at both, so that it finds a kernel's own words as well as a prompt that a
/// kernel message broke into.
/// </summary>
internal sealed class ConsoleText : IStateful
{
    /// <summary>Bytes of a character in UTF-8 at most.</summary>
    private const int LongestCharacter = 4;

    private readonly EscapeFilter escapes = new();
    private readonly KernelMessageFilter kernelMessages;
    private readonly byte[] pending = new byte[LongestCharacter];
    private int pendingCount;

    public ConsoleText()
    {
        kernelMessages = new KernelMessageFilter(User);
    }

    public TextStream Clean { get; } = new();

    public TextStream User { get; } = new();

    /// <summary>Bytes received so far.</summary>
    public long ByteCount { get; private set; }

    public void Feed(byte value)
    {
        long number = ByteCount++;
        if (pendingCount == 0 && value < 0x80)
        {
            Append((char)value, number);
            return;
        }

        pending[pendingCount++] = value;
        while (pendingCount > 0 && Rune.DecodeFromUtf8(pending.AsSpan(0, pendingCount), out Rune rune, out int used) != OperationStatus.NeedMoreData)
        {
            pending.AsSpan(used, pendingCount - used).CopyTo(pending);
            pendingCount -= used;
            Append(rune, number);
        }
    }

    /// <summary>The output has paused; see <see cref="StreamMatcher"/>.</summary>
    public void MarkPause()
    {
        Clean.MarkPause();
        User.MarkPause();
    }

    /// <summary>Lets go of what is held back; no more bytes come.</summary>
    public void Finish()
    {
        if (pendingCount > 0)
        {
            pendingCount = 0;
            Append(Rune.ReplacementChar, ByteCount);
        }

        kernelMessages.Release();
    }

    public void Describe(StateVisitor visitor)
    {
        visitor.Array<byte>("pending", pending);
        visitor.Value("pending-count", ref pendingCount, 0, LongestCharacter - 1);
        ByteCount = Math.Max(0, visitor.Value("bytes", ByteCount));
        visitor.Part("escapes", escapes);
        visitor.Part("kernel-messages", kernelMessages);
        visitor.Part("clean", Clean);
        visitor.Part("user", User);
    }

    private void Append(Rune rune, long number)
    {
        Span<char> characters = stackalloc char[2];
        foreach (char c in characters[..rune.EncodeToUtf16(characters)])
        {
            Append(c, number);
        }
    }

    private void Append(char c, long number)
    {
        if (escapes.Keep(c))
        {
            Clean.Append(c, number);
            kernelMessages.Append(c, number);
        }
    }
}
