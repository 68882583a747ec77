using System.Linq;
using System.Management.Automation;
using VirtShell.Host;

namespace VirtShell.PowerShell.Commands;

/// <summary>Set-VMDvdDrive: changes the medium of a CD drive, also while the VM runs.</summary>
[Cmdlet(VerbsCommon.Set, "VMDvdDrive", DefaultParameterSetName = ByName, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(VMDvdDrive))]
public sealed class SetVMDvdDriveCommand : VmDriveCmdlet
{
    [Parameter(Position = 1)]
    [AllowNull]
    [AllowEmptyString]
    public string? Path { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void ProcessVm(VirtualMachine vm)
    {
        int index = TheOne(vm, VMDvdDrive.Of(vm), "CD drive");
        if (index < 0 || !Confirm("change the CD drive of", vm.Name))
        {
            return;
        }

        VmDefinition definition = vm.Vm.Definition;
        Change(vm, definition with { Cds = Replaced(definition.Cds, index, definition.Cds[index] with { Source = MyInvocation.BoundParameters.ContainsKey(nameof(Path)) ? Resolve(Path) : definition.Cds[index].Source }) });
        if (Passthru)
        {
            WriteObject(VMDvdDrive.Of(vm).ElementAt(index));
        }
    }
}
