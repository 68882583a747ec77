using System.Collections.Generic;
using System.Management.Automation;
using VirtShell.Machine.Input;
using VirtShell.PowerShell.Completion;

namespace VirtShell.PowerShell.Commands;

/// <summary>Send-VMKey: types text on a VM's keyboard, or presses keys.</summary>
[Cmdlet(VerbsCommunications.Send, "VMKey", DefaultParameterSetName = ByName, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(VirtualMachine))]
public sealed class SendVMKeyCommand : VmTargetCmdlet
{
    private readonly List<IReadOnlyList<PcKey>> _chords = [];
    private IReadOnlyList<KeyStroke> _strokes = [];

    [Parameter(Position = 1)]
    [AllowEmptyString]
    public string? Text { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(KeyCompleter))]
    public string[]? Key { get; set; }

    [Parameter]
    [ValidateSet("us", "de", "fr")]
    public string Layout { get; set; } = "us";

    [Parameter]
    public SwitchParameter Enter { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void BeginProcessing()
    {
        if (Text is null && Key is null && !Enter)
        {
            ThrowTerminatingError(VmErrors.Argument("NothingToSend", "Give the text to type, or with -Key the keys to press.", null, "Example: Send-VMKey dos 'dir' -Enter"));
        }

        KeyLayout.TryFind(Layout, out KeyLayout? layout);
        string text = (Text ?? string.Empty) + (Enter && Key is null ? "\n" : string.Empty);
        if (!layout!.TryType(text, out IReadOnlyList<KeyStroke>? strokes, out string missing))
        {
            ThrowTerminatingError(VmErrors.Argument("NoSuchKey", $"The layout {layout.Name} has no key for '{missing}'.", Text, "Choose the layout that the guest uses, or press keys with -Key."));
        }

        _strokes = strokes!;
        foreach (string chord in Key ?? [])
        {
            if (!KeyNames.TryParse(chord, out IReadOnlyList<PcKey>? keys, out string unknown))
            {
                ThrowTerminatingError(VmErrors.Argument("NoSuchKey", $"There is no key '{unknown}'.", chord, "Keys have names such as enter, f3, left-shift; chords join them: ctrl+alt+delete."));
            }

            _chords.Add(keys!);
        }

        if (Enter && Key is not null)
        {
            _chords.Add([PcKey.Enter]);
        }
    }

    protected override void ProcessVm(VirtualMachine vm)
    {
        if (!Confirm("send keys to", vm.Name))
        {
            return;
        }

        vm.Vm.TypeKeys(_strokes);
        foreach (IReadOnlyList<PcKey> chord in _chords)
        {
            vm.Vm.PressKeys(chord);
        }

        if (Passthru)
        {
            WriteObject(vm);
        }
    }
}
