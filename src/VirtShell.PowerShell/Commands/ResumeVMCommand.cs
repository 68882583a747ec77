using System.Management.Automation;
using VirtShell.Host;

namespace VirtShell.PowerShell.Commands;

/// <summary>Resume-VM: lets paused VMs go on.</summary>
[Cmdlet(VerbsLifecycle.Resume, "VM", DefaultParameterSetName = ByName, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(VirtualMachine))]
public sealed class ResumeVMCommand : VmTargetCmdlet
{
    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void ProcessVm(VirtualMachine vm)
    {
        if (vm.State == VmState.Running)
        {
            WriteWarning($"'{vm.Name}' is already running.");
        }
        else if (Confirm("resume", vm.Name))
        {
            vm.Vm.Resume();
            WriteVerbose($"Resumed '{vm.Name}'.");
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
