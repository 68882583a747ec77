using System.Management.Automation;
using VirtShell.Host;

namespace VirtShell.PowerShell.Commands;

/// <summary>Get-VMCrashReport: what is known of the crash that ended a VM's last run, or with -Live of the VM as it is now.</summary>
[Cmdlet(VerbsCommon.Get, "VMCrashReport", DefaultParameterSetName = ByName)]
[OutputType(typeof(VMCrashReport))]
public sealed class GetVMCrashReportCommand : VmTargetCmdlet
{
    [Parameter]
    public SwitchParameter Live { get; set; }

    protected override void ProcessVm(VirtualMachine vm)
    {
        CrashReport? report = Live ? vm.Vm.Inspect() : vm.Vm.CrashReport;
        if (report is null)
        {
            WriteVerbose($"'{vm.Name}' has no crash report: {vm.Status}.");
            return;
        }

        WriteObject(new VMCrashReport(report));
    }
}
