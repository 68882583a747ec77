using System.Linq;
using System.Management.Automation;
using VirtShell.Host;

namespace VirtShell.PowerShell.Commands;

/// <summary>Set-VMHardDiskDrive: gives a hard disk of a VM that is off another image.</summary>
[Cmdlet(VerbsCommon.Set, "VMHardDiskDrive", DefaultParameterSetName = ByName, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(VMHardDiskDrive))]
public sealed class SetVMHardDiskDriveCommand : VmDriveCmdlet
{
    [Parameter(Mandatory = true, Position = 1)]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = string.Empty;

    [Parameter(ValueFromPipelineByPropertyName = true)]
    public ControllerType? ControllerType { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void ProcessVm(VirtualMachine vm)
    {
        int index = TheOne(vm, VMHardDiskDrive.Of(vm), "hard disk");
        if (index < 0 || !Confirm("change the hard disk of", vm.Name))
        {
            return;
        }

        VmDefinition definition = vm.Vm.Definition;
        Change(vm, definition with { Disks = Replaced(definition.Disks, index, definition.Disks[index] with { Source = Resolve(Path)! }) });
        if (Passthru)
        {
            WriteObject(VMHardDiskDrive.Of(vm).ElementAt(index));
        }
    }

    private protected override bool IsAsked(VMDrive drive) => (ControllerType ?? drive.ControllerType) == drive.ControllerType;
}
