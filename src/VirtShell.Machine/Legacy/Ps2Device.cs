using System;
using System.Collections.Generic;
using VirtShell.State;

namespace VirtShell.Machine.Legacy;

/// <summary>What is plugged into a port of the keyboard controller: takes command bytes, queues answers, which go before what it has to tell by itself.</summary>
internal abstract class Ps2Device : IStateful
{
    protected const byte Acknowledge = 0xFA;
    protected const byte Resend = 0xFE;
    protected const byte SelfTestPassed = 0xAA;
    private const int QueueLimit = 32;

    // A sequence that was begun goes on after an answer: what a device tells is put here whole, once all before it was taken.
    private const int ReportLimit = 16;

    // Saved state.
    private readonly Queue<byte> _answers = new();
    private readonly Queue<byte> _reports = new();
    private byte _last;

    /// <summary>The command that waits for its argument, or 0.</summary>
    protected byte Expecting { get; set; }

    public bool HasData => _answers.Count > 0 || _reports.Count > 0;

    /// <summary>Whether it has something to tell that was not taken.</summary>
    protected bool HasReport => _reports.Count > 0;

    /// <param name="isReport">Whether the byte is no answer but what the device tells by itself.</param>
    public byte Take(out bool isReport)
    {
        isReport = _answers.Count == 0;
        _last = isReport ? _reports.Dequeue() : _answers.Dequeue();
        return _last;
    }

    public virtual void Reset()
    {
        _answers.Clear();
        _reports.Clear();
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
        visitor.Queue("reports", _reports, ReportLimit);
        DescribeInput(visitor);
    }

    protected abstract void Command(byte command);

    protected abstract void Argument(byte command, byte value);

    protected abstract void DescribeFields(StateVisitor visitor);

    /// <summary>Shows what waits to be told.</summary>
    protected abstract void DescribeInput(StateVisitor visitor);

    /// <summary>Has the guest read bytes that are no answer.</summary>
    protected void Report(ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
        {
            if (_reports.Count < ReportLimit)
            {
                _reports.Enqueue(value);
            }
        }
    }

    /// <summary>Forgets what it had to tell.</summary>
    protected void DropReports() => _reports.Clear();

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
