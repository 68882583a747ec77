using System.Management.Automation;
using VirtShell.Host;

namespace VirtShell.PowerShell.Commands;

/// <summary>Get-VMHardDiskDrive: the hard disks of VMs.</summary>
[Cmdlet(VerbsCommon.Get, "VMHardDiskDrive", DefaultParameterSetName = ByName)]
[OutputType(typeof(VMHardDiskDrive))]
public sealed class GetVMHardDiskDriveCommand : VmDriveCmdlet
{
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public ControllerType? ControllerType { get; set; }

    protected override void ProcessVm(VirtualMachine vm)
    {
        VMDrive[] drives = [.. VMHardDiskDrive.Of(vm)];
        foreach (int index in Matching(drives))
        {
            WriteObject(drives[index]);
        }
    }

    private protected override bool IsAsked(VMDrive drive) => (ControllerType ?? drive.ControllerType) == drive.ControllerType;
}
