using System;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Host;
using VirtShell.Machine;
using VirtShell.Settings;

namespace VirtShell.Cli.Terminals;

/// <summary>Connects a VM's COM1 with a terminal until the VM ends or the user leaves.</summary>
internal sealed class ConsoleSession(VirtualMachine vm, ITerminal terminal, PipedInput? piped, bool raw) : IDisposable
{

    /// <summary>Ctrl+], telnet's escape key: hardly any program in a guest wants it.</summary>
    private const byte EscapeKey = 0x1D;

    private const int PollMilliseconds = 50;

    private readonly CancellationTokenSource _over = new();
    private bool _menu;
    private bool _left;

    /// <summary>True where the user left while the VM was still running.</summary>
    public async Task<bool> RunAsync(CancellationToken cancellation)
    {
        if (terminal.IsInteractive)
        {
            Say("Ctrl+] then q quits, Ctrl+] then h shows all keys.");
            terminal.EnterRawMode();
        }

        using CancellationTokenRegistration registration = cancellation.Register(_over.Cancel);
        Task output = Task.Run(PumpOutputAsync, CancellationToken.None);
        Task input = Task.Factory.StartNew(PumpInput, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            await vm.WaitForEndAsync(_over.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The user left, or the program is asked to end.
        }

        if (!_over.IsCancellationRequested)
        {
            // The log is closed at the end, so the last bytes are all written before we go on.
            await output.ConfigureAwait(false);
            if (terminal.IsInteractive && vm.State == VmState.Crashed && vm.Definition.CrashAction == CrashAction.Pause)
            {
                Say("the guest crashed, and its machine is kept: Ctrl+] then i shows it, Ctrl+] then q quits");
                await Task.Delay(Timeout.Infinite, _over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        await _over.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(output, input).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        terminal.Restore();
        return _left;
    }

    public void Dispose()
    {
        terminal.Restore();
        _over.Dispose();
    }

    private async Task PumpOutputAsync()
    {
        SerialLog log = vm.Serial;
        long offset = log.FirstOffset;
        var plain = new Printable.Stream();
        while (!_over.IsCancellationRequested)
        {
            byte[] bytes = log.GetBytes(offset);
            if (bytes.Length > 0)
            {
                terminal.Write(raw ? bytes : Encoding.UTF8.GetBytes(plain.Add(bytes)));
                offset += bytes.Length;
                continue;
            }

            if (log.IsClosed && log.Length <= offset)
            {
                return;
            }

            await log.WaitForMoreAsync(offset, _over.Token).ConfigureAwait(false);
        }
    }

    private void PumpInput()
    {
        byte[] buffer = new byte[256];
        while (!_over.IsCancellationRequested)
        {
            int count = terminal.Read(buffer, PollMilliseconds);
            if (count < 0)
            {
                piped?.End();

                // The end of piped input ends typing, not the guest.
                return;
            }

            if (count == 0)
            {
                continue;
            }

            if (piped is null)
            {
                HandleKeys(buffer.AsSpan(0, count));
            }
            else
            {
                piped.Add(buffer.AsSpan(0, count));
            }
        }
    }

    private void HandleKeys(ReadOnlySpan<byte> keys)
    {
        while (!keys.IsEmpty)
        {
            if (_menu)
            {
                _menu = false;
                HandleMenuKey(keys[0]);
                keys = keys[1..];
                continue;
            }

            int escape = keys.IndexOf(EscapeKey);
            ReadOnlySpan<byte> text = escape < 0 ? keys : keys[..escape];
            if (!text.IsEmpty)
            {
                Send(text);
            }

            _menu = escape >= 0;
            keys = escape < 0 ? [] : keys[(escape + 1)..];
        }
    }

    private void HandleMenuKey(byte key)
    {
        switch ((char)key)
        {
            case 'q' or 'x' or 'Q' or 'X':
                _left = true;
                _over.Cancel();
                break;
            case 'p':
                Say("power button");
                Attempt(vm.RequestShutdown);
                break;
            case 'r':
                Say("reset");
                Attempt(vm.ResetGuest);
                break;
            case 's':
                VmMetrics used = vm.Metrics;
                Say($"{Units.FormatCount(used.Instructions)} instructions, {Units.FormatDuration(used.GuestTime)} of guest time, {Units.FormatSize(used.PeakMemoryBytes)} of memory");
                break;
            case 'i':
                Attempt(() => Say(Printable.Log(((vm.State == VmState.Crashed ? vm.CrashReport : null) ?? vm.Inspect()).ToText()).ReplaceLineEndings("\r\n")));
                break;
            case (char)EscapeKey or ']':
                Send([EscapeKey]);
                break;
            default:
                Say("q quit, p power button, r reset, s statistics, i inspect, ] send Ctrl+] itself");
                break;
        }
    }

    private void Send(ReadOnlySpan<byte> bytes)
    {
        try
        {
            vm.SendSerial(Outlet.Com1, bytes);
        }
        catch (VmException)
        {
            // The guest ended between the key and here.
        }
    }

    private void Attempt(Action action)
    {
        try
        {
            action();
        }
        catch (VmException e)
        {
            Say(e.Message);
        }
    }

    private void Say(string text) => terminal.Write(Encoding.UTF8.GetBytes($"\r\n[virtshell: {text}]\r\n"));
}
