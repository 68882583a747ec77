using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Management.Automation.Runspaces;
using VirtShell.PowerShell.Session;

namespace VirtShell.PowerShell.Loading;

/// <summary>
/// Knows which runspaces have the module imported. VMs belong to the process: they go on while any of those runspaces
/// lives, and are stopped in order, with a warning, when the last one removes the module or ends.
/// </summary>
public static class ModuleSession
{
    private static readonly object s_gate = new();
    private static readonly HashSet<Guid> s_runspaces = [];
    private static bool s_watchesProcessExit;

    /// <summary>How long guests have, together, to shut down by themselves when the session ends.</summary>
    public static TimeSpan ExitGrace { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Called by the module's loader in the importing runspace.</summary>
    public static void Enter(EngineIntrinsics intrinsics)
    {
        ArgumentNullException.ThrowIfNull(intrinsics);
        Runspace? runspace = Runspace.DefaultRunspace;
        if (runspace is null)
        {
            return;
        }

        lock (s_gate)
        {
            if (!s_runspaces.Add(runspace.InstanceId))
            {
                return;
            }

            if (!s_watchesProcessExit)
            {
                s_watchesProcessExit = true;
                AppDomain.CurrentDomain.ProcessExit += static (_, _) => VmHosts.StopAll(TimeSpan.Zero, static _ => { });
            }
        }

        Guid id = runspace.InstanceId;
        PSHost host = intrinsics.Host;
        intrinsics.Events.SubscribeEvent(null, null, PSEngineEvent.Exiting, null, (_, _) => Leave(id, host), supportEvent: true, forwardEvent: false);
        runspace.StateChanged += (_, e) =>
        {
            if (e.RunspaceStateInfo.State is RunspaceState.Closed or RunspaceState.Broken)
            {
                Leave(id, null);
            }
        };
    }

    /// <summary>Called by the module's OnRemove handler.</summary>
    public static void Leave(EngineIntrinsics intrinsics)
    {
        ArgumentNullException.ThrowIfNull(intrinsics);
        if (Runspace.DefaultRunspace is { } runspace)
        {
            Leave(runspace.InstanceId, intrinsics.Host);
        }
    }

    private static void Leave(Guid runspace, PSHost? host)
    {
        lock (s_gate)
        {
            if (!s_runspaces.Remove(runspace) || s_runspaces.Count > 0)
            {
                return;
            }
        }

        string[] running = [.. VmHosts.Running().Select(vm => vm.Name)];
        if (running.Length > 0)
        {
            Warn(host, $"Stopping {Count(running.Length)} still running: {string.Join(", ", running)}. VMs end with the session that runs them.");
        }

        VmHosts.StopAll(ExitGrace, message => Warn(host, message));
    }

    private static string Count(int vms) => vms == 1 ? "one VM that is" : $"{vms} VMs that are";

    private static void Warn(PSHost? host, string message)
    {
        try
        {
            host?.UI?.WriteWarningLine(message);
        }
        catch (Exception e) when (e is NotImplementedException or NotSupportedException or InvalidOperationException or HostException or PipelineStoppedException)
        {
            // A host without a user interface, or one that is already gone: stopping goes on regardless.
        }
    }
}
