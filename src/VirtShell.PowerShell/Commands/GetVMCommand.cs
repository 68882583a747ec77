using System;
using System.Management.Automation;
using VirtShell.Host;
using VirtShell.PowerShell.Completion;
using VirtShell.PowerShell.Session;
using HostVm = VirtShell.Host.VirtualMachine;

namespace VirtShell.PowerShell.Commands;

/// <summary>Get-VM: the VMs of the current home folder.</summary>
[Cmdlet(VerbsCommon.Get, "VM", DefaultParameterSetName = "Name")]
[OutputType(typeof(VirtualMachine))]
public sealed class GetVMCommand : VmCmdlet
{
    [Parameter(ParameterSetName = "Name", Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("VMName")]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(VmNameCompleter))]
    public string[] Name { get; set; } = ["*"];

    [Parameter(ParameterSetName = "Id", Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [Alias("VMId")]
    public Guid[] Id { get; set; } = [];

    protected override void ProcessRecord()
    {
        if (ParameterSetName == "Id")
        {
            foreach (Guid id in Id)
            {
                Attempt(id, () => WriteById(id));
            }

            return;
        }

        foreach (string name in Name)
        {
            Attempt(name, () => WriteObject(VmTargetCmdlet.Find(this, name), enumerateCollection: true));
        }
    }

    private void WriteById(Guid id)
    {
        VmHost host = VmHosts.Current;
        foreach (HostVm vm in host.VirtualMachines)
        {
            if (vm.Id == id)
            {
                WriteObject(new VirtualMachine(host, vm));
                return;
            }
        }

        WriteError(VmErrors.NotFound(id));
    }
}
