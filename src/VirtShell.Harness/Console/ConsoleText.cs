using System;
using System.Text;
using VirtShell.Host;

namespace VirtShell.Harness.Console;

/// <summary>
/// A serial port's output as text, twice: <see cref="Clean"/> is everything without terminal control, <see cref="User"/>
/// also without kernel messages. An expectation looks at both, so that it finds a kernel's own words as well as a prompt that a
/// kernel message broke into.
/// </summary>
internal sealed class ConsoleText
{
    private readonly Decoder decoder = Encoding.UTF8.GetDecoder();
    private readonly EscapeFilter escapes = new();
    private readonly KernelMessageFilter kernelMessages;
    private readonly char[] decoded = new char[8];

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
        ReadOnlySpan<byte> one = [value];
        Append(decoder.GetChars(one, decoded, flush: false), number);
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
        Append(decoder.GetChars([], decoded, flush: true), ByteCount);
        kernelMessages.Release();
    }

    private void Append(int count, long number)
    {
        for (int i = 0; i < count; i++)
        {
            if (escapes.Keep(decoded[i]))
            {
                Clean.Append(decoded[i], number);
                kernelMessages.Append(decoded[i], number);
            }
        }
    }
}
