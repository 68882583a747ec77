using System.Management.Automation;
using VirtShell.Host;

namespace VirtShell.PowerShell.Commands;

/// <summary>Get-VMDvdDrive: the CD drives of VMs.</summary>
[Cmdlet(VerbsCommon.Get, "VMDvdDrive", DefaultParameterSetName = ByName)]
[OutputType(typeof(VMDvdDrive))]
public sealed class GetVMDvdDriveCommand : VmDriveCmdlet
{
    protected override void ProcessVm(VirtualMachine vm)
    {
        VMDrive[] drives = [.. VMDvdDrive.Of(vm)];
        foreach (int index in Matching(drives))
        {
            WriteObject(drives[index]);
        }
    }
}
