using System.Linq;
using System.Management.Automation;
using VirtShell.Host;

namespace VirtShell.PowerShell.Commands;

/// <summary>Add-VMDvdDrive: adds a CD drive to VMs that are off.</summary>
[Cmdlet(VerbsCommon.Add, "VMDvdDrive", DefaultParameterSetName = ByName, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(VMDvdDrive))]
public sealed class AddVMDvdDriveCommand : VmDriveCmdlet
{
    [Parameter(Position = 1)]
    [AllowNull]
    [AllowEmptyString]
    public string? Path { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void ProcessVm(VirtualMachine vm)
    {
        if (!Confirm("add a CD drive to", vm.Name))
        {
            return;
        }

        VmDefinition definition = vm.Vm.Definition;
        Change(vm, definition with { Cds = [.. definition.Cds, new VmCdDrive(Resolve(Path), AskedPlace)] });
        if (Passthru)
        {
            WriteObject(VMDvdDrive.Of(vm).Last());
        }
    }
}
