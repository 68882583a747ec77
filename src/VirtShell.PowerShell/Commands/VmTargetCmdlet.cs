using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using VirtShell.Host;
using VirtShell.PowerShell.Completion;
using VirtShell.PowerShell.Session;
using HostVm = VirtShell.Host.VirtualMachine;

namespace VirtShell.PowerShell.Commands;

/// <summary>A cmdlet that works on VMs, given by name (wildcards) or as objects, as arguments or by pipeline.</summary>
public abstract class VmTargetCmdlet : VmCmdlet
{
    /// <summary>Parameter set: VMs by name.</summary>
    protected const string ByName = "Name";

    /// <summary>Parameter set: VM objects.</summary>
    protected const string ByObject = "VMObject";

    [Parameter(ParameterSetName = ByName, Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("VMName")]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(VmNameCompleter))]
    public string[] Name { get; set; } = [];

    [Parameter(ParameterSetName = ByObject, Mandatory = true, Position = 0, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    public VirtualMachine[] VM { get; set; } = [];

    protected override void ProcessRecord()
    {
        foreach (VirtualMachine vm in ParameterSetName == ByObject ? Present(VM) : Find(Name))
        {
            Attempt(vm, () => ProcessVm(vm));
        }
    }

    /// <summary>Does the cmdlet's work on one VM. A <see cref="VmException"/> becomes an error about that VM; the others go on.</summary>
    protected abstract void ProcessVm(VirtualMachine vm);

    /// <summary>The VMs of these names. A name that is not there is an error; a wildcard that matches nothing is none.</summary>
    private IEnumerable<VirtualMachine> Find(IEnumerable<string> names)
    {
        foreach (string name in names)
        {
            List<VirtualMachine> found = [];
            Attempt(name, () => found.AddRange(Find(this, name)));
            foreach (VirtualMachine vm in found)
            {
                yield return vm;
            }
        }
    }

    internal static IReadOnlyList<VirtualMachine> Find(Cmdlet cmdlet, string name)
    {
        VmHost host = VmHosts.Current;
        if (WildcardPattern.ContainsWildcardCharacters(name))
        {
            WildcardPattern pattern = new(name, WildcardOptions.IgnoreCase);
            VirtualMachine[] matches = [.. host.VirtualMachines.Where(vm => pattern.IsMatch(vm.Name)).Select(vm => new VirtualMachine(host, vm))];
            if (matches.Length == 0)
            {
                cmdlet.WriteVerbose($"No VM's name matches '{name}'.");
            }

            return matches;
        }

        if (host.Find(WildcardPattern.Unescape(name)) is { } one)
        {
            return [new VirtualMachine(host, one)];
        }

        cmdlet.WriteError(VmErrors.NotFound(name));
        return [];
    }

    private IEnumerable<VirtualMachine> Present(IEnumerable<VirtualMachine> vms)
    {
        foreach (VirtualMachine vm in vms)
        {
            HostVm? current = vm.Owner.Find(vm.Name);
            if (current is not null && current.Id == vm.Id)
            {
                yield return vm;
            }
            else
            {
                WriteError(VmErrors.Deleted(vm));
            }
        }
    }
}
