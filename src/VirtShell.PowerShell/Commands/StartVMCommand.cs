using System.Management.Automation;
using VirtShell.Host;

namespace VirtShell.PowerShell.Commands;

/// <summary>Start-VM: powers VMs on.</summary>
[Cmdlet(VerbsLifecycle.Start, "VM", DefaultParameterSetName = ByName, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(VirtualMachine))]
public sealed class StartVMCommand : VmTargetCmdlet
{
    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void ProcessVm(VirtualMachine vm)
    {
        if (vm.State == VmState.Paused)
        {
            WriteError(VmErrors.InvalidState(vm, $"'{vm.Name}' is paused.", "Let it go on with Resume-VM, or turn it off with Stop-VM -TurnOff."));
            return;
        }

        if (vm.Vm.OwnerProcessId is null && vm.State is VmState.Running or VmState.Starting or VmState.Stopping)
        {
            WriteWarning($"'{vm.Name}' is already running.");
        }
        else if (Confirm("start", vm.Name))
        {
            RunWithProgress($"Starting '{vm.Name}'", (progress, cancellation) => vm.Vm.Start(null, progress, cancellation));
            WriteVerbose($"Started '{vm.Name}'.");
        }
        else
        {
            return;
        }

        if (Passthru)
        {
            WriteObject(vm);
        }
    }
}
