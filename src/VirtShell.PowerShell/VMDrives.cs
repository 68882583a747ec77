using System.Collections.Generic;
using System.Linq;
using VirtShell.Host;

namespace VirtShell.PowerShell;

/// <summary>What a drive is connected to, in Hyper-V's words.</summary>
public enum ControllerType
{
    /// <summary>The IDE controller, with two places on each of two channels.</summary>
    IDE,

    /// <summary>Virtio-blk, where a Hyper-V VM has its SCSI controller: many disks, in order.</summary>
    SCSI,

    /// <summary>The floppy controller.</summary>
    Floppy,
}

/// <summary>A drive of a VM as the drive cmdlets give it; it stands for its VM wherever a name is wanted.</summary>
public abstract class VMDrive
{
    private protected VMDrive(VirtualMachine vm, ControllerType type, int number, int location, string? path)
    {
        VMName = vm.Name;
        VMId = vm.Id;
        ControllerType = type;
        ControllerNumber = number;
        ControllerLocation = location;
        Path = path;
    }

    public string VMName { get; }

    public System.Guid VMId { get; }

    public ControllerType ControllerType { get; }

    /// <summary>IDE: 0 is the primary channel, 1 the secondary. 0 for others.</summary>
    public int ControllerNumber { get; }

    /// <summary>IDE: 0 is the master, 1 the slave. Others: the place in order, from 0.</summary>
    public int ControllerLocation { get; }

    /// <summary>The image; empty for an empty drive.</summary>
    public string? Path { get; }

    public string ComputerName => System.Environment.MachineName;

    public override string ToString() => VMName;
}

/// <summary>A CD drive: Get-VMDvdDrive.</summary>
public sealed class VMDvdDrive : VMDrive
{
    internal VMDvdDrive(VirtualMachine vm, int place, VmCdDrive drive)
        : base(vm, ControllerType.IDE, place / 2, place % 2, drive.Source)
    {
    }

    /// <summary>ISO, or None.</summary>
    public string DvdMediaType => Path is null ? "None" : "ISO";

    internal static IEnumerable<VMDvdDrive> Of(VirtualMachine vm)
    {
        VmDefinition definition = vm.Vm.Definition;
        DrivePlaces places = DrivePlaces.Of(definition);
        return definition.Cds.Select((drive, i) => new VMDvdDrive(vm, places.Cds[i], drive));
    }
}

/// <summary>A floppy drive: Get-VMFloppyDiskDrive.</summary>
public sealed class VMFloppyDiskDrive : VMDrive
{
    internal VMFloppyDiskDrive(VirtualMachine vm, int index, VmFloppyDrive drive)
        : base(vm, ControllerType.Floppy, 0, index, drive.Source)
    {
        Access = drive.Access;
    }

    public DiskAccess Access { get; }

    internal static IEnumerable<VMFloppyDiskDrive> Of(VirtualMachine vm) => vm.Vm.Definition.Floppies.Select((drive, i) => new VMFloppyDiskDrive(vm, i, drive));
}

/// <summary>A hard disk: Get-VMHardDiskDrive.</summary>
public sealed class VMHardDiskDrive : VMDrive
{
    internal VMHardDiskDrive(VirtualMachine vm, ControllerType type, int number, int location, VmDisk disk)
        : base(vm, type, number, location, disk.Source)
    {
        Access = disk.Access;
    }

    public DiskAccess Access { get; }

    internal static IEnumerable<VMHardDiskDrive> Of(VirtualMachine vm)
    {
        VmDefinition definition = vm.Vm.Definition;
        DrivePlaces places = DrivePlaces.Of(definition);
        int onVirtio = 0;
        for (int i = 0; i < definition.Disks.Count; i++)
        {
            int place = places.Disks[i];
            yield return place == DrivePlaces.None
                ? new VMHardDiskDrive(vm, ControllerType.SCSI, 0, onVirtio++, definition.Disks[i])
                : new VMHardDiskDrive(vm, ControllerType.IDE, place / 2, place % 2, definition.Disks[i]);
        }
    }
}
