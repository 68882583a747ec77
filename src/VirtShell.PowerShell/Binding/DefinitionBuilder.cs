using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using VirtShell.Host;
using VirtShell.Images;
using VirtShell.Settings;

namespace VirtShell.PowerShell.Binding;

/// <summary>
/// Turns the parameters that New-VM and Set-VM share into a definition. Only what the user gave changes anything.
/// Paths become absolute against the session's location, which is not the process' current folder.
/// </summary>
internal sealed class DefinitionBuilder(PSCmdlet cmdlet)
{
    /// <summary>What names files, or takes something else away.</summary>
    private static readonly Setting<VmDefinition>[] s_own =
        [VmSettings.Name, VmSettings.Guest, VmSettings.Kernel, VmSettings.KernelSha256, VmSettings.Firmware, VmSettings.Initrd, VmSettings.Initramfs, VmSettings.Modules, VmSettings.Disks, VmSettings.Cds, VmSettings.Floppies];

    private readonly Dictionary<string, object> _bound = cmdlet.MyInvocation.BoundParameters;

    /// <summary><paramref name="definition"/> with what was given.</summary>
    internal VmDefinition Apply(VmDefinition definition)
    {
        if (Given("Guest", out string? guest))
        {
            definition = definition with { Guest = guest, Firmware = null, Kernel = null, KernelSha256 = null, Initrd = null, Initramfs = null, Modules = [] };
        }

        if (Given("Kernel", out string? kernel))
        {
            definition = definition with { Kernel = Source(kernel), KernelSha256 = null, Firmware = null, Guest = null };
        }

        if (Given("FirmwarePath", out string? firmware))
        {
            definition = definition with { Firmware = Source(firmware), Guest = null, Kernel = null, KernelSha256 = null, Initrd = null, Initramfs = null, Modules = [] };
        }

        if (Given("KernelSha256", out string? hash))
        {
            definition = definition with { KernelSha256 = hash };
        }

        if (Given("Initrd", out string? initrd))
        {
            definition = definition with { Initrd = string.IsNullOrEmpty(initrd) ? null : Source(initrd), Initramfs = null };
        }

        if (Given("Initramfs", out InitramfsDefinition? initramfs))
        {
            definition = definition with { Initramfs = Resolve(initramfs), Initrd = null };
        }

        if (Given("Module", out string[]? modules))
        {
            definition = definition with { Modules = [.. modules.Select(Module)] };
        }

        if (Given("Disk", out VmDisk[]? disks))
        {
            definition = definition with { Disks = [.. disks.Select(d => d with { Source = Source(d.Source) })] };
        }

        if (Given("HardDisk", out VmDisk[]? hardDisks))
        {
            IEnumerable<VmDisk> others = definition.Disks.Where(d => d.Interface != DiskInterface.Ide);
            definition = definition with { Disks = [.. others, .. hardDisks.Select(d => d with { Source = Source(d.Source), Interface = DiskInterface.Ide })] };
        }

        if (Given("Cd", out VmCdDrive[]? cds))
        {
            definition = definition with { Cds = [.. cds.Select(d => d with { Source = d.Source is null ? null : Source(d.Source) })] };
        }

        if (Given("Floppy", out VmFloppyDrive[]? floppies))
        {
            definition = definition with { Floppies = [.. floppies.Select(d => d with { Source = d.Source is null ? null : Source(d.Source) })] };
        }

        foreach (Setting<VmDefinition> setting in VmSettings.Of(FrontEnd.Cmdlets).Where(s => !s_own.Contains(s) && _bound.ContainsKey(s.Parameter)))
        {
            object value = _bound[setting.Parameter];
            definition = setting.WithValue(definition, value is PSObject wrapped ? wrapped.BaseObject : value);
        }

        return definition;
    }

    private bool Given<T>(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out T? value)
        where T : class
    {
        value = _bound.TryGetValue(name, out object? bound) ? (bound is PSObject wrapped ? wrapped.BaseObject : bound) as T : null;
        return value is not null;
    }

    private InitramfsDefinition Resolve(InitramfsDefinition d) => d with
    {
        Folder = d.Folder is null ? null : Source(d.Folder),
        Files = d.Files.ToDictionary(f => f.Key, f => Source(f.Value), StringComparer.Ordinal),
        Busybox = d.Busybox is null ? null : Source(d.Busybox),
        ModulesFrom = d.ModulesFrom is null ? null : Source(d.ModulesFrom),
    };

    private string Module(string module)
    {
        int space = module.IndexOf(' ', StringComparison.Ordinal);
        return space < 0 ? Source(module) : Source(module[..space]) + module[space..];
    }

    /// <summary>A source as the host understands it from any folder; a local file must exist.</summary>
    internal string Source(string source)
    {
        if (source.StartsWith("apt:", StringComparison.OrdinalIgnoreCase) || source.StartsWith("https:", StringComparison.OrdinalIgnoreCase)
            || source.StartsWith("http:", StringComparison.OrdinalIgnoreCase))
        {
            return source;
        }

        string path = cmdlet.SessionState.Path.GetUnresolvedProviderPathFromPSPath(source, out ProviderInfo provider, out _);
        if (provider.Name != "FileSystem" || (!File.Exists(path) && !Directory.Exists(path)))
        {
            cmdlet.ThrowTerminatingError(VmErrors.ImageNotFound(source, path));
        }

        return path;
    }
}
