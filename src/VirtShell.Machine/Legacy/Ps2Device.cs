using System;
using System.Collections.Generic;
using VirtShell.State;

namespace VirtShell.Machine.Legacy;

/// <summary>What is plugged into a port of the keyboard controller: takes command bytes, queues answers.</summary>
internal abstract class Ps2Device : IStateful
{
    protected const byte Acknowledge = 0xFA;
    protected const byte Resend = 0xFE;
    protected const byte SelfTestPassed = 0xAA;
    private const int QueueLimit = 32;

    // Saved state.
    private readonly Queue<byte> _answers = new();
    private byte _last;

    /// <summary>The command that waits for its argument, or 0.</summary>
    protected byte Expecting { get; set; }

    public bool HasData => _answers.Count > 0;

    public byte Take()
    {
        _last = _answers.Dequeue();
        return _last;
    }

    public virtual void Reset()
    {
        _answers.Clear();
        Expecting = 0;
        _last = 0;
    }

    /// <summary>A byte from the host.</summary>
    public void Write(byte value)
    {
        byte command = Expecting;
        Expecting = 0;
        if (command != 0)
        {
            Argument(command, value);
        }
        else if (value == Resend)
        {
            Queue(_last);
        }
        else
        {
            // A new command drops what was not yet fetched.
            _answers.Clear();
            Command(value);
        }
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Queue("answers", _answers, QueueLimit);
        visitor.Value("last", ref _last);
        Expecting = visitor.Value("expecting", Expecting);
        DescribeFields(visitor);
    }

    protected abstract void Command(byte command);

    protected abstract void Argument(byte command, byte value);

    protected abstract void DescribeFields(StateVisitor visitor);

    protected void Queue(params ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
        {
            if (_answers.Count < QueueLimit)
            {
                _answers.Enqueue(value);
            }
        }
    }
}
