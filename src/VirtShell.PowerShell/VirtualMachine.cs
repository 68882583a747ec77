using System;
using System.Collections.Generic;
using VirtShell.Cpu;
using VirtShell.Host;
using VirtShell.Images;
using VirtShell.Machine;
using VirtShell.PowerShell.Session;
using HostVm = VirtShell.Host.VirtualMachine;

namespace VirtShell.PowerShell;

/// <summary>
/// A VM as cmdlets give it out. Its properties are live: they show the VM as it is when they are read. Property names
/// are those of Hyper-V's VM object where it has them.
/// </summary>
public sealed class VirtualMachine : IEquatable<VirtualMachine>
{
    private readonly VmHost _host;

    internal VirtualMachine(VmHost host, HostVm vm)
    {
        _host = host;
        Vm = vm;
    }

    public string Name => Vm.Name;

    public string VMName => Vm.Name;

    public Guid Id => Vm.Id;

    public Guid VMId => Vm.Id;

    public VmState State => Vm.State;

    /// <summary>The state in words: what the VM does, how its last run ended.</summary>
    public string Status => VmStatus.Describe(Vm);

    /// <summary>Percent of one host core.</summary>
    public int CPUUsage => VmTracking.Of(Vm).CpuPercent(Vm);

    public int ProcessorCount => 1;

    /// <summary>RAM that the guest has at this moment, in bytes; 0 while the VM is off.</summary>
    public long MemoryAssigned => VmHosts.IsOn(Vm.State) ? MemoryStartup : 0;

    /// <summary>Host memory that guest RAM has taken so far, in bytes: RAM is taken when the guest touches it, page by page or in large pages.</summary>
    public long MemoryDemand => VmHosts.IsOn(Vm.State) ? Vm.Metrics.PeakMemoryBytes : 0;

    /// <summary>Host memory beyond guest RAM, in bytes.</summary>
    public long MemoryOverhead => Vm.HostMemory.OverheadBytes;

    /// <summary>RAM at power-on, in bytes.</summary>
    public long MemoryStartup => (long)Vm.Definition.MemoryBytes;

    /// <summary>Guest time since power-on; zero while the VM is off.</summary>
    public TimeSpan Uptime => VmHosts.IsOn(Vm.State) ? Vm.Metrics.GuestTime : TimeSpan.Zero;

    /// <summary>Guest time of the current or last run.</summary>
    public TimeSpan GuestTime => Vm.Metrics.GuestTime;

    /// <summary>Instructions retired in the current or last run.</summary>
    public long Instructions => Vm.Metrics.Instructions;

    /// <summary>Bytes that the guest sent on COM1 in the current or last run.</summary>
    public long SerialBytes => Vm.Metrics.SerialBytes;

    /// <summary>How the last run ended.</summary>
    public VmEndKind End => Vm.End;

    /// <summary>The value that the guest wrote to the debug exit port, where <see cref="End"/> is DebugExit.</summary>
    public int EndCode => Vm.EndCode;

    /// <summary>Whether a crash report is there to be read with Get-VMCrashReport.</summary>
    public bool HasCrashReport => Vm.CrashReport is not null;

    public string Notes => Vm.Definition.Notes;

    public DateTime CreationTime => Vm.Definition.CreatedAt.LocalDateTime;

    public DateTime? StartTime => Vm.StartedAt?.LocalDateTime;

    public string? Guest => Vm.Definition.Guest;

    public string? Kernel => Vm.Definition.Kernel;

    public string? KernelSha256 => Vm.Definition.KernelSha256;

    public string? FirmwarePath => Vm.Definition.Firmware;

    public string? Initrd => Vm.Definition.Initrd;

    public bool HasInitramfs => Vm.Definition.Initramfs is not null;

    public InitramfsDefinition? Initramfs => Vm.Definition.Initramfs;

    public IReadOnlyList<string> Modules => Vm.Definition.Modules;

    public string CommandLine => Vm.Definition.CommandLine;

    public IReadOnlyList<VmDisk> Disks => Vm.Definition.Disks;

    /// <summary>CD drives, and what is in them.</summary>
    public IReadOnlyList<VmCdDrive> Cds => Vm.Definition.Cds;

    /// <summary>Floppy drives, and what is in them.</summary>
    public IReadOnlyList<VmFloppyDrive> Floppies => Vm.Definition.Floppies;

    public CpuModel CpuModel => Vm.Definition.CpuModel;

    public ClockMode Clock => Vm.Definition.Clock;

    /// <summary>The engine that the VM is to run on; Measure-VM -Engine tells which one serves and what it did.</summary>
    public EngineKind Engine => Vm.Definition.Engine;

    public ulong Seed => Vm.Definition.Seed;

    /// <summary>What the VM's clock shows when it is switched on: utc, localtime, or a date.</summary>
    public RtcStart RtcStart => Vm.Definition.RtcStart;

    /// <summary>Where the BIOS looks for something to boot.</summary>
    public string BootOrder => Vm.Definition.BootOrder;

    /// <summary>Parts of the machine that are left out or set otherwise than usual.</summary>
    public IReadOnlyList<string> Parts => Vm.Definition.Parts;

    public CrashAction CrashAction => Vm.Definition.CrashAction;

    public ResetAction ResetAction => Vm.Definition.ResetAction;

    public long HangInstructions => Vm.Definition.HangInstructions;

    public int CrashRestartLimit => Vm.Definition.CrashRestartLimit;

    public bool DetectPanics => Vm.Definition.DetectPanics;

    public long SerialLogBytes => Vm.Definition.SerialLogBytes;

    public string ComputerName => Environment.MachineName;

    /// <summary>The folder that keeps the VM's definition.</summary>
    public string? Path => _host.HomeFolder;

    /// <summary>Whether the VM was removed since this object was made.</summary>
    public bool IsDeleted => !ReferenceEquals(_host.Find(Vm.Name), Vm);

    internal HostVm Vm { get; }

    internal VmHost Owner => _host;

    public bool Equals(VirtualMachine? other) => other is not null && other.Vm.Id == Vm.Id;

    public override bool Equals(object? obj) => Equals(obj as VirtualMachine);

    public override int GetHashCode() => Vm.Id.GetHashCode();

    /// <summary>The name, so that a VM can stand wherever a name is wanted.</summary>
    public override string ToString() => Vm.Name;
}
