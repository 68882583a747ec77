using System.Management.Automation;
using VirtShell.Cpu;
using VirtShell.Host;
using VirtShell.Images;
using VirtShell.Machine;
using VirtShell.PowerShell.Binding;
using VirtShell.PowerShell.Completion;
using VirtShell.PowerShell.Session;

namespace VirtShell.PowerShell.Commands;

/// <summary>New-VM: defines a VM. It is not started.</summary>
[Cmdlet(VerbsCommon.New, "VM", DefaultParameterSetName = "Kernel", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(VirtualMachine))]
public sealed class NewVMCommand : VmCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [Alias("VMName")]
    [ValidateNotNullOrEmpty]
    public string Name { get; set; } = string.Empty;

    [Parameter(Position = 1, ValueFromPipelineByPropertyName = true)]
    [Alias("Memory")]
    [ValidateRange(1, long.MaxValue)]
    public long MemoryStartupBytes { get; set; } = 256L << 20;

    [Parameter(ParameterSetName = "Guest", Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(BundledGuestCompleter))]
    public string? Guest { get; set; }

    [Parameter(ParameterSetName = "Kernel", ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? Kernel { get; set; }

    [Parameter(ParameterSetName = "Kernel")]
    [ValidatePattern("^[0-9a-fA-F]{64}$")]
    public string? KernelSha256 { get; set; }

    [Parameter(ParameterSetName = "Firmware", Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? FirmwarePath { get; set; }

    [Parameter(ParameterSetName = "Kernel", ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? Initrd { get; set; }

    [Parameter(ParameterSetName = "Kernel")]
    [InitramfsTransformation]
    public InitramfsDefinition? Initramfs { get; set; }

    [Parameter(ParameterSetName = "Kernel", ValueFromPipelineByPropertyName = true)]
    [Alias("Modules")]
    [AllowEmptyCollection]
    public string[] Module { get; set; } = [];

    [Parameter(ValueFromPipelineByPropertyName = true)]
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

    [Parameter(ValueFromPipelineByPropertyName = true)]
    [CpuModelTransformation]
    public CpuModel CpuModel { get; set; } = CpuModel.X86_64_V3;

    [Parameter(ValueFromPipelineByPropertyName = true)]
    public ClockMode Clock { get; set; } = ClockMode.Host;

    [Parameter(ValueFromPipelineByPropertyName = true)]
    public EngineKind Engine { get; set; } = EngineKind.Auto;

    [Parameter(ValueFromPipelineByPropertyName = true)]
    public ulong Seed { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true)]
    [RtcStartTransformation]
    [ArgumentCompleter(typeof(RtcStartCompleter))]
    public RtcStart RtcStart { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true)]
    [BootOrderTransformation]
    public string BootOrder { get; set; } = "floppy,cd,disk";

    [Parameter]
    [Alias("Parts")]
    [AllowEmptyCollection]
    [ArgumentCompleter(typeof(PartCompleter))]
    public string[] Part { get; set; } = [];

    [Parameter(ValueFromPipelineByPropertyName = true)]
    public CrashAction CrashAction { get; set; } = CrashAction.Stop;

    [Parameter(ValueFromPipelineByPropertyName = true)]
    public ResetAction ResetAction { get; set; } = ResetAction.Restart;

    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateRange(0, long.MaxValue)]
    public long HangInstructions { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true)]
    public long SerialLogBytes { get; set; } = 64L << 20;

    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateRange(0, int.MaxValue)]
    public int CrashRestartLimit { get; set; } = 5;

    [Parameter(ValueFromPipelineByPropertyName = true)]
    public bool DetectPanics { get; set; } = true;

    [Parameter(ValueFromPipelineByPropertyName = true)]
    [AllowEmptyString]
    public string Notes { get; set; } = string.Empty;

    protected override void ProcessRecord()
    {
        string folder = SessionState.Path.CurrentFileSystemLocation.ProviderPath;
        VmDefinition definition = new DefinitionBuilder(this).Apply(new VmDefinition { Name = Name, BaseFolder = folder });
        if (!Confirm("create", Name))
        {
            return;
        }

        Attempt(Name, () =>
        {
            VmHost host = VmHosts.Current;
            VirtualMachine vm = new(host, host.Create(definition));
            WriteVerbose($"Created '{vm.Name}' in {host.HomeFolder}.");
            WriteObject(vm);
        });
    }
}
