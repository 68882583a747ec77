using System;
using System.IO;
using System.Management.Automation;
using VirtShell.Machine.Display;
using VirtShell.PowerShell.Output;

namespace VirtShell.PowerShell.Commands;

/// <summary>Get-VMScreen: what a VM's screen shows, as text, as a picture, or with all that is known of it.</summary>
[Cmdlet(VerbsCommon.Get, "VMScreen", DefaultParameterSetName = ByName)]
[OutputType(typeof(string), typeof(VMScreen), typeof(byte[]), typeof(FileInfo))]
public sealed class GetVMScreenCommand : VmTargetCmdlet
{
    [Parameter]
    public SwitchParameter Attributes { get; set; }

    [Parameter]
    public SwitchParameter AsPng { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Path { get; set; }

    protected override void BeginProcessing()
    {
        if (Attributes && (AsPng || Path is not null))
        {
            ThrowTerminatingError(VmErrors.Argument("ConflictingParameters", "-Attributes gives an object: it goes neither with -AsPng nor with -Path, which give a picture.", null));
        }

        if (AsPng && Path is not null)
        {
            ThrowTerminatingError(VmErrors.Argument("ConflictingParameters", "-AsPng gives the picture's bytes and -Path writes them to a file: give one of them.", null));
        }
    }

    protected override void ProcessVm(VirtualMachine vm)
    {
        bool isPicture = AsPng || Path is not null;
        ScreenSnapshot screen = vm.Vm.GetScreen(withPicture: isPicture || Attributes);
        if (Attributes)
        {
            WriteObject(new VMScreen(vm.Name, screen));
        }
        else if (Path is not null)
        {
            WriteFile(screen.Picture!.ToPng());
        }
        else if (AsPng)
        {
            WriteObject(screen.Picture!.ToPng(), enumerateCollection: false);
        }
        else if (screen.Kind == ScreenKind.Text)
        {
            WriteObject(screen.Text);
        }
        else
        {
            WriteVerbose($"The screen of '{vm.Name}' shows no text but {screen}. See it with -Path file.png.");
        }
    }

    private void WriteFile(byte[] png)
    {
        string path = GetUnresolvedProviderPathFromPSPath(Path!);
        try
        {
            File.WriteAllBytes(path, png);
            WriteObject(new FileInfo(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            WriteError(new ErrorRecord(e, "VirtShell.FileNotWritten", ErrorCategory.WriteError, path)
            {
                ErrorDetails = new ErrorDetails($"Cannot write '{path}': {e.Message} Name another file, or make room.") { RecommendedAction = "Name another file." },
            });
        }
    }
}
