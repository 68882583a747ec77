using System.Management.Automation;

namespace VirtShell.PowerShell.Commands;

/// <summary>Measure-VM: what VMs have used in their current or last run, or with -Engine what the engine did.</summary>
[Cmdlet(VerbsDiagnostic.Measure, "VM", DefaultParameterSetName = ByName)]
[OutputType(typeof(VMMeteringReport), typeof(VMEngineReport))]
public sealed class MeasureVMCommand : VmTargetCmdlet
{
    [Parameter]
    public SwitchParameter Engine { get; set; }

    protected override void ProcessVm(VirtualMachine vm)
    {
        if (vm.Vm.OwnerProcessId is { } process)
        {
            WriteWarning($"'{vm.Name}' runs in process {process}; what it uses is known there only.");
        }
        else if (vm.StartTime is null)
        {
            WriteVerbose($"'{vm.Name}' has not run in this session: its figures are zero.");
        }

        foreach (string warning in vm.Vm.Warnings)
        {
            WriteWarning($"'{vm.Name}': {warning}");
        }

        WriteObject(Engine ? new VMEngineReport(vm).WithCounters() : new VMMeteringReport(vm));
    }
}
