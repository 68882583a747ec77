using System;

namespace VirtShell.Host;

/// <summary>A change of a VM's state.</summary>
public sealed class VmStateChangedEventArgs(VmState before, VmState after) : EventArgs
{
    public VmState Before { get; } = before;

    public VmState After { get; } = after;
}
