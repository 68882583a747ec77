using System;
using VirtShell.Machine;
using VirtShell.State;

namespace VirtShell.Host.Tests;

/// <summary>A driver made of delegates.</summary>
internal sealed class ScriptedDriver : IGuestDriver
{
    public Action<IGuestControl>? Start { get; init; }

    public Action<IGuestControl, Outlet, byte>? Serial { get; init; }

    public Action<IGuestControl>? Alarm { get; init; }

    public Action<IGuestControl, VmEndKind>? End { get; init; }

    /// <summary>Shows what the delegates keep between calls.</summary>
    public Action<StateVisitor>? State { get; init; }

    public string Kind { get; init; } = "scripted";

    public void Describe(StateVisitor visitor) => State?.Invoke(visitor);

    public void OnStart(IGuestControl control) => Start?.Invoke(control);

    public void OnSerial(IGuestControl control, Outlet port, byte value) => Serial?.Invoke(control, port, value);

    public void OnAlarm(IGuestControl control) => Alarm?.Invoke(control);

    public void OnEnd(IGuestControl control, VmEndKind end) => End?.Invoke(control, end);
}
