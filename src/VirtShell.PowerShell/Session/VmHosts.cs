using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using VirtShell.Host;
using HostVm = VirtShell.Host.VirtualMachine;

namespace VirtShell.PowerShell.Session;

/// <summary>The process' VM hosts: one for each home folder, made when first asked for. Every runspace shares them.</summary>
internal static class VmHosts
{
    private static readonly object s_gate = new();
    private static readonly Dictionary<string, VmHost> s_hosts = new(StringComparer.Ordinal);

    /// <summary>The host of the current home folder (<c>VIRTSHELL_HOME</c>, else the user's data folder).</summary>
    internal static VmHost Current
    {
        get
        {
            string home = Path.GetFullPath(VmHost.DefaultHomeFolder);
            lock (s_gate)
            {
                if (!s_hosts.TryGetValue(home, out VmHost? host))
                {
                    host = new VmHost(home);
                    s_hosts.Add(home, host);
                }

                return host;
            }
        }
    }

    /// <summary>The VMs that this process runs, the one started first in front.</summary>
    internal static IReadOnlyList<HostVm> Running()
    {
        VmHost[] hosts;
        lock (s_gate)
        {
            hosts = [.. s_hosts.Values];
        }

        return [.. hosts.SelectMany(Inventory).Where(vm => vm.OwnerProcessId is null && IsOn(vm.State)).OrderBy(vm => vm.StartedAt)];
    }

    internal static bool IsOn(VmState state) => state is VmState.Starting or VmState.Running or VmState.Paused or VmState.Stopping;

    /// <summary>
    /// Asks every running guest to shut down, waits up to <paramref name="grace"/> for all of them together, turns off
    /// those that are left (the one started last first), and lets go of the hosts. Never throws.
    /// </summary>
    internal static void StopAll(TimeSpan grace, Action<string> warn)
    {
        IReadOnlyList<HostVm> running = Running();
        if (grace > TimeSpan.Zero)
        {
            Task<bool>[] asked = [.. running.Where(vm => vm.State is VmState.Running or VmState.Stopping).Select(vm => Ask(vm, grace))];
            Task.WaitAll(asked, grace + TimeSpan.FromSeconds(1));
        }

        foreach (HostVm vm in running.Reverse().Where(vm => IsOn(vm.State)))
        {
            try
            {
                vm.TurnOff();
                warn($"'{vm.Name}' did not shut down by itself and was turned off.");
            }
            catch (Exception e)
            {
                // One VM's trouble must not keep the others from being stopped.
                Trace.WriteLine(e.Message);
            }
        }

        VmHost[] hosts;
        lock (s_gate)
        {
            hosts = [.. s_hosts.Values];
            s_hosts.Clear();
        }

        foreach (VmHost host in hosts)
        {
            host.Dispose();
        }
    }

    private static IReadOnlyList<HostVm> Inventory(VmHost host)
    {
        try
        {
            return host.VirtualMachines;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or VmException)
        {
            // The home folder is gone or cannot be read. Disposing the host still turns off what runs.
            Trace.WriteLine(e.Message);
            return [];
        }
    }

    private static async Task<bool> Ask(HostVm vm, TimeSpan grace)
    {
        try
        {
            return await vm.ShutdownAsync(grace).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // It ended meanwhile, or is in a state without a power button; what is still on gets turned off.
            Trace.WriteLine(e.Message);
            return false;
        }
    }
}
