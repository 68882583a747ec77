using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using VirtShell.Host;
using VirtShell.PowerShell.Binding;

namespace VirtShell.PowerShell.Commands;

/// <summary>A cmdlet on drives of VMs, which are given with their VM and, where there are several, with their place.</summary>
public abstract class VmDriveCmdlet : VmTargetCmdlet
{
    private const int PlacesOnChannel = 2;

    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateRange(0, 1)]
    public int? ControllerNumber { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateRange(0, 63)]
    public int? ControllerLocation { get; set; }

    /// <summary>The place on the IDE controller that was asked for.</summary>
    internal IdePlace AskedPlace => ControllerNumber is null && ControllerLocation is null ? IdePlace.Next : IdePlace.PrimaryMaster + ((ControllerNumber ?? 0) * PlacesOnChannel) + (ControllerLocation ?? 0);

    /// <summary>A file as the host understands it; null and empty text mean none. One that is not there ends the pipeline.</summary>
    internal string? Resolve(string? path) => string.IsNullOrEmpty(path) ? null : new DefinitionBuilder(this).Source(path);

    /// <summary>Which of a VM's drives were asked for, as their numbers.</summary>
    internal IEnumerable<int> Matching(IEnumerable<VMDrive> drives) => drives
        .Select((drive, index) => (drive, index))
        .Where(one => (ControllerNumber ?? one.drive.ControllerNumber) == one.drive.ControllerNumber && (ControllerLocation ?? one.drive.ControllerLocation) == one.drive.ControllerLocation && IsAsked(one.drive))
        .Select(one => one.index);

    /// <summary>The one drive that was asked for; where it is none or several, that is an error, and the number is below 0.</summary>
    internal int TheOne(VirtualMachine vm, IEnumerable<VMDrive> drives, string what)
    {
        int[] found = [.. Matching(drives)];
        if (found.Length != 1)
        {
            WriteError(VmErrors.Drive(vm, what, found.Length));
            return -1;
        }

        return found[0];
    }

    /// <summary>Gives the VM another definition, and says so.</summary>
    internal void Change(VirtualMachine vm, VmDefinition definition)
    {
        vm.Vm.Configure(definition);
        WriteVerbose($"Changed the drives of '{vm.Name}'.");
    }

    internal static IReadOnlyList<T> Replaced<T>(IReadOnlyList<T> all, int index, T one) => [.. all.Select((item, i) => i == index ? one : item)];

    internal static IReadOnlyList<T> Without<T>(IReadOnlyList<T> all, int index) => [.. all.Where((_, i) => i != index)];

    /// <summary>What the cmdlet asks of a drive beside its place.</summary>
    private protected virtual bool IsAsked(VMDrive drive) => true;
}
