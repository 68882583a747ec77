using System.Linq;
using System.Management.Automation;
using VirtShell.Host;

namespace VirtShell.PowerShell.Commands;

/// <summary>Remove-VMFloppyDiskDrive: takes a floppy drive from VMs that are off.</summary>
[Cmdlet(VerbsCommon.Remove, "VMFloppyDiskDrive", DefaultParameterSetName = ByName, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(VMFloppyDiskDrive))]
public sealed class RemoveVMFloppyDiskDriveCommand : VmDriveCmdlet
{
    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void ProcessVm(VirtualMachine vm)
    {
        int index = TheOne(vm, VMFloppyDiskDrive.Of(vm), "floppy drive");
        if (index < 0 || !Confirm("remove a floppy drive from", vm.Name))
        {
            return;
        }

        VmDefinition definition = vm.Vm.Definition;
        VMFloppyDiskDrive removed = VMFloppyDiskDrive.Of(vm).ElementAt(index);
        Change(vm, definition with { Floppies = Without(definition.Floppies, index) });
        if (Passthru)
        {
            WriteObject(removed);
        }
    }
}
