using System.Linq;
using System.Management.Automation;
using VirtShell.Host;

namespace VirtShell.PowerShell.Commands;

/// <summary>Add-VMHardDiskDrive: adds a hard disk to VMs that are off.</summary>
[Cmdlet(VerbsCommon.Add, "VMHardDiskDrive", DefaultParameterSetName = ByName, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(VMHardDiskDrive))]
public sealed class AddVMHardDiskDriveCommand : VmDriveCmdlet
{
    [Parameter(Mandatory = true, Position = 1)]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = string.Empty;

    [Parameter]
    public ControllerType? ControllerType { get; set; }

    [Parameter]
    public DiskAccess Access { get; set; } = DiskAccess.Overlay;

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void ProcessVm(VirtualMachine vm)
    {
        if (!Confirm("add a hard disk to", vm.Name))
        {
            return;
        }

        // A VM that boots by firmware finds its disks on IDE; a kernel that is started directly has virtio.
        VmDefinition definition = vm.Vm.Definition;
        bool isIde = ControllerType is { } type ? type == PowerShell.ControllerType.IDE : definition.Kernel is null && definition.Guest is null;
        VmDisk disk = new(Resolve(Path)!, Access) { Interface = isIde ? DiskInterface.Ide : DiskInterface.Virtio, Place = isIde ? AskedPlace : IdePlace.Next };
        Change(vm, definition with { Disks = [.. definition.Disks, disk] });
        if (Passthru)
        {
            WriteObject(VMHardDiskDrive.Of(vm).Last());
        }
    }
}
