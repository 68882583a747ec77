using System.Management.Automation;
using VirtShell.Host;

namespace VirtShell.PowerShell.Commands;

/// <summary>Get-VMFloppyDiskDrive: the floppy drives of VMs.</summary>
[Cmdlet(VerbsCommon.Get, "VMFloppyDiskDrive", DefaultParameterSetName = ByName)]
[OutputType(typeof(VMFloppyDiskDrive))]
public sealed class GetVMFloppyDiskDriveCommand : VmDriveCmdlet
{
    protected override void ProcessVm(VirtualMachine vm)
    {
        VMDrive[] drives = [.. VMFloppyDiskDrive.Of(vm)];
        foreach (int index in Matching(drives))
        {
            WriteObject(drives[index]);
        }
    }
}
