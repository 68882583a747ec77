using System;
using System.Collections.Generic;

namespace VirtShell.Host;

/// <summary>
/// The inventory of VMs and the scheduler that runs them: a run queue served by one worker for each host core.
/// Definitions persist below <see cref="HomeFolder"/>. Thread-safe.
/// </summary>
public sealed class VmHost : IDisposable
{
    /// <param name="homeFolder">Where definitions persist; null for a host whose VMs are forgotten (suites).</param>
    /// <param name="workers">Worker threads; 0 for one each host core.</param>
    public VmHost(string? homeFolder, int workers = 0) => throw new NotSupportedException(homeFolder + workers);

    public static string DefaultHomeFolder => throw new NotSupportedException();

    public string? HomeFolder => throw new NotSupportedException();

    /// <summary>Where resolved images are cached: below the home folder, or the default one for a host without.</summary>
    public string ImageCacheFolder => throw new NotSupportedException();

    /// <summary>Worker threads.</summary>
    public int Workers => throw new NotSupportedException();

    /// <summary>All VMs by name, those defined by other processes included.</summary>
    public IReadOnlyList<VirtualMachine> VirtualMachines => throw new NotSupportedException();

    /// <exception cref="VmException">A VM of that name exists, or the definition is invalid.</exception>
    public VirtualMachine Create(VmDefinition definition) => throw new NotSupportedException();

    public VirtualMachine? Find(string name) => throw new NotSupportedException();

    /// <summary>Forgets a VM; it must be off.</summary>
    public void Remove(VirtualMachine vm) => throw new NotSupportedException();

    /// <summary>Turns every running VM off and ends the workers.</summary>
    public void Dispose()
    {
    }
}
