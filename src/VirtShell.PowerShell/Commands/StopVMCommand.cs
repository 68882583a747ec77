using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Threading.Tasks;
using VirtShell.Host;
using VirtShell.PowerShell.Binding;

namespace VirtShell.PowerShell.Commands;

/// <summary>
/// Stop-VM: asks guests to shut down and waits for them; with -Force turns off those that do not, with -TurnOff pulls
/// the plug at once. All VMs of the pipeline are asked first and waited for together.
/// </summary>
[Cmdlet(VerbsLifecycle.Stop, "VM", DefaultParameterSetName = ByName, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(VirtualMachine))]
public sealed class StopVMCommand : VmTargetCmdlet
{
    private readonly List<(VirtualMachine Vm, Task<bool> Down)> _asked = [];

    [Parameter]
    public SwitchParameter TurnOff { get; set; }

    [Parameter]
    public SwitchParameter Force { get; set; }

    [Parameter]
    [TimeTransformation]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(60);

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void ProcessVm(VirtualMachine vm)
    {
        if (vm.State == VmState.Crashed)
        {
            // Nothing is left to ask: what is still held of the machine is let go. The crash report stays.
            if (Confirm("turn off", vm.Name))
            {
                Pull(vm);
            }
        }
        else if (vm.State == VmState.Off)
        {
            WriteWarning($"'{vm.Name}' is already off.");
            Give(vm);
        }
        else if (TurnOff || (Force && vm.State == VmState.Paused))
        {
            if (Confirm("turn off", vm.Name))
            {
                Pull(vm);
            }
        }
        else if (vm.State == VmState.Paused)
        {
            WriteError(VmErrors.InvalidState(vm, $"'{vm.Name}' is paused, so its guest cannot be asked to shut down.", "Let it go on with Resume-VM first, or use -TurnOff."));
        }
        else if (Confirm("shut down", vm.Name))
        {
            WriteVerbose($"Pressing the power button of '{vm.Name}'.");
            _asked.Add((vm, vm.Vm.ShutdownAsync(Timeout, Cancellation)));
        }
    }

    protected override void EndProcessing()
    {
        if (_asked.Count == 0)
        {
            return;
        }

        Await(Task.WhenAll(_asked.Select(a => a.Down)), "Stopping VMs", elapsed =>
            $"Waiting for {string.Join(", ", _asked.Where(a => !a.Down.IsCompleted).Select(a => a.Vm.Name))} ({VmErrors.Seconds(TimeSpan.FromSeconds(Math.Floor(elapsed.TotalSeconds)))} of {VmErrors.Seconds(Timeout)})");
        foreach ((VirtualMachine vm, Task<bool> down) in _asked)
        {
            Attempt(vm, () => Finish(vm, down.GetAwaiter().GetResult()));
        }
    }

    private void Finish(VirtualMachine vm, bool isDown)
    {
        if (isDown)
        {
            WriteVerbose($"'{vm.Name}' has shut down.");
            Give(vm);
        }
        else if (Force)
        {
            WriteWarning($"'{vm.Name}' did not shut down within {VmErrors.Seconds(Timeout)} and is turned off.");
            Pull(vm);
        }
        else
        {
            WriteError(VmErrors.ShutdownTimeout(vm, Timeout));
        }
    }

    private void Pull(VirtualMachine vm)
    {
        vm.Vm.TurnOff();
        WriteVerbose($"Turned off '{vm.Name}'.");
        Give(vm);
    }

    private void Give(VirtualMachine vm)
    {
        if (Passthru)
        {
            WriteObject(vm);
        }
    }
}
