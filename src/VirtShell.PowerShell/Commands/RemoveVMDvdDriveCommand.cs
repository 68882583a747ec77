using System.Linq;
using System.Management.Automation;
using VirtShell.Host;

namespace VirtShell.PowerShell.Commands;

/// <summary>Remove-VMDvdDrive: takes a CD drive from VMs that are off.</summary>
[Cmdlet(VerbsCommon.Remove, "VMDvdDrive", DefaultParameterSetName = ByName, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(VMDvdDrive))]
public sealed class RemoveVMDvdDriveCommand : VmDriveCmdlet
{
    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void ProcessVm(VirtualMachine vm)
    {
        int index = TheOne(vm, VMDvdDrive.Of(vm), "CD drive");
        if (index < 0 || !Confirm("remove a CD drive from", vm.Name))
        {
            return;
        }

        VmDefinition definition = vm.Vm.Definition;
        VMDvdDrive removed = VMDvdDrive.Of(vm).ElementAt(index);
        Change(vm, definition with { Cds = Without(definition.Cds, index) });
        if (Passthru)
        {
            WriteObject(removed);
        }
    }
}
