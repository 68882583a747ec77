using System;
using System.IO;
using System.Linq;
using System.Management.Automation;
using VirtShell.Module.Tests.Hosting;
using Xunit;

namespace VirtShell.Module.Tests;

/// <summary>New-VM, Get-VM, Set-VM and Remove-VM: what a definition is and how VMs are chosen.</summary>
[Collection(ModuleCollection.Name)]
public sealed class DefinitionTests : IDisposable
{
    private readonly ModuleHost _host = new();

    public void Dispose() => _host.Dispose();

    [Fact]
    public void New_VM_gives_out_the_VM_with_Hyper_V_property_names()
    {
        PSObject vm = _host.Ok("New-VM -Name first -MemoryStartupBytes 64MB -Guest hello -Notes 'my note'").Output.Single();
        Assert.Equal("VirtShell.PowerShell.VirtualMachine", vm.TypeNames[0]);
        Assert.Equal("first", vm.Properties["Name"].Value);
        Assert.Equal("first", vm.Properties["VMName"].Value);
        Assert.Equal("Off", vm.Properties["State"].Value.ToString());
        Assert.Equal(64L << 20, vm.Properties["MemoryStartup"].Value);
        Assert.Equal(0L, vm.Properties["MemoryAssigned"].Value);
        Assert.Equal(0, vm.Properties["CPUUsage"].Value);
        Assert.Equal(TimeSpan.Zero, vm.Properties["Uptime"].Value);
        Assert.Equal("hello", vm.Properties["Guest"].Value);
        Assert.Equal("my note", vm.Properties["Notes"].Value);
        Assert.Equal(vm.Properties["Id"].Value, vm.Properties["VMId"].Value);
        Assert.Equal(false, vm.Properties["IsDeleted"].Value);
        Assert.Equal("first", vm.ToString());
    }

    [Fact]
    public void Get_VM_finds_by_name_wildcard_array_id_and_pipeline()
    {
        _host.Ok("'alpha', 'beta', 'alphabet' | ForEach-Object { New-VM $_ -Guest hello } | Out-Null");
        Assert.Equal(["alpha", "alphabet", "beta"], _host.Ok("Get-VM").Texts);
        Assert.Equal(["alpha"], _host.Ok("Get-VM ALPHA").Texts);
        Assert.Equal(["alpha", "alphabet"], _host.Ok("Get-VM alpha*").Texts);
        Assert.Equal(["beta", "alpha"], _host.Ok("Get-VM beta, alpha").Texts);
        Assert.Equal(["beta"], _host.Ok("Get-VM [b]*").Texts);
        Assert.Equal(["beta", "alpha"], _host.Ok("'beta', 'alpha' | Get-VM").Texts);
        Assert.Equal(["beta"], _host.Ok("[pscustomobject]@{ Name = 'beta' } | Get-VM").Texts);
        Assert.Equal(["beta"], _host.Ok("[pscustomobject]@{ VMName = 'beta' } | Get-VM").Texts);
        Assert.Equal(["beta"], _host.Ok("Get-VM -Id (Get-VM beta).Id").Texts);
    }

    [Fact]
    public void A_name_that_is_not_there_is_an_error_and_the_others_go_on()
    {
        _host.Ok("New-VM alpha -Guest hello | Out-Null");
        Outcome outcome = _host.Run("Get-VM nobody, alpha");
        Assert.Equal(["alpha"], outcome.Texts);
        Assert.Equal("VirtShell.VMNotFound,VirtShell.PowerShell.Commands.GetVMCommand", outcome.Error.FullyQualifiedErrorId);
        Assert.Equal(ErrorCategory.ObjectNotFound, outcome.Error.CategoryInfo.Category);
        Assert.Equal("nobody", outcome.Error.TargetObject);
        Assert.Contains("'nobody'", outcome.Error.ToString(), StringComparison.Ordinal);
        Assert.NotEmpty(outcome.Error.ErrorDetails.RecommendedAction);
    }

    [Theory]
    [InlineData("Get-VM nobody*")]
    [InlineData("Start-VM nobody*")]
    [InlineData("Remove-VM nobody* -Force")]
    [InlineData("Wait-VM nobody*")]
    public void A_wildcard_that_matches_nothing_is_no_error(string script)
    {
        Outcome outcome = _host.Ok(script + " -Verbose");
        Assert.Empty(outcome.Output);
        Assert.Contains(outcome.Verbose, v => v.Contains("nobody*", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Get-VM")]
    [InlineData("Set-VM")]
    [InlineData("Start-VM")]
    [InlineData("Stop-VM")]
    [InlineData("Restart-VM")]
    [InlineData("Remove-VM")]
    [InlineData("Suspend-VM")]
    [InlineData("Resume-VM")]
    [InlineData("Wait-VM")]
    [InlineData("Get-VMSerial")]
    [InlineData("Get-VMCrashReport")]
    [InlineData("Measure-VM")]
    [InlineData("Measure-VM -Engine")]
    [InlineData("Send-VMSerial -Text x -Name")]
    [InlineData("Get-VMDvdDrive")]
    [InlineData("Add-VMDvdDrive")]
    [InlineData("Set-VMDvdDrive")]
    [InlineData("Remove-VMDvdDrive")]
    [InlineData("Get-VMFloppyDiskDrive")]
    [InlineData("Add-VMFloppyDiskDrive")]
    [InlineData("Set-VMFloppyDiskDrive")]
    [InlineData("Remove-VMFloppyDiskDrive")]
    [InlineData("Get-VMHardDiskDrive")]
    [InlineData("Add-VMHardDiskDrive -Path x -Name")]
    [InlineData("Set-VMHardDiskDrive -Path x -Name")]
    [InlineData("Remove-VMHardDiskDrive")]
    public void Every_cmdlet_reports_a_missing_VM_alike(string command)
    {
        Outcome outcome = _host.Run(command + " nobody");
        Assert.Equal("VirtShell.VMNotFound", outcome.ErrorId);
        Assert.Equal("nobody", outcome.Error.TargetObject);
    }

    [Fact]
    public void A_taken_name_is_an_error_with_the_name_as_target()
    {
        _host.Ok("New-VM alpha -Guest hello | Out-Null");
        Outcome outcome = _host.Run("New-VM ALPHA -Guest hello");
        Assert.Equal("VirtShell.VMNameInUse", outcome.ErrorId);
        Assert.Equal(ErrorCategory.ResourceExists, outcome.Error.CategoryInfo.Category);
        Assert.Equal("ALPHA", outcome.Error.TargetObject);
    }

    [Theory]
    [InlineData("New-VM 'a*b' -Guest hello", "VirtShell.InvalidVMDefinition")]
    [InlineData("New-VM a -Guest hello -MemoryStartupBytes 1000", "VirtShell.InvalidVMDefinition")]
    [InlineData("New-VM a -Kernel ./no-such-kernel", "VirtShell.ImageNotFound")]
    [InlineData("New-VM a -Guest hello -Disk ./no-such-disk", "VirtShell.ImageNotFound")]
    [InlineData("New-VM a -Guest hello -Disk @{ Access = 'ReadOnly' }", "ParameterArgumentTransformationError")]
    [InlineData("New-VM a -Guest hello -CpuModel 8086", "ParameterArgumentTransformationError")]
    [InlineData("New-VM a -Guest hello -RtcStart yesterday", "ParameterArgumentTransformationError")]
    [InlineData("New-VM a -Guest hello -RtcStart 1969-12-31", "ParameterArgumentTransformationError")]
    [InlineData("New-VM a -Guest hello -RtcStart ([datetime]::MinValue)", "ParameterArgumentTransformationError")]
    [InlineData("New-VM a -Guest hello -Part pic=off", "VirtShell.InvalidVMDefinition")]
    [InlineData("New-VM a -Guest hello -Part floppy=off", "VirtShell.InvalidVMDefinition")]
    [InlineData("New-VM a -Guest hello -Engine Compiler", "CannotConvertArgumentNoMessage")]
    [InlineData("New-VM a -Kernel x -Initramfs @{ Fils = 1 }", "ParameterArgumentTransformationError")]
    [InlineData("New-VM a -Guest hello -Kernel x", "AmbiguousParameterSet")]
    public void A_wrong_definition_is_a_clear_error(string script, string id)
    {
        Outcome outcome = _host.Run(script);
        Assert.Equal(id, outcome.ErrorId);
        Assert.DoesNotContain("   at ", outcome.Error.ToString(), StringComparison.Ordinal);
        Assert.Empty(_host.Ok("Get-VM").Output);
    }

    [Fact]
    public void Paths_are_relative_to_the_session_s_location()
    {
        File.WriteAllText(Path.Combine(_host.Home, "my kernel"), "x");
        _host.SetLocation(_host.Home);
        Assert.Equal(Path.Combine(_host.Home, "my kernel"), _host.Ok("(New-VM a -Kernel './my kernel').Kernel").Texts.Single());
        Assert.Equal("apt:linux-image-amd64#boot/vmlinuz-*", _host.Ok("(New-VM b -Kernel 'apt:linux-image-amd64#boot/vmlinuz-*').Kernel").Texts.Single());
    }

    [Fact]
    public void Disks_are_paths_or_tables()
    {
        File.WriteAllBytes(Path.Combine(_host.Home, "a.img"), new byte[4096]);
        string disk = Path.Combine(_host.Home, "a.img");
        Outcome outcome = _host.Ok("(New-VM a -Guest hello -Disk $args[0], @{ Source = $args[0]; Access = 'ReadOnly' }, @{ Source = $args[0]; OverlayLimit = 8GB }).Disks | ForEach-Object { \"$($_.Access) $($_.Source) $($_.OverlayLimit / 1GB)\" }", disk);
        Assert.Equal([$"Overlay {disk} 16", $"ReadOnly {disk} 16", $"Overlay {disk} 8"], outcome.Texts);
    }

    [Theory]
    [InlineData("", "utc")]
    [InlineData("-RtcStart Utc", "utc")]
    [InlineData("-RtcStart localtime", "localtime")]
    [InlineData("-RtcStart 2026-03-04", "2026-03-04T00:00:00")]
    [InlineData("-RtcStart 2026-03-04T05:06:07+01:00", "2026-03-04T04:06:07")]
    [InlineData("-RtcStart ([datetime]::new(2026, 3, 4, 5, 6, 7, [DateTimeKind]'Utc'))", "2026-03-04T05:06:07")]
    [InlineData("-RtcStart ([datetimeoffset]'2026-03-04T05:06:07-02:00')", "2026-03-04T07:06:07")]
    public void The_start_of_the_clock_is_a_word_or_a_date(string given, string expected)
    {
        Assert.Equal(expected, _host.Ok($"(New-VM a -Guest hello {given}).RtcStart").Texts.Single());
        Assert.Equal("localtime", _host.Ok("(Set-VM a -RtcStart LocalTime -Passthru).RtcStart").Texts.Single());
        Assert.Equal("localtime", _host.Ok("(Set-VM a -Notes n -Passthru).RtcStart").Texts.Single());
    }

    [Fact]
    public void Parts_are_a_list_of_settings()
    {
        Assert.Equal("virtio-rng=off com1.pace=on", _host.Ok("\"$((New-VM a -Guest hello -Part virtio-rng=off, com1.pace=on).Parts)\"").Texts.Single());
        Assert.Equal("virtio-rng=off com1.pace=on", _host.Ok("\"$((Set-VM a -Notes n -Passthru).Parts)\"").Texts.Single());
        Assert.Equal("0", _host.Ok("\"$((Set-VM a -Part @() -Passthru).Parts.Count)\"").Texts.Single());
    }

    [Fact]
    public void Set_VM_changes_what_is_given_and_nothing_else()
    {
        _host.Ok("New-VM a 64MB -Guest hello -Notes n -CpuModel x86-64-v2 | Out-Null");
        PSObject vm = _host.Ok("Set-VM a -MemoryStartupBytes 128MB -Clock Virtual -Passthru").Output.Single();
        Assert.Equal(128L << 20, vm.Properties["MemoryStartup"].Value);
        Assert.Equal("Virtual", vm.Properties["Clock"].Value.ToString());
        Assert.Equal("X86_64_V2", vm.Properties["CpuModel"].Value.ToString());
        Assert.Equal("n", vm.Properties["Notes"].Value);
        Assert.Empty(_host.Ok("Set-VM a -Notes ''").Output);
        Assert.Equal(string.Empty, _host.Ok("(Get-VM a).Notes").Texts.Single());
        _host.Ok("Set-VM a -NewVMName b");
        Assert.Equal(["b"], _host.Ok("Get-VM").Texts);
    }

    [Fact]
    public void WhatIf_changes_nothing()
    {
        Assert.Empty(_host.Ok("New-VM a -Guest hello -WhatIf").Output);
        Assert.Empty(_host.Ok("Get-VM").Output);
        Assert.Contains("What if: New-VM will create the virtual machine \"a\".", _host.Console.Text, StringComparison.Ordinal);
        _host.Ok("New-VM a 64MB -Guest hello | Out-Null");
        foreach (string script in new[] { "Set-VM a -MemoryStartupBytes 1GB -WhatIf", "Start-VM a -WhatIf -Passthru", "Remove-VM a -WhatIf", "Remove-VM a -Force -WhatIf" })
        {
            Assert.Empty(_host.Ok(script).Output);
        }

        Assert.Equal("a Off 67108864", _host.Ok("Get-VM | ForEach-Object { \"$_ $($_.State) $($_.MemoryStartup)\" }").Texts.Single());
        Assert.Empty(_host.Console.Questions);
    }

    [Fact]
    public void Remove_VM_asks_unless_told_not_to()
    {
        _host.Ok("'a', 'b', 'c', 'd' | ForEach-Object { New-VM $_ -Guest hello } | Out-Null");
        _host.Ok("Remove-VM a");
        Assert.Single(_host.Console.Questions);
        Assert.Contains("remove the virtual machine \"a\"", _host.Console.Questions[0], StringComparison.Ordinal);
        Assert.Equal(["a", "b", "c", "d"], _host.Ok("Get-VM").Texts);

        _host.Console.Answer = "Yes";
        _host.Ok("Remove-VM a");
        Assert.Equal(["b", "c", "d"], _host.Ok("Get-VM").Texts);

        _host.Console.Questions.Clear();
        _host.Ok("Remove-VM b -Force; Get-VM c | Remove-VM -Confirm:$false; & { $ConfirmPreference = 'None'; Remove-VM d }");
        Assert.Empty(_host.Console.Questions);
        Assert.Empty(_host.Ok("Get-VM").Output);
    }

    [Fact]
    public void An_object_of_a_removed_VM_says_that_it_is_stale()
    {
        Outcome outcome = _host.Run("$vm = New-VM a -Guest hello; Remove-VM $vm -Force; $vm.IsDeleted; Start-VM $vm");
        Assert.Equal("True", outcome.Texts.Single());
        Assert.Equal("VirtShell.VMNotFound", outcome.ErrorId);
    }

    [Fact]
    public void Definitions_are_there_in_every_runspace_and_in_the_next_session()
    {
        _host.Ok("New-VM kept -Guest hello -Notes 'still here' | Out-Null");
        using (ModuleHost other = new(_host.Home))
        {
            Assert.Equal("still here", other.Ok("(Get-VM kept).Notes").Texts.Single());
        }

        // With the module removed everywhere the process lets go of the inventory: what comes back comes from disk.
        _host.Ok("Remove-Module VirtShell");
        _host.Import();
        Assert.Equal("still here", _host.Ok("(Get-VM kept).Notes").Texts.Single());
    }

    [Fact]
    public void Another_home_folder_has_other_VMs()
    {
        _host.Ok("New-VM kept -Guest hello | Out-Null");
        using (ModuleHost elsewhere = new())
        {
            Assert.Empty(elsewhere.Ok("Get-VM").Output);
        }

        Environment.SetEnvironmentVariable("VIRTSHELL_HOME", _host.Home);
        Assert.Equal(["kept"], _host.Ok("Get-VM").Texts);
    }

    [Fact]
    public void Verbs_and_parameters_raise_no_naming_warnings()
    {
        using ModuleHost host = new(import: false);
        Outcome outcome = host.Run("Import-Module $args[0] -Verbose", ModuleHost.Manifest);
        Assert.Empty(outcome.Warnings);
        Assert.Empty(outcome.Errors);
    }
}
