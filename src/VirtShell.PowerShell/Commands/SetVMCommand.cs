using System.Management.Automation;
using VirtShell.Cpu;
using VirtShell.Host;
using VirtShell.Images;
using VirtShell.Machine;
using VirtShell.PowerShell.Binding;
using VirtShell.PowerShell.Completion;

namespace VirtShell.PowerShell.Commands;

/// <summary>Set-VM: changes the definition of VMs that are off, and the engine also of those that run.</summary>
[Cmdlet(VerbsCommon.Set, "VM", DefaultParameterSetName = ByName, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(VirtualMachine))]
public sealed class SetVMCommand : VmTargetCmdlet
{
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? NewVMName { get; set; }

    [Parameter]
    [Alias("Memory")]
    [ValidateRange(1, long.MaxValue)]
    public long MemoryStartupBytes { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(BundledGuestCompleter))]
    public string? Guest { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Kernel { get; set; }

    [Parameter]
    [ValidatePattern("^[0-9a-fA-F]{64}$")]
    public string? KernelSha256 { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? FirmwarePath { get; set; }

    [Parameter]
    [AllowEmptyString]
    public string? Initrd { get; set; }

    [Parameter]
    [InitramfsTransformation]
    public InitramfsDefinition? Initramfs { get; set; }

    [Parameter]
    [Alias("Modules")]
    [AllowEmptyCollection]
    public string[] Module { get; set; } = [];

    [Parameter]
    [Alias("Append")]
    [AllowEmptyString]
    public string CommandLine { get; set; } = string.Empty;

    [Parameter]
    [Alias("Disks")]
    [DiskTransformation]
    [AllowEmptyCollection]
    public VmDisk[] Disk { get; set; } = [];

    [Parameter]
    [DiskTransformation]
    [AllowEmptyCollection]
    public VmDisk[] HardDisk { get; set; } = [];

    [Parameter]
    [Alias("Cds", "Dvd")]
    [CdTransformation]
    [AllowEmptyCollection]
    public VmCdDrive[] Cd { get; set; } = [];

    [Parameter]
    [Alias("Floppies")]
    [FloppyTransformation]
    [AllowEmptyCollection]
    public VmFloppyDrive[] Floppy { get; set; } = [];

    [Parameter]
    [CpuModelTransformation]
    public CpuModel CpuModel { get; set; }

    [Parameter]
    public ClockMode Clock { get; set; }

    [Parameter]
    public EngineKind Engine { get; set; }

    [Parameter]
    public ulong Seed { get; set; }

    [Parameter]
    [RtcStartTransformation]
    [ArgumentCompleter(typeof(RtcStartCompleter))]
    public RtcStart RtcStart { get; set; }

    [Parameter]
    [BootOrderTransformation]
    public string BootOrder { get; set; } = string.Empty;

    [Parameter]
    [Alias("Parts")]
    [AllowEmptyCollection]
    [ArgumentCompleter(typeof(PartCompleter))]
    public string[] Part { get; set; } = [];

    [Parameter]
    public CrashAction CrashAction { get; set; }

    [Parameter]
    public ResetAction ResetAction { get; set; }

    [Parameter]
    [ValidateRange(0, long.MaxValue)]
    public long HangInstructions { get; set; }

    [Parameter]
    public long SerialLogBytes { get; set; }

    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int CrashRestartLimit { get; set; }

    [Parameter]
    public bool DetectPanics { get; set; } = true;

    [Parameter]
    [AllowEmptyString]
    public string Notes { get; set; } = string.Empty;

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void BeginProcessing()
    {
        if (Guest is not null && Kernel is not null)
        {
            ThrowTerminatingError(VmErrors.Argument("ConflictingParameters", "-Guest and -Kernel exclude each other.", Guest, "Give one of them."));
        }

        if (FirmwarePath is not null && (Guest ?? Kernel) is { } other)
        {
            ThrowTerminatingError(VmErrors.Argument("ConflictingParameters", "-FirmwarePath excludes -Guest and -Kernel.", other, "Give one of them."));
        }
    }

    protected override void ProcessVm(VirtualMachine vm)
    {
        if (!Confirm("change the settings of", vm.Name))
        {
            return;
        }

        VmDefinition definition = new DefinitionBuilder(this).Apply(vm.Vm.Definition);
        if (NewVMName is not null)
        {
            definition = definition with { Name = NewVMName };
        }

        vm.Vm.Configure(definition);
        WriteVerbose($"Changed '{vm.Name}'.");
        if (Passthru)
        {
            WriteObject(vm);
        }
    }
}
