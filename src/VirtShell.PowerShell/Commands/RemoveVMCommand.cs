using System.Management.Automation;
using VirtShell.PowerShell.Session;

namespace VirtShell.PowerShell.Commands;

/// <summary>Remove-VM: forgets VMs that are off. Kernels and disk images are left alone.</summary>
[Cmdlet(VerbsCommon.Remove, "VM", DefaultParameterSetName = ByName, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(VirtualMachine))]
public sealed class RemoveVMCommand : VmTargetCmdlet
{
    [Parameter]
    public SwitchParameter Force { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void ProcessVm(VirtualMachine vm)
    {
        if (vm.Vm.OwnerProcessId is null && VmHosts.IsOn(vm.State))
        {
            WriteError(VmErrors.InvalidState(vm, $"'{vm.Name}' is {vm.State.ToString().ToLowerInvariant()} and cannot be removed.", "Stop it first with Stop-VM."));
            return;
        }

        if (!ConfirmAlways("remove", vm.Name, Force))
        {
            return;
        }

        vm.Owner.Remove(vm.Vm);
        WriteVerbose($"Removed '{vm.Name}'.");
        if (Passthru)
        {
            WriteObject(vm);
        }
    }
}
