using System.Globalization;
using VirtShell.Host;
using HostVm = VirtShell.Host.VirtualMachine;

namespace VirtShell.PowerShell;

/// <summary>A VM's state in a few words, for the Status column.</summary>
internal static class VmStatus
{
    internal static string Describe(HostVm vm)
    {
        if (vm.DefinitionError is not null)
        {
            return "Damaged definition";
        }

        if (vm.OwnerProcessId is { } process)
        {
            return string.Create(CultureInfo.InvariantCulture, $"In process {process}");
        }

        return vm.State switch
        {
            VmState.Starting => "Starting",
            VmState.Running => "Operating normally",
            VmState.Stopping => "Shutting down",
            VmState.Paused => "Paused",
            _ => Describe(vm.End, vm.EndCode),
        };
    }

    internal static string Describe(VmEndKind end, int code) => end switch
    {
        VmEndKind.None => "Not running",
        VmEndKind.PowerOff => "Powered off",
        VmEndKind.DebugExit => string.Create(CultureInfo.InvariantCulture, $"Exited with {code}"),
        VmEndKind.TurnedOff => "Turned off",
        VmEndKind.Reset => "Ended by a reset",
        VmEndKind.TripleFault => "Triple fault",
        VmEndKind.Hang => "Hang",
        VmEndKind.Panic => "Kernel panic",
        VmEndKind.EngineFault => "Engine fault",
        VmEndKind.StorageFault => "Storage fault",
        _ => end.ToString(),
    };
}
