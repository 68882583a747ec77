using System;
using System.Management.Automation;
using System.Threading.Tasks;
using VirtShell.Host;
using VirtShell.PowerShell.Binding;

namespace VirtShell.PowerShell.Commands;

/// <summary>How Restart-VM restarts.</summary>
public enum RestartType
{
    /// <summary>The reset button: the guest is not asked.</summary>
    Reset,

    /// <summary>The guest is asked to shut down, and started again.</summary>
    Reboot,
}

/// <summary>Restart-VM: presses the reset button, or shuts the guest down and starts it again.</summary>
[Cmdlet(VerbsLifecycle.Restart, "VM", DefaultParameterSetName = ByName, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(VirtualMachine))]
public sealed class RestartVMCommand : VmTargetCmdlet
{
    [Parameter]
    public RestartType Type { get; set; } = RestartType.Reset;

    [Parameter]
    [TimeTransformation]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(60);

    [Parameter]
    public SwitchParameter Force { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void ProcessVm(VirtualMachine vm)
    {
        if (vm.State is VmState.Off or VmState.Crashed)
        {
            WriteError(VmErrors.InvalidState(vm, $"'{vm.Name}' is not running ({vm.Status}).", "Start it with Start-VM."));
            return;
        }

        if (!ConfirmAlways(Type == RestartType.Reset ? "reset" : "restart", vm.Name, Force))
        {
            return;
        }

        if (Type == RestartType.Reset)
        {
            vm.Vm.ResetGuest();
        }
        else if (!Reboot(vm))
        {
            return;
        }

        WriteVerbose($"Restarted '{vm.Name}'.");
        if (Passthru)
        {
            WriteObject(vm);
        }
    }

    private bool Reboot(VirtualMachine vm)
    {
        Task<bool> down = vm.Vm.ShutdownAsync(Timeout, Cancellation);
        Await(down, $"Restarting '{vm.Name}'", elapsed => $"Waiting for the guest to shut down ({Math.Floor(elapsed.TotalSeconds)} s)");
        if (!down.GetAwaiter().GetResult())
        {
            WriteError(VmErrors.ShutdownTimeout(vm, Timeout));
            return false;
        }

        RunWithProgress($"Starting '{vm.Name}'", (progress, cancellation) => vm.Vm.Start(null, progress, cancellation));
        return true;
    }
}
