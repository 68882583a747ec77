using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Management.Automation;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Host;
using VirtShell.Machine;
using VirtShell.PowerShell.Binding;
using VirtShell.PowerShell.Session;
using HostVm = VirtShell.Host.VirtualMachine;

namespace VirtShell.PowerShell.Commands;

/// <summary>
/// Wait-VM: waits until every VM of the pipeline is in a state or has printed something. Without a condition it waits
/// until they have ended.
/// </summary>
[Cmdlet(VerbsLifecycle.Wait, "VM", DefaultParameterSetName = ByName)]
[OutputType(typeof(VirtualMachine))]
public sealed class WaitVMCommand : VmTargetCmdlet
{
    private static readonly TimeSpan s_timerSlack = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_patternTimeout = TimeSpan.FromSeconds(2);

    private readonly List<(VirtualMachine Vm, Task<Met> Wait)> _waits = [];
    private readonly Stopwatch _clock = new();
    private Regex? _pattern;

    private enum Met
    {
        Yes,
        Ended,
        HostTimeout,
        GuestTimeout,
    }

    [Parameter]
    [ValidateNotNullOrEmpty]
    public VmState[]? State { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Text { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Pattern { get; set; }

    [Parameter]
    public SwitchParameter AfterSend { get; set; }

    [Parameter]
    [TimeTransformation]
    public TimeSpan Timeout { get; set; } = System.Threading.Timeout.InfiniteTimeSpan;

    [Parameter]
    [TimeTransformation]
    public TimeSpan GuestTimeout { get; set; } = System.Threading.Timeout.InfiniteTimeSpan;

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    private string Unmet => this switch
    {
        { Text: { } text } => $"did not print '{text}'",
        { Pattern: { } pattern } => $"printed nothing that matches '{pattern}'",
        { State: { } states } => $"was not {string.Join(" or ", states)}",
        _ => "did not end",
    };

    protected override void BeginProcessing()
    {
        int conditions = (State is null ? 0 : 1) + (Text is null ? 0 : 1) + (Pattern is null ? 0 : 1);
        if (conditions > 1)
        {
            ThrowTerminatingError(VmErrors.Argument("ConflictingParameters", "-State, -Text and -Pattern exclude each other.", null, "Wait for one, then for the other: Wait-VM … -Passthru | Wait-VM …"));
        }

        if (AfterSend && Text is null && Pattern is null)
        {
            ThrowTerminatingError(VmErrors.Argument("ConflictingParameters", "-AfterSend goes with -Text or -Pattern.", null));
        }

        if (Pattern is not null)
        {
            try
            {
                _pattern = new Regex(Pattern, RegexOptions.CultureInvariant | RegexOptions.Multiline, s_patternTimeout);
            }
            catch (ArgumentException e)
            {
                ThrowTerminatingError(VmErrors.Argument("InvalidPattern", $"'{Pattern}' is no regular expression: {e.Message}", Pattern, "For plain text use -Text."));
            }
        }

        _clock.Start();
    }

    protected override void ProcessVm(VirtualMachine vm) => _waits.Add((vm, WaitAsync(vm.Vm)));

    protected override void EndProcessing()
    {
        Await(Task.WhenAll(_waits.Select(w => w.Wait)), "Waiting for VMs", Progress);
        foreach ((VirtualMachine vm, Task<Met> wait) in _waits)
        {
            Attempt(vm, () => Report(vm, wait.GetAwaiter().GetResult()));
        }
    }

    private string Progress(TimeSpan elapsed)
    {
        (VirtualMachine Vm, Task<Met> Wait)[] open = [.. _waits.Where(w => !w.Wait.IsCompleted)];
        string names = string.Join(", ", open.Select(w => w.Vm.Name));
        TimeSpan guestTime = open.Length > 0 ? open[0].Vm.GuestTime : TimeSpan.Zero;
        return $"{names}: {Math.Floor(elapsed.TotalSeconds)} s, guest time {guestTime.TotalSeconds:0.0} s";
    }

    private void Report(VirtualMachine vm, Met met)
    {
        switch (met)
        {
            case Met.Ended:
                WriteError(VmErrors.WaitEnded(vm, Unmet));
                return;
            case Met.HostTimeout:
                WriteError(VmErrors.WaitTimeout(vm, Unmet, Timeout, guestTime: false));
                return;
            case Met.GuestTimeout:
                WriteError(VmErrors.WaitTimeout(vm, Unmet, GuestTimeout, guestTime: true));
                return;
        }

        if (Passthru)
        {
            WriteObject(vm);
        }
    }

    private Task<Met> WaitAsync(HostVm vm) => Text is null && _pattern is null ? WaitForStateAsync(vm) : WaitForSerialAsync(vm);

    private async Task<Met> WaitForSerialAsync(HostVm vm)
    {
        long offset = AfterSend ? VmTracking.Of(vm).SendMark(vm, Outlet.Com1) : 0;
        TimeSpan? guestLimit = Limit(GuestTimeout);
        TimeSpan? hostLimit = Limit(Timeout);
        SerialMatch? match = _pattern is not null
            ? await vm.WaitForSerialAsync(_pattern, offset, guestLimit, hostLimit, Cancellation).ConfigureAwait(false)
            : await vm.WaitForSerialAsync(Text!, offset, guestLimit, hostLimit, Cancellation).ConfigureAwait(false);
        if (match is not null)
        {
            return Met.Yes;
        }

        if (vm.Serial.IsClosed)
        {
            // The log closes a moment before the state changes, which is part of what the error tells.
            await vm.WaitForEndAsync(Cancellation).ConfigureAwait(false);
            return Met.Ended;
        }

        // One of the limits passed. Timers may fire a little before the stopwatch gets there.
        return hostLimit is { } limit && (guestLimit is null || _clock.Elapsed + s_timerSlack >= limit) ? Met.HostTimeout : Met.GuestTimeout;
    }

    private async Task<Met> WaitForStateAsync(HostVm vm)
    {
        using CancellationTokenSource done = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        try
        {
            return await WaitForStateAsync(vm, done.Token).ConfigureAwait(false);
        }
        finally
        {
            // Lets go of the waits that lost.
            await done.CancelAsync().ConfigureAwait(false);
        }
    }

    private async Task<Met> WaitForStateAsync(HostVm vm, CancellationToken cancellation)
    {
        Task reached = State is null
            ? vm.WaitForEndAsync(cancellation)
            : Task.WhenAny(State.Select(s => vm.WaitForStateAsync(s, cancellation)));
        // A crash is the end of waiting for a clean power-off: without this the wait would never end.
        Task ended = State is not null && State.All(s => s is VmState.Off or VmState.Stopping) ? vm.WaitForStateAsync(VmState.Crashed, cancellation) : Forever(cancellation);
        Task hostTimeout = Timeout == System.Threading.Timeout.InfiniteTimeSpan ? Forever(cancellation) : Task.Delay(Timeout, cancellation);
        Task guestTimeout = Limit(GuestTimeout) is { } limit ? vm.WaitForGuestTimeAsync(limit, cancellation) : Forever(cancellation);
        Task first = await Task.WhenAny(reached, ended, hostTimeout, guestTimeout).ConfigureAwait(false);
        await first.ConfigureAwait(false);
        if (first == guestTimeout && reached.IsCompletedSuccessfully)
        {
            // The end of a run completes both.
            first = reached;
        }

        return first == reached ? Met.Yes : first == ended ? Met.Ended : first == hostTimeout ? Met.HostTimeout : Met.GuestTimeout;
    }

    private static Task Forever(CancellationToken cancellation) => Task.Delay(System.Threading.Timeout.Infinite, cancellation);

    private static TimeSpan? Limit(TimeSpan time) => time == System.Threading.Timeout.InfiniteTimeSpan ? null : time;
}
