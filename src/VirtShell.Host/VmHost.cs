using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using VirtShell.Host.Inventory;
using VirtShell.Host.Scheduling;
using VirtShell.Images;
using VirtShell.Storage;

namespace VirtShell.Host;

/// <summary>
/// The inventory of VMs and the scheduler that runs them: a run queue served by one worker for each host core.
/// Definitions persist below <see cref="HomeFolder"/>, which several processes may share. Thread-safe.
/// </summary>
public sealed class VmHost : IDisposable
{
    /// <summary>The environment variable that names the home folder.</summary>
    public const string HomeVariable = "VIRTSHELL_HOME";

    private readonly object _gate = new();
    private readonly Dictionary<Guid, VirtualMachine> _machines = [];
    private readonly Dictionary<Guid, FileStamp> _stamps = [];
    private ImageResolver? _images;
    private bool _disposed;

    /// <param name="homeFolder">Where definitions persist; null for a host whose VMs are forgotten (suites).</param>
    /// <param name="workers">Worker threads; 0 for one each host core.</param>
    /// <exception cref="VmException">The home folder cannot be made.</exception>
    public VmHost(string? homeFolder, int workers = 0)
    {
        HomeFolder = homeFolder is null ? null : Path.GetFullPath(homeFolder);
        ImageCacheFolder = Path.Combine(HomeFolder ?? DefaultHomeFolder, "cache", "images");
        Store = HomeFolder is null ? null : new DefinitionStore(HomeFolder);
        Writer = Store is null ? null : new HomeWriter(Store);
        Scheduler = new Scheduler(workers);
    }

    /// <summary>VIRTSHELL_HOME, or a folder in the user's data folder; for a user without one, a folder of this user's alone in the temporary folder.</summary>
    /// <exception cref="VmException">The folder in the temporary folder is not this user's alone.</exception>
    public static string DefaultHomeFolder
    {
        get
        {
            if (Environment.GetEnvironmentVariable(HomeVariable) is { Length: > 0 } home)
            {
                return Path.GetFullPath(home);
            }

            string data = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
            return data.Length > 0 ? Path.Combine(data, "virtshell") : TemporaryHomeFolder(Path.GetTempPath());
        }
    }

    public string? HomeFolder { get; }

    /// <summary>Where resolved images are cached: below the home folder, or the default one for a host without.</summary>
    public string ImageCacheFolder { get; }

    /// <summary>Worker threads.</summary>
    public int Workers => Scheduler.Workers;

    /// <summary>All VMs by name, those defined by other processes included.</summary>
    public IReadOnlyList<VirtualMachine> VirtualMachines
    {
        get
        {
            lock (_gate)
            {
                Refresh();
                return [.. _machines.Values.OrderBy(vm => vm.Name, StringComparer.OrdinalIgnoreCase)];
            }
        }
    }

    internal DefinitionStore? Store { get; }

    /// <summary>What writes the traces of runs; null for a host that keeps none.</summary>
    internal HomeWriter? Writer { get; }

    internal Scheduler Scheduler { get; }

    /// <summary>Where tests have a part of a machine fail: called with each one as it is built.</summary>
    internal Action<VirtShell.Machine.Pc>? Built { get; set; }

    internal ImageResolver Images
    {
        get
        {
            lock (_gate)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                return _images ??= new ImageResolver(ImageCacheFolder);
            }
        }
    }

    /// <summary>Defines a VM.</summary>
    /// <exception cref="VmException">A VM of that name exists, or the definition is invalid.</exception>
    public VirtualMachine Create(VmDefinition definition)
    {
        DefinitionRules.Check(definition);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            using FileStream? inventory = Store?.LockInventory();
            Refresh();
            RequireFreeName(definition.Name, null);
            if (_machines.ContainsKey(definition.Id))
            {
                // A definition copied from another VM's with "with" carries its identity along.
                definition = definition with { Id = Guid.NewGuid() };
            }

            if (Store is not null)
            {
                _stamps[definition.Id] = Store.Write(definition);
            }

            VirtualMachine vm = new(this, definition, null);
            _machines.Add(definition.Id, vm);
            return vm;
        }
    }

    /// <summary>The VM of a name, compared without case; null where there is none.</summary>
    public VirtualMachine? Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        lock (_gate)
        {
            Refresh();

            // A damaged definition may still show the name of a good one.
            return _machines.Values.Where(vm => vm.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).MinBy(vm => vm.DefinitionError is null ? 0 : 1);
        }
    }

    /// <summary>Forgets a VM; it must be off. Its disk images stay.</summary>
    /// <exception cref="VmException">The VM is not off, or runs in another process.</exception>
    public void Remove(VirtualMachine vm)
    {
        ArgumentNullException.ThrowIfNull(vm);
        lock (_gate)
        {
            if (!_machines.TryGetValue(vm.Id, out VirtualMachine? known) || known != vm)
            {
                throw new VmException(VmErrorKind.NotFound, $"VM '{vm.Name}' has been removed already.");
            }

            vm.RequireOff("removed");
            vm.AwaitTraces();
            Store?.Delete(vm.Id, vm.Name);
            _machines.Remove(vm.Id);
            _stamps.Remove(vm.Id);
        }
    }

    /// <summary>Turns every running VM off, in the order in which they were started, ends the workers, and waits until what runs leave behind is written.</summary>
    public void Dispose()
    {
        VirtualMachine[] running;
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            running = [.. _machines.Values.Where(vm => vm.IsActive).OrderBy(vm => vm.StartedAt ?? DateTimeOffset.MaxValue)];
        }

        foreach (VirtualMachine vm in running)
        {
            vm.BeginTurnOff();
        }

        foreach (VirtualMachine vm in running)
        {
            try
            {
                vm.TurnOff();
            }
            catch (VmException)
            {
                // One that does not answer must not keep the others, or the session, from ending.
            }
        }

        Scheduler.Dispose();
        Writer?.Dispose();
    }

    /// <summary>Others could have made a folder of that name, so it is looked at closely.</summary>
    internal static string TemporaryHomeFolder(string temporaryFolder)
    {
        string path = Path.Combine(temporaryFolder, "virtshell-" + PrivateFile.UserTag);
        try
        {
            PrivateFile.CreateFolderInPublicPlace(path);
            return path;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VmException(VmErrorKind.StorageFailed, $"There is no home folder to use: {HostError.Reason(e)} Set {HomeVariable} to a folder of your own.", e);
        }
    }

    internal void Configure(VirtualMachine vm, VmDefinition definition)
    {
        DefinitionRules.Check(definition);
        lock (_gate)
        {
            vm.RequireChangeable(definition);
            using FileStream? inventory = Store?.LockInventory();
            Refresh();
            if (!_machines.ContainsKey(vm.Id))
            {
                throw new VmException(VmErrorKind.NotFound, $"VM '{vm.Name}' has been removed.");
            }

            RequireFreeName(definition.Name, vm);
            if (Store is not null)
            {
                _stamps[definition.Id] = Store.Write(definition);
            }

            vm.SetDefinition(definition, null);
        }
    }

    private void RequireFreeName(string name, VirtualMachine? except)
    {
        if (_machines.Values.Any(vm => vm != except && vm.Name.Equals(name, StringComparison.OrdinalIgnoreCase)))
        {
            throw new VmException(VmErrorKind.NameInUse, $"A VM named '{name}' exists already (names are compared without case). Choose another name, or remove that VM first.");
        }
    }

    /// <summary>Takes over what other processes have defined, changed and removed.</summary>
    private void Refresh()
    {
        if (Store is null)
        {
            return;
        }

        Dictionary<Guid, FileStamp> found = Store.Scan();
        foreach ((Guid id, FileStamp stamp) in found)
        {
            bool isKnown = _machines.TryGetValue(id, out VirtualMachine? vm);
            if (isKnown && (_stamps[id] == stamp || vm!.IsActive))
            {
                // A running VM keeps the definition that it was started with.
                continue;
            }

            if (Store.Read(id, stamp) is { } stored)
            {
                _stamps[id] = stamp;
                if (isKnown)
                {
                    vm!.SetDefinition(stored.Definition, stored.Error);
                }
                else
                {
                    _machines.Add(id, new VirtualMachine(this, stored.Definition, stored.Error));
                }
            }
        }

        foreach ((Guid id, VirtualMachine vm) in _machines.ToArray())
        {
            if (!found.ContainsKey(id) && !vm.IsActive)
            {
                _machines.Remove(id);
                _stamps.Remove(id);
            }
        }
    }
}
