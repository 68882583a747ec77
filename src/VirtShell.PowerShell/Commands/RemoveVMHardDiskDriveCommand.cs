using System.Linq;
using System.Management.Automation;
using VirtShell.Host;

namespace VirtShell.PowerShell.Commands;

/// <summary>Remove-VMHardDiskDrive: takes a hard disk from VMs that are off.</summary>
[Cmdlet(VerbsCommon.Remove, "VMHardDiskDrive", DefaultParameterSetName = ByName, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(VMHardDiskDrive))]
public sealed class RemoveVMHardDiskDriveCommand : VmDriveCmdlet
{
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public ControllerType? ControllerType { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void ProcessVm(VirtualMachine vm)
    {
        int index = TheOne(vm, VMHardDiskDrive.Of(vm), "hard disk");
        if (index < 0 || !Confirm("remove a hard disk from", vm.Name))
        {
            return;
        }

        VmDefinition definition = vm.Vm.Definition;
        VMHardDiskDrive removed = VMHardDiskDrive.Of(vm).ElementAt(index);
        Change(vm, definition with { Disks = Without(definition.Disks, index) });
        if (Passthru)
        {
            WriteObject(removed);
        }
    }

    private protected override bool IsAsked(VMDrive drive) => (ControllerType ?? drive.ControllerType) == drive.ControllerType;
}
