using System.Collections.Generic;
using System.Runtime.InteropServices;
using VirtShell.Harness.Console;
using VirtShell.Host;
using VirtShell.Machine;
using VirtShell.State;

namespace VirtShell.Harness.Steps;

/// <summary>What a step in progress sees of the script that it belongs to.</summary>
internal interface IScript
{
    IGuestControl Control { get; }

    PortState Port(Outlet outlet);

    /// <summary>Asks for <see cref="StepExecution.OnAlarm"/> at a guest time; <see cref="long.MaxValue"/> for none.</summary>
    void SetStepAlarm(long guestTime);

    /// <summary>Sends bytes and remembers when, so that a prompt seen before does not count for a command after.</summary>
    void Send(Outlet port, string text);
}

/// <summary>One serial port, as the script knows it.</summary>
internal sealed class PortState(Outlet outlet) : IStateful
{
    public Outlet Outlet { get; } = outlet;

    public ConsoleText Text { get; } = new();

    /// <summary>Guest time of the last byte, in nanoseconds.</summary>
    public long LastByteAt { get; set; }

    /// <summary>Numbers of the bytes before which the output paused, in order.</summary>
    public List<long> Pauses { get; } = [];

    /// <summary>Whether the script has typed or found something here.</summary>
    public bool IsInUse { get; set; }

    public void NotePause()
    {
        Pauses.Add(Text.ByteCount);
        Text.MarkPause();
    }

    /// <summary>Number of the first byte that no expectation has consumed.</summary>
    public long Cursor { get; set; }

    /// <summary>Number of the first byte that came after the last input: an older prompt is stale.</summary>
    public long PromptFloor { get; set; }

    public void Describe(StateVisitor visitor)
    {
        byte[] pauses = MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(Pauses)).ToArray();
        if (visitor.Bytes("pauses", ref pauses, int.MaxValue))
        {
            Pauses.Clear();
            Pauses.AddRange(MemoryMarshal.Cast<byte, long>(pauses));
        }

        LastByteAt = visitor.Value("last-byte-at", LastByteAt);
        IsInUse = visitor.Value("in-use", IsInUse);
        Cursor = visitor.Value("cursor", Cursor);
        PromptFloor = visitor.Value("prompt-floor", PromptFloor);
        visitor.Part("text", Text);
    }
}
