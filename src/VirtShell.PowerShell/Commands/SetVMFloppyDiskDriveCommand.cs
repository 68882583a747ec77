using System.Linq;
using System.Management.Automation;
using VirtShell.Host;

namespace VirtShell.PowerShell.Commands;

/// <summary>Set-VMFloppyDiskDrive: changes the medium of a floppy drive, also while the VM runs.</summary>
[Cmdlet(VerbsCommon.Set, "VMFloppyDiskDrive", DefaultParameterSetName = ByName, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(VMFloppyDiskDrive))]
public sealed class SetVMFloppyDiskDriveCommand : VmDriveCmdlet
{
    [Parameter(Position = 1)]
    [AllowNull]
    [AllowEmptyString]
    public string? Path { get; set; }

    [Parameter]
    public DiskAccess Access { get; set; } = DiskAccess.Overlay;

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void ProcessVm(VirtualMachine vm)
    {
        int index = TheOne(vm, VMFloppyDiskDrive.Of(vm), "floppy drive");
        if (index < 0 || !Confirm("change the floppy drive of", vm.Name))
        {
            return;
        }

        VmDefinition definition = vm.Vm.Definition;
        Change(vm, definition with { Floppies = Replaced(definition.Floppies, index, definition.Floppies[index] with { Source = MyInvocation.BoundParameters.ContainsKey(nameof(Path)) ? Resolve(Path) : definition.Floppies[index].Source, Access = MyInvocation.BoundParameters.ContainsKey(nameof(Access)) ? Access : definition.Floppies[index].Access }) });
        if (Passthru)
        {
            WriteObject(VMFloppyDiskDrive.Of(vm).ElementAt(index));
        }
    }
}
