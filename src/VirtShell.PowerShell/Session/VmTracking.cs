using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using VirtShell.Host;
using VirtShell.Machine;
using HostVm = VirtShell.Host.VirtualMachine;

namespace VirtShell.PowerShell.Session;

/// <summary>What the session remembers of a VM besides what the host knows: where input was last sent, and how busy it was.</summary>
internal sealed class VmTracking
{
    private static readonly ConditionalWeakTable<HostVm, VmTracking> s_all = [];
    private static readonly TimeSpan s_sampleLength = TimeSpan.FromMilliseconds(500);

    private readonly object _gate = new();
    private readonly Dictionary<Outlet, long> _marks = [];
    private DateTimeOffset? _markRun;
    private DateTimeOffset? _sampleRun;
    private DateTimeOffset _sampleAt;
    private TimeSpan _sampleHostTime;
    private int _percent;

    internal static VmTracking Of(HostVm vm) => s_all.GetValue(vm, static _ => new VmTracking());

    /// <summary>Remembers the length of an outlet's log just before input is sent to it.</summary>
    internal void MarkSend(HostVm vm, Outlet outlet)
    {
        lock (_gate)
        {
            if (_markRun != vm.StartedAt)
            {
                _marks.Clear();
                _markRun = vm.StartedAt;
            }

            _marks[outlet] = vm.GetSerial(outlet).Length;
        }
    }

    /// <summary>The length of an outlet's log at the last send of this run; 0 where nothing was sent.</summary>
    internal long SendMark(HostVm vm, Outlet outlet)
    {
        lock (_gate)
        {
            return _markRun == vm.StartedAt ? _marks.GetValueOrDefault(outlet) : 0;
        }
    }

    /// <summary>Processor use of the VM in percent of one host core, over the time since the last sample.</summary>
    internal int CpuPercent(HostVm vm)
    {
        if (vm.State is not (VmState.Running or VmState.Stopping) || vm.StartedAt is not { } started)
        {
            return 0;
        }

        DateTimeOffset now = DateTimeOffset.UtcNow;
        TimeSpan hostTime = vm.Metrics.HostTime;
        lock (_gate)
        {
            bool first = _sampleRun != started;
            if (first)
            {
                _sampleRun = started;
                _sampleAt = started;
                _sampleHostTime = TimeSpan.Zero;
            }

            TimeSpan elapsed = now - _sampleAt;
            if (first || elapsed >= s_sampleLength)
            {
                _percent = elapsed > TimeSpan.Zero ? (int)Math.Clamp(Math.Round(100 * ((hostTime - _sampleHostTime) / elapsed)), 0, 100) : 0;
                _sampleAt = now;
                _sampleHostTime = hostTime;
            }

            return _percent;
        }
    }
}
