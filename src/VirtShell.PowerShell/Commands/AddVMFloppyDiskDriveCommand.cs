using System.Linq;
using System.Management.Automation;
using VirtShell.Host;

namespace VirtShell.PowerShell.Commands;

/// <summary>Add-VMFloppyDiskDrive: adds a floppy drive to VMs that are off.</summary>
[Cmdlet(VerbsCommon.Add, "VMFloppyDiskDrive", DefaultParameterSetName = ByName, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(VMFloppyDiskDrive))]
public sealed class AddVMFloppyDiskDriveCommand : VmDriveCmdlet
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
        if (!Confirm("add a floppy drive to", vm.Name))
        {
            return;
        }

        VmDefinition definition = vm.Vm.Definition;
        Change(vm, definition with { Floppies = [.. definition.Floppies, new VmFloppyDrive(Resolve(Path), Access)] });
        if (Passthru)
        {
            WriteObject(VMFloppyDiskDrive.Of(vm).Last());
        }
    }
}
