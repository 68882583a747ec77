using System;
using System.IO;
using VirtShell.Module.Tests.Hosting;
using Xunit;

namespace VirtShell.Module.Tests;

/// <summary>Hard disks, CD drives and floppy drives: New-VM's parameters, and the drive cmdlets of Hyper-V's names.</summary>
[Collection(ModuleCollection.Name)]
public sealed class DriveTests : IDisposable
{
    private readonly ModuleHost _host = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("virtshell-drives-").FullName;

    public DriveTests()
    {
        foreach ((string name, int length) in new[] { ("one.iso", 64 << 10), ("two.iso", 128 << 10), ("a.img", 1440 << 10), ("root.img", 1 << 20), ("large.img", 4 << 20) })
        {
            File.WriteAllBytes(Path.Combine(_folder, name), new byte[length]);
        }

        _host.SetLocation(_folder);
    }

    public void Dispose()
    {
        _host.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void New_VM_takes_drives_as_paths_and_as_tables()
    {
        _host.Ok("New-VM pc -Guest echo -HardDisk root.img -Cd one.iso, '' -Floppy @{ Source = 'a.img'; Access = 'ReadWrite' }");
        Assert.Equal(["IDE 0 0 root.img"], Show("Get-VMHardDiskDrive pc"));
        Assert.Equal(["IDE 1 0 one.iso", "IDE 1 1 "], Show("Get-VMDvdDrive pc"));
        Assert.Equal(["Floppy 0 0 a.img"], Show("Get-VMFloppyDiskDrive pc"));
        Assert.Equal("ReadWrite", _host.Ok("(Get-VMFloppyDiskDrive pc).Access").Texts[0]);
    }

    [Fact]
    public void Drives_are_added_changed_and_removed_by_their_place()
    {
        _host.Ok("New-VM pc -Guest echo");
        Assert.Empty(_host.Ok("Get-VMDvdDrive pc").Output);
        Assert.Equal(["IDE 0 1 one.iso"], Show("Add-VMDvdDrive -VMName pc -ControllerNumber 0 -ControllerLocation 1 -Path one.iso -Passthru"));
        _host.Ok("Add-VMDvdDrive pc");
        Assert.Equal(["IDE 0 1 one.iso", "IDE 1 0 "], Show("Get-VM pc | Get-VMDvdDrive"));
        Assert.Equal("VirtShell.DriveAmbiguous", _host.Run("Set-VMDvdDrive pc -Path two.iso").ErrorId);
        Assert.Equal("VirtShell.DriveNotFound", _host.Run("Remove-VMDvdDrive pc -ControllerNumber 1 -ControllerLocation 1").ErrorId);
        Assert.Equal("VirtShell.InvalidVMDefinition", _host.Run("Add-VMDvdDrive pc -ControllerNumber 0 -ControllerLocation 1").ErrorId);
        _host.Ok("Set-VMDvdDrive pc -ControllerNumber 1 -ControllerLocation 0 -Path two.iso; Get-VMDvdDrive pc -ControllerNumber 0 | Remove-VMDvdDrive");
        Assert.Equal(["IDE 1 0 two.iso"], Show("Get-VMDvdDrive pc"));
        _host.Ok("Add-VMHardDiskDrive pc root.img; Add-VMHardDiskDrive pc root.img -ControllerType IDE -Access ReadOnly");
        Assert.Equal(["SCSI 0 0 root.img", "IDE 0 0 root.img"], Show("Get-VMHardDiskDrive pc"));
        Assert.Equal(["IDE 0 0 root.img"], Show("Remove-VMHardDiskDrive pc -ControllerType IDE -Passthru"));
        Assert.Equal("VirtShell.ImageNotFound", _host.Run("Add-VMHardDiskDrive pc nothing.img").ErrorId);
        _host.Ok("Add-VMFloppyDiskDrive pc; Set-VMFloppyDiskDrive pc a.img; Remove-VMFloppyDiskDrive pc");
        Assert.Empty(_host.Ok("Get-VMFloppyDiskDrive pc").Output);
    }

    [Fact]
    public void Media_change_while_the_VM_runs_and_drives_do_not()
    {
        _host.Ok("New-VM pc 16MB -Guest echo -Cd one.iso -Floppy '' | Start-VM -Passthru | Wait-VM -Text '> ' -Timeout 60");
        Assert.Equal(["IDE 1 0 two.iso"], Show("Set-VMDvdDrive pc two.iso -Passthru"));
        Assert.Equal(["IDE 1 0 "], Show("Set-VMDvdDrive pc $null -Passthru"));
        Assert.Equal(["Floppy 0 0 a.img"], Show("Set-VMFloppyDiskDrive pc a.img -Passthru"));
        Assert.Equal("VirtShell.InvalidVMDefinition", _host.Run("Set-VMFloppyDiskDrive pc large.img").ErrorId);
        Assert.Equal("VirtShell.InvalidVMState", _host.Run("Add-VMDvdDrive pc").ErrorId);
        Assert.Equal("VirtShell.InvalidVMState", _host.Run("Remove-VMFloppyDiskDrive pc").ErrorId);
        _host.Ok("Stop-VM pc -TurnOff");
    }

    private string[] Show(string command) =>
        [.. _host.Ok(command + " | ForEach-Object { \"$($_.ControllerType) $($_.ControllerNumber) $($_.ControllerLocation) $(if ($_.Path) { [IO.Path]::GetFileName($_.Path) })\" }").Texts];
}
