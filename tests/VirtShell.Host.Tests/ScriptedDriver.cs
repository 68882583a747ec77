using System;
using VirtShell.Machine;

namespace VirtShell.Host.Tests;

/// <summary>A driver made of delegates.</summary>
internal sealed class ScriptedDriver : IGuestDriver
{
    public Action<IGuestControl>? Start { get; init; }

    public Action<IGuestControl, Outlet, byte>? Serial { get; init; }

    public Action<IGuestControl>? Alarm { get; init; }

    public Action<IGuestControl, VmEndKind>? End { get; init; }

    public void OnStart(IGuestControl control) => Start?.Invoke(control);

    public void OnSerial(IGuestControl control, Outlet port, byte value) => Serial?.Invoke(control, port, value);

    public void OnAlarm(IGuestControl control) => Alarm?.Invoke(control);

    public void OnEnd(IGuestControl control, VmEndKind end) => End?.Invoke(control, end);
}
