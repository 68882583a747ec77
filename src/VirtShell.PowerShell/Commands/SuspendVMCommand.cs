using System.Management.Automation;
using VirtShell.Host;

namespace VirtShell.PowerShell.Commands;

/// <summary>Suspend-VM: holds running VMs where they are.</summary>
[Cmdlet(VerbsLifecycle.Suspend, "VM", DefaultParameterSetName = ByName, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(VirtualMachine))]
public sealed class SuspendVMCommand : VmTargetCmdlet
{
    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void ProcessVm(VirtualMachine vm)
    {
        if (vm.State == VmState.Paused)
        {
            WriteWarning($"'{vm.Name}' is already paused.");
        }
        else if (Confirm("pause", vm.Name))
        {
            vm.Vm.Pause();
            WriteVerbose($"Paused '{vm.Name}'.");
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
