using System;
using System.Collections.Generic;
using VirtShell.State;

namespace VirtShell.Machine.Legacy;

/// <summary>What is plugged into a port of the keyboard controller: takes command bytes, queues answers.</summary>
internal abstract class Ps2Device
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

    public virtual void Save(StateWriter writer, string name)
    {
        using StateWriter.SectionScope section = writer.Section(name, 1);
        writer.Write("answers", _answers.ToArray());
        writer.Write("last", (uint)_last);
        writer.Write("expecting", (uint)Expecting);
        SaveFields(writer);
    }

    public virtual void Load(StateReader reader, string name)
    {
        StateReader section = reader.Section(name, 1);
        _answers.Clear();
        foreach (byte value in section.ReadBytes("answers").AsSpan())
        {
            Queue(value);
        }

        _last = section.ReadByte("last");
        Expecting = section.ReadByte("expecting");
        LoadFields(section);
    }

    protected abstract void Command(byte command);

    protected abstract void Argument(byte command, byte value);

    protected abstract void SaveFields(StateWriter writer);

    protected abstract void LoadFields(StateReader reader);

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
