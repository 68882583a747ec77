using System.Management.Automation;
using System.Text;
using VirtShell.Machine;
using VirtShell.PowerShell.Binding;
using VirtShell.PowerShell.Completion;
using VirtShell.PowerShell.Session;

namespace VirtShell.PowerShell.Commands;

/// <summary>Send-VMSerial: types text into a guest's serial port, or sends bytes.</summary>
[Cmdlet(VerbsCommunications.Send, "VMSerial", DefaultParameterSetName = ByName, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(VirtualMachine))]
public sealed class SendVMSerialCommand : VmTargetCmdlet
{
    // What the Enter key of a terminal sends; guests' terminal drivers turn it into a line end.
    private const string Enter = "\r";

    private byte[] _data = [];

    [Parameter(Position = 1)]
    [AllowEmptyString]
    public string[]? Text { get; set; }

    [Parameter]
    public SwitchParameter NoNewline { get; set; }

    [Parameter]
    [Alias("Bytes")]
    public byte[]? Byte { get; set; }

    [Parameter]
    [OutletTransformation(TakesInput = true)]
    [ArgumentCompleter(typeof(OutletCompleter))]
    public Outlet Port { get; set; } = Outlet.Com1;

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void BeginProcessing()
    {
        if ((Text is null) == (Byte is null))
        {
            ThrowTerminatingError(VmErrors.Argument("NothingToSend", "Give either the text to send or, with -Byte, the bytes.", null, "Example: Send-VMSerial web 'ls -l'"));
        }

        if (Byte is not null)
        {
            _data = Byte;
            return;
        }

        string end = NoNewline ? string.Empty : Enter;
        _data = Encoding.UTF8.GetBytes(string.Join(Enter, Text!) + end);
    }

    protected override void ProcessVm(VirtualMachine vm)
    {
        if (!Confirm("send input to", vm.Name))
        {
            return;
        }

        VmTracking.Of(vm.Vm).MarkSend(vm.Vm, Port);
        vm.Vm.SendSerial(Port, _data);
        WriteVerbose($"Sent {_data.Length} bytes to '{vm.Name}'.");
        if (Passthru)
        {
            WriteObject(vm);
        }
    }
}
