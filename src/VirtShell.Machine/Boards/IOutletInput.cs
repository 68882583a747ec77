using System;

namespace VirtShell.Machine.Boards;

/// <summary>What takes input at an outlet.</summary>
internal interface IOutletInput
{
    /// <summary>Whether the guest is ready to read.</summary>
    bool IsListening { get; }

    /// <summary>Queues bytes for the guest; none are lost.</summary>
    void Send(ReadOnlySpan<byte> bytes);
}
