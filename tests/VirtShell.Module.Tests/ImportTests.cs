using System;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.Loader;
using VirtShell.Module.Tests.Hosting;
using Xunit;

namespace VirtShell.Module.Tests;

[Collection(ModuleCollection.Name)]
public sealed class ImportTests
{
    private static readonly string[] s_cmdlets =
    [
        "Add-VMDvdDrive", "Add-VMFloppyDiskDrive", "Add-VMHardDiskDrive", "Get-VM", "Get-VMCrashReport", "Get-VMDvdDrive",
        "Get-VMFloppyDiskDrive", "Get-VMHardDiskDrive", "Get-VMScreen", "Get-VMSerial", "Invoke-VMTest", "Measure-VM", "New-VM", "Remove-VM",
        "Remove-VMDvdDrive", "Remove-VMFloppyDiskDrive", "Remove-VMHardDiskDrive", "Restart-VM", "Resume-VM", "Send-VMKey", "Send-VMMouse", "Send-VMSerial",
        "Set-VM", "Set-VMDvdDrive", "Set-VMFloppyDiskDrive", "Set-VMHardDiskDrive", "Start-VM", "Stop-VM", "Suspend-VM",
        "Wait-VM",
    ];

    [Fact]
    public void Exports_exactly_the_cmdlets_of_the_manifest()
    {
        using ModuleHost host = new();
        Assert.Equal(s_cmdlets, host.Ok("(Get-Command -Module VirtShell).Name").Texts.Order());
        Assert.Equal(["VirtShell"], host.Ok("Get-Command -Module VirtShell | ForEach-Object ModuleName").Texts.Distinct());
        Assert.Equal("VirtShell", host.Ok("(Get-Command VirtShell\\Get-VM).ModuleName").Texts.Single());
    }

    [Fact]
    public void The_manifest_is_valid()
    {
        using ModuleHost host = new();
        Assert.Equal("0.1.0", host.Ok("(Test-ModuleManifest $args[0]).Version.ToString()", ModuleHost.Manifest).Texts.Single());
    }

    [Fact]
    public void Only_the_cmdlet_assembly_is_in_the_default_load_context()
    {
        using ModuleHost host = new();
        host.Ok("Get-VM");
        string[] ours = ["VirtShell.", "Iced", "YamlDotNet", "SharpCompress", "ZstdSharp"];
        string[] visible = [.. AssemblyLoadContext.Default.Assemblies.Select(a => a.GetName().Name!)
            .Where(n => ours.Any(o => n.StartsWith(o, StringComparison.Ordinal)) && !n.EndsWith(".Tests", StringComparison.Ordinal))];
        Assert.Equal(["VirtShell.PowerShell"], visible);
        AssemblyLoadContext own = AssemblyLoadContext.All.Single(c => c.Name == "VirtShell");
        Assert.Contains(own.Assemblies, a => a.GetName().Name == "VirtShell.Host");
    }

    [Fact]
    public void Another_version_of_a_library_in_the_session_does_not_matter()
    {
        string folder = Directory.CreateTempSubdirectory("virtshell-alc-").FullName;
        try
        {
            // As another module would bring it: an old YamlDotNet without anything that the harness needs.
            string path = Path.Combine(folder, "YamlDotNet.dll");
            PersistedAssemblyBuilder old = new(new AssemblyName("YamlDotNet, Version=1.0.0.0"), typeof(object).Assembly);
            old.DefineDynamicModule("YamlDotNet").DefineType("Nothing", TypeAttributes.Public).CreateType();
            old.Save(path);
            Assembly loaded = AssemblyLoadContext.Default.LoadFromAssemblyPath(path);
            Assert.Equal(new Version(1, 0, 0, 0), loaded.GetName().Version);

            using ModuleHost host = new();
            string suite = Path.Combine(folder, "broken.yaml");
            File.WriteAllText(suite, "name: [unclosed\n");
            Outcome outcome = host.Run("Invoke-VMTest $args[0]", suite);
            Assert.Equal("VirtShell.SuiteInvalid", outcome.Errors[0].FullyQualifiedErrorId.Split(',')[0]);
        }
        finally
        {
            // The old library stays mapped until the process ends, so only what can be deleted is.
            File.Delete(Path.Combine(folder, "broken.yaml"));
        }
    }

    [Fact]
    public void Types_of_the_module_are_visible_to_scripts()
    {
        using ModuleHost host = new();
        Assert.Equal("VirtualMachine", host.Ok("[VirtShell.PowerShell.VirtualMachine].Name").Texts.Single());
    }

    [Fact]
    public void Before_the_first_build_the_error_says_what_to_run()
    {
        string folder = Directory.CreateTempSubdirectory("virtshell-notbuilt-").FullName;
        try
        {
            File.Copy(ModuleHost.Manifest, Path.Combine(folder, "VirtShell.psd1"));
            Directory.CreateDirectory(Path.Combine(folder, "module"));
            foreach (string file in Directory.GetFiles(Path.Combine(ModuleHost.Root, "module")))
            {
                File.Copy(file, Path.Combine(folder, "module", Path.GetFileName(file)));
            }

            using ModuleHost host = new(import: false);
            Outcome outcome = host.Run("Import-Module $args[0]", Path.Combine(folder, "VirtShell.psd1"));
            Assert.Equal("VirtShell.NotBuilt", outcome.ErrorId);
            Assert.Contains("dotnet build -c Release '" + Path.Combine(folder, "src", "VirtShell.PowerShell") + "'", outcome.Error.ToString(), StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Importing_beside_another_Get_VM_says_so()
    {
        using ModuleHost host = new(import: false);
        host.Ok("New-Module -Name Other { function Get-VM { 'other' } } | Import-Module");
        host.Import();
        Assert.Contains(host.Console.Warnings, w => w.Contains("'Other' has a Get-VM of its own", StringComparison.Ordinal));
        Assert.Equal("other", host.Ok("Other\\Get-VM").Texts.Single());
        Assert.Empty(host.Ok("VirtShell\\Get-VM").Output);
    }

    [Fact]
    public void Importing_again_and_with_a_prefix_works()
    {
        using ModuleHost host = new();
        host.Ok("Import-Module $args[0] -Force", ModuleHost.Manifest);
        Assert.Empty(host.Ok("Get-VM").Output);
        host.Ok("Remove-Module VirtShell");
        Assert.Empty(host.Run("Get-Command Get-VM -ErrorAction Ignore").Output);
        host.Ok("Import-Module $args[0] -Prefix Virt", ModuleHost.Manifest);
        Assert.Empty(host.Ok("Get-VirtVM").Output);
    }
}
