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

    private readonly EscapeFilter _escapes = new();
    private readonly KernelMessageFilter _kernelMessages;
    private readonly byte[] _pending = new byte[LongestCharacter];
    private int _pendingCount;

    public ConsoleText()
    {
        _kernelMessages = new KernelMessageFilter(User);
    }

    public TextStream Clean { get; } = new();

    public TextStream User { get; } = new();

    /// <summary>Bytes received so far.</summary>
    public long ByteCount { get; private set; }

    public void Feed(byte value)
    {
        long number = ByteCount++;
        if (_pendingCount == 0 && value < 0x80)
        {
            Append((char)value, number);
            return;
        }

        _pending[_pendingCount++] = value;
        while (_pendingCount > 0 && Rune.DecodeFromUtf8(_pending.AsSpan(0, _pendingCount), out Rune rune, out int used) != OperationStatus.NeedMoreData)
        {
            _pending.AsSpan(used, _pendingCount - used).CopyTo(_pending);
            _pendingCount -= used;
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
        if (_pendingCount > 0)
        {
            _pendingCount = 0;
            Append(Rune.ReplacementChar, ByteCount);
        }

        _kernelMessages.Release();
    }

    public void Describe(StateVisitor visitor)
    {
        visitor.Array<byte>("pending", _pending);
        visitor.Value("pending-count", ref _pendingCount, 0, LongestCharacter - 1);
        ByteCount = Math.Max(0, visitor.Value("bytes", ByteCount));
        visitor.Part("escapes", _escapes);
        visitor.Part("kernel-messages", _kernelMessages);
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
        if (_escapes.Keep(c))
        {
            Clean.Append(c, number);
            _kernelMessages.Append(c, number);
        }
    }
}
