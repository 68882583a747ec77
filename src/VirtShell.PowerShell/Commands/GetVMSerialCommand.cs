using System;
using System.Collections.Generic;
using System.Management.Automation;
using System.Threading.Tasks;
using VirtShell.Host;
using VirtShell.Machine;
using VirtShell.PowerShell.Binding;
using VirtShell.PowerShell.Completion;
using VirtShell.PowerShell.Output;
using VirtShell.PowerShell.Session;

namespace VirtShell.PowerShell.Commands;

/// <summary>Get-VMSerial: what a guest has sent on a serial port, and with -Wait what it goes on to send.</summary>
[Cmdlet(VerbsCommon.Get, "VMSerial", DefaultParameterSetName = ByName)]
[OutputType(typeof(string), typeof(byte[]))]
public sealed class GetVMSerialCommand : VmTargetCmdlet
{
    [Parameter]
    [Alias("Last")]
    [ValidateRange(0, int.MaxValue)]
    public int Tail { get; set; } = -1;

    [Parameter]
    [Alias("Follow")]
    public SwitchParameter Wait { get; set; }

    [Parameter]
    public SwitchParameter Raw { get; set; }

    [Parameter]
    public SwitchParameter AsByteStream { get; set; }

    [Parameter]
    public SwitchParameter AfterSend { get; set; }

    [Parameter]
    [OutletTransformation]
    [ArgumentCompleter(typeof(OutletCompleter))]
    public Outlet Port { get; set; } = Outlet.Com1;

    protected override void BeginProcessing()
    {
        if (AsByteStream && (Raw || Tail >= 0))
        {
            ThrowTerminatingError(VmErrors.Argument("ConflictingParameters", "-AsByteStream gives bytes: it goes neither with -Raw nor with -Tail, which give text.", null));
        }
    }

    protected override void ProcessVm(VirtualMachine vm)
    {
        SerialLog log = vm.Vm.GetSerial(Port);
        long offset = AfterSend ? VmTracking.Of(vm.Vm).SendMark(vm.Vm, Port) : log.FirstOffset;
        if (log.FirstOffset > 0 && offset <= log.FirstOffset)
        {
            WriteWarning($"The first {log.FirstOffset} bytes of the serial log of '{vm.Name}' are no longer held.");
            offset = log.FirstOffset;
        }

        SerialLines lines = new(asSent: Raw);
        byte[] bytes = log.GetBytes(offset);
        Give(bytes, lines, Tail);
        if (Wait)
        {
            Follow(log, offset + bytes.Length, lines);
        }

        if (lines.TakeRest() is { Length: > 0 } rest && !Raw && !AsByteStream && Tail != 0)
        {
            WriteObject(rest);
        }
    }

    private void Give(byte[] bytes, SerialLines lines, int tail)
    {
        if (AsByteStream)
        {
            WriteObject(bytes, enumerateCollection: false);
            return;
        }

        string text = lines.Decode(bytes);
        if (Raw)
        {
            string shown = tail < 0 ? text : SerialLines.Last(text, tail);
            if (shown.Length > 0 || tail < 0)
            {
                WriteObject(shown);
            }

            return;
        }

        IReadOnlyList<string> complete = lines.Split(text);
        // The line that is still being written counts as the last one.
        int wanted = tail < 0 ? complete.Count : Math.Max(0, tail - (lines.HasRest ? 1 : 0));
        for (int i = Math.Max(0, complete.Count - wanted); i < complete.Count; i++)
        {
            WriteObject(complete[i]);
        }
    }

    private void Follow(SerialLog log, long offset, SerialLines lines)
    {
        IAsyncEnumerator<byte[]> chunks = log.FollowAsync(offset, Cancellation).GetAsyncEnumerator(Cancellation);
        try
        {
            while (Next(chunks.MoveNextAsync()))
            {
                Give(chunks.Current, lines, -1);
            }
        }
        finally
        {
            Next(chunks.DisposeAsync());
        }
    }

    private static bool Next(ValueTask<bool> step) => step.AsTask().GetAwaiter().GetResult();

    private static void Next(ValueTask step) => step.AsTask().GetAwaiter().GetResult();
}
