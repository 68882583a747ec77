using System;
using System.Diagnostics;
using System.Linq;
using System.Management.Automation;
using VirtShell.Module.Tests.Hosting;
using Xunit;

namespace VirtShell.Module.Tests;

/// <summary>Bundled guests, started, watched, spoken to and stopped through cmdlets.</summary>
[Collection(ModuleCollection.Name)]
public sealed class RunningTests : IDisposable
{
    private readonly ModuleHost _host = new();

    public void Dispose() => _host.Dispose();

    [Fact]
    public void A_guest_runs_to_its_end_in_one_pipeline()
    {
        Outcome outcome = _host.Ok("New-VM hello -Guest hello -Clock Virtual | Start-VM -Passthru | Wait-VM -Timeout 60 -Passthru | Get-VMSerial");
        Assert.Contains(outcome.Texts, l => l.StartsWith("Hello from VirtShell: a 32-bit guest with 256 MiB", StringComparison.Ordinal));
        Assert.Equal("Off PowerOff Powered off", _host.Ok("Get-VM hello | ForEach-Object { \"$($_.State) $($_.End) $($_.Status)\" }").Texts.Single());
        Assert.Equal("True", _host.Ok("(Get-VM hello).Instructions -gt 100").Texts.Single());
        Assert.Empty(_host.Ok("Get-VMCrashReport hello").Output);
    }

    [Fact]
    public void A_running_VM_shows_what_it_uses()
    {
        StartEcho("shell");
        PSObject vm = _host.Ok("Get-VM shell").Output.Single();
        Assert.Equal("Running", vm.Properties["State"].Value.ToString());
        Assert.Equal("Operating normally", vm.Properties["Status"].Value);
        Assert.Equal(64L << 20, vm.Properties["MemoryAssigned"].Value);
        Assert.InRange((long)vm.Properties["MemoryDemand"].Value, 1, 64L << 20);
        Assert.InRange((int)vm.Properties["CPUUsage"].Value, 0, 100);
        Assert.True((TimeSpan)vm.Properties["Uptime"].Value > TimeSpan.Zero);
        Assert.Contains("shell                  Running", _host.Show("Get-VM"), StringComparison.Ordinal);
        _host.Ok("Stop-VM shell -Timeout 60");

        // The object taken before shows the VM as it is now.
        Assert.Equal("Off", vm.Properties["State"].Value.ToString());
        Assert.Equal(0L, vm.Properties["MemoryAssigned"].Value);
    }

    [Fact]
    public void A_conversation_over_the_serial_port()
    {
        StartEcho("shell");
        Outcome answer = _host.Ok("Send-VMSerial shell 'echo one two' -Passthru | Wait-VM -Text '> ' -AfterSend -Timeout 60 -Passthru | Get-VMSerial -AfterSend");
        Assert.Equal(["echo one two", "one two", "> "], answer.Texts);
        _host.Ok("Send-VMSerial shell -Byte 101, 99, 104, 111, 32, 120; Send-VMSerial shell yz -NoNewline -Port 1; Send-VMSerial shell ''; Wait-VM shell -Pattern '^xyz\\r?$' -Timeout 60");
        Assert.Equal(["xyz", "> "], _host.Ok("Wait-VM shell -Pattern 'xyz\\r?\\n> $' -Timeout 60; Get-VMSerial shell -Tail 2").Texts);
        string raw = _host.Ok("Get-VMSerial shell -Raw").Texts.Single();
        Assert.EndsWith("xyz\r\n> ", raw, StringComparison.Ordinal);
        Assert.Equal(raw.Length, ((byte[])_host.Ok("Get-VMSerial shell -AsByteStream").Output.Single().BaseObject).Length);
        _host.Ok("Send-VMSerial shell 'exit 7' -Port com1; Wait-VM shell -Timeout 60");
        Assert.Equal("Off 7 Exited with 7", _host.Ok("Get-VM | ForEach-Object { \"$($_.State) $($_.EndCode) $($_.Status)\" }").Texts.Single());
    }

    [Theory]
    [InlineData("Get-VMSerial shell", false)]
    [InlineData("Get-VMSerial shell -Tail 3", false)]
    [InlineData("Get-VMSerial shell -Raw", true)]
    public void Serial_text_has_terminal_sequences_only_where_they_are_asked_for(string command, bool has)
    {
        StartEcho("shell");
        _host.Ok("Send-VMSerial shell \"echo a`e[31mb\"; Wait-VM shell -Pattern 'b\\r?\\n> $' -Timeout 60");
        string text = string.Join('\n', _host.Ok(command).Texts);
        Assert.Equal(has, text.Contains('\x1b') || text.Contains("\r\n", StringComparison.Ordinal));
    }

    [Fact]
    public void Following_a_serial_log_gives_lines_until_the_VM_ends()
    {
        Outcome outcome = _host.Ok("New-VM timer -Guest timer -Clock Virtual | Start-VM -Passthru | Get-VMSerial -Wait");
        Assert.Equal(Enumerable.Range(1, 10).Select(i => $"tick {i}"), outcome.Texts.Where(l => l.StartsWith("tick ", StringComparison.Ordinal)));
    }

    [Fact]
    public void Stop_VM_asks_the_guest_and_waits()
    {
        StartEcho("shell");
        Outcome outcome = _host.Ok("Stop-VM shell -Timeout 60 -Passthru -Verbose");
        Assert.Equal("shell", outcome.Texts.Single());
        Assert.Equal("Off PowerOff", _host.Ok("Get-VM shell | ForEach-Object { \"$($_.State) $($_.End)\" }").Texts.Single());
        Assert.Contains(outcome.Verbose, v => v.Contains("power button", StringComparison.Ordinal));
        Assert.Contains(_host.Ok("Stop-VM shell").Warnings, w => w.Contains("already off", StringComparison.Ordinal));
    }

    [Fact]
    public void A_guest_that_does_not_shut_down_is_told_of_and_goes_on()
    {
        _host.Ok("New-VM deaf 16MB -Guest busy-loop | Start-VM");
        Outcome outcome = _host.Run("Stop-VM deaf -Timeout 500ms");
        Assert.Equal("VirtShell.ShutdownTimeout", outcome.ErrorId);
        Assert.Equal(ErrorCategory.OperationTimeout, outcome.Error.CategoryInfo.Category);
        Assert.Equal("deaf", outcome.Error.TargetObject.ToString());
        Assert.Contains("-Force", outcome.Error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.NotEqual("Off", _host.Ok("(Get-VM deaf).State").Texts.Single());

        Outcome forced = _host.Ok("Stop-VM deaf -Timeout 200ms -Force -Passthru");
        Assert.Contains(forced.Warnings, w => w.Contains("is turned off", StringComparison.Ordinal));
        Assert.Equal("Off TurnedOff", _host.Ok("Get-VM deaf | ForEach-Object { \"$($_.State) $($_.End)\" }").Texts.Single());
    }

    [Fact]
    public void TurnOff_pulls_the_plug_of_all_that_the_pipeline_brings()
    {
        _host.Ok("1..3 | ForEach-Object { New-VM \"loop$_\" 16MB -Guest busy-loop } | Start-VM");
        Assert.Equal(3, _host.Ok("Get-VM loop* | Stop-VM -TurnOff -Passthru").Output.Count);
        Assert.Equal(["Off"], _host.Ok("(Get-VM).State").Texts.Distinct());
    }

    [Fact]
    public void A_crash_leaves_a_report_and_other_VMs_running()
    {
        StartEcho("bystander");
        _host.Ok("New-VM bad 16MB -Guest triple-fault | Start-VM -Passthru | Wait-VM -State Crashed -Timeout 60");
        Assert.Equal("Crashed TripleFault Triple fault", _host.Ok("Get-VM bad | ForEach-Object { \"$($_.State) $($_.End) $($_.Status)\" }").Texts.Single());
        Assert.Equal("Running", _host.Ok("(Get-VM bystander).State").Texts.Single());

        PSObject report = _host.Ok("Get-VM bad | Get-VMCrashReport").Output.Single();
        Assert.Equal("bad", report.Properties["VMName"].Value);
        Assert.Equal("TripleFault", report.Properties["Kind"].Value.ToString());
        Assert.Contains(_host.Ok("(Get-VMCrashReport bad).Disassembly").Texts, l => l.StartsWith("=>", StringComparison.Ordinal));
        Assert.Contains(_host.Ok("(Get-VMCrashReport bad).SerialTail").Texts, l => l.Contains("About to triple-fault", StringComparison.Ordinal));
        Assert.Equal("UInt64", _host.Ok("(Get-VMCrashReport bad).Registers['EIP'].GetType().Name").Texts.Single());
        string shown = _host.Show("Get-VMCrashReport bad");
        Assert.Contains("=>", shown, StringComparison.Ordinal);

        _host.Ok("Stop-VM bad");
        Assert.Equal("Off True", _host.Ok("Get-VM bad | ForEach-Object { \"$($_.State) $($_.HasCrashReport)\" }").Texts.Single());
    }

    [Fact]
    public void Waiting_tells_a_limit_in_host_time_from_one_in_guest_time_and_from_an_end()
    {
        StartEcho("shell");
        Outcome host = _host.Run("Wait-VM shell -Text never -Timeout 200ms -Passthru");
        Assert.Empty(host.Output);
        Assert.Equal("VirtShell.WaitTimeout", host.ErrorId);
        Assert.Equal("'shell' did not print 'never' within 0.2 s.", host.Error.ToString());
        Outcome guest = _host.Run("Wait-VM shell -Pattern 'ne+ver' -GuestTimeout 0.1");
        Assert.Equal("'shell' printed nothing that matches 'ne+ver' within 0.1 s of guest time.", guest.Error.ToString());
        Assert.Equal("VirtShell.WaitTimeout", _host.Run("Wait-VM shell -Timeout 0.1").ErrorId);
        Assert.Equal("VirtShell.WaitTimeout", _host.Run("Wait-VM shell -State Crashed -GuestTimeout 0.1").ErrorId);
        Outcome ended = _host.Run("Send-VMSerial shell exit; Wait-VM shell -Text never -Timeout 60");
        Assert.Equal("VirtShell.WaitEnded", ended.ErrorId);
        Assert.Equal(ErrorCategory.InvalidResult, ended.Error.CategoryInfo.Category);
    }

    [Fact]
    public void Waiting_for_a_clean_end_ends_with_a_crash()
    {
        Outcome outcome = _host.Run("New-VM bad 16MB -Guest triple-fault | Start-VM -Passthru | Wait-VM -State Off -Timeout 60");
        Assert.Equal("VirtShell.WaitEnded", outcome.ErrorId);
    }

    [Theory]
    [InlineData("Wait-VM shell", "Running")]
    [InlineData("Wait-VM shell -Text never", "Running")]
    [InlineData("Stop-VM deaf -Timeout 600", "Running")]
    [InlineData("Get-VMSerial shell -Wait", "Running")]
    public void Ctrl_C_ends_a_wait_and_leaves_the_VM_alone(string script, string state)
    {
        StartEcho("shell");
        _host.Ok("New-VM deaf 16MB -Guest busy-loop | Start-VM");
        Stopwatch clock = Stopwatch.StartNew();
        PSInvocationState end = _host.RunAndStop(script, () => clock.ElapsedMilliseconds > 300);
        Assert.Equal(PSInvocationState.Stopped, end);
        Assert.Equal(state, _host.Ok("(Get-VM shell).State").Texts.Single());
    }

    [Fact]
    public void Pausing_resuming_and_restarting()
    {
        StartEcho("shell");
        Assert.Equal("Paused", _host.Ok("(Suspend-VM shell -Passthru).State").Texts.Single());
        Assert.Contains(_host.Ok("Suspend-VM shell").Warnings, w => w.Contains("already paused", StringComparison.Ordinal));
        Assert.Equal("VirtShell.InvalidVMState", _host.Run("Stop-VM shell").ErrorId);
        Assert.Equal("VirtShell.InvalidVMState", _host.Run("Start-VM shell").ErrorId);
        Assert.Single(_host.Ok("Get-VMCrashReport shell -Live").Output);
        Assert.Equal("Running", _host.Ok("(Resume-VM shell -Passthru).State").Texts.Single());

        _host.Ok("Restart-VM shell");
        Assert.Single(_host.Console.Questions);
        _host.Ok("Restart-VM shell -Force; Wait-VM shell -Pattern 'Type help[^$]*Type help' -Timeout 60");
        Assert.Equal("Running", _host.Ok("(Restart-VM shell -Type Reboot -Force -Passthru -Timeout 60).State").Texts.Single());
        _host.Ok("Wait-VM shell -Text '> ' -Timeout 60");
        _host.Ok("Stop-VM shell -TurnOff");
        Assert.Equal("VirtShell.InvalidVMState", _host.Run("Restart-VM shell -Force").ErrorId);
    }

    [Fact]
    public void What_needs_a_VM_that_is_off_says_so()
    {
        StartEcho("shell");
        Outcome remove = _host.Run("Remove-VM shell -Force");
        Assert.Equal("VirtShell.InvalidVMState", remove.ErrorId);
        Assert.Equal(ErrorCategory.InvalidOperation, remove.Error.CategoryInfo.Category);
        Assert.Equal("shell", remove.Error.TargetObject.ToString());
        Assert.Equal("VirtShell.InvalidVMState", _host.Run("Set-VM shell -MemoryStartupBytes 1GB").ErrorId);
        Assert.Contains(_host.Ok("Start-VM shell").Warnings, w => w.Contains("already running", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Wait-VM shell -Text a -Pattern b", "VirtShell.ConflictingParameters")]
    [InlineData("Wait-VM shell -AfterSend", "VirtShell.ConflictingParameters")]
    [InlineData("Wait-VM shell -Pattern '('", "VirtShell.InvalidPattern")]
    [InlineData("Wait-VM shell -Timeout soon", "ParameterArgumentTransformationError")]
    [InlineData("Send-VMSerial shell", "VirtShell.NothingToSend")]
    [InlineData("Send-VMSerial shell x", "VirtShell.InvalidVMState")]
    [InlineData("Get-VMSerial shell -AsByteStream -Raw", "VirtShell.ConflictingParameters")]
    [InlineData("Suspend-VM shell", "VirtShell.InvalidVMState")]
    public void Arguments_that_make_no_sense_are_told(string script, string id)
    {
        _host.Ok("New-VM shell 64MB -Guest echo | Out-Null");
        Assert.Equal(id, _host.Run(script).ErrorId);
    }

    [Fact]
    public void Removing_the_module_stops_what_runs_and_says_so()
    {
        StartEcho("shell");
        _host.Ok("New-VM deaf 16MB -Guest busy-loop | Start-VM");
        _host.Ok("[VirtShell.PowerShell.Loading.ModuleSession]::ExitGrace = [timespan]::FromSeconds(2); Remove-Module VirtShell");
        Assert.Contains(_host.Console.Warnings, w => w.Contains("2 VMs that are still running: shell, deaf", StringComparison.Ordinal));
        Assert.Contains(_host.Console.Warnings, w => w.Contains("'deaf' did not shut down by itself and was turned off", StringComparison.Ordinal));
        _host.Import();
        Assert.Equal(["Off"], _host.Ok("(Get-VM).State").Texts.Distinct());
    }

    [Fact]
    public void A_closing_session_stops_what_runs_but_only_the_last_one()
    {
        StartEcho("shell");
        using (ModuleHost second = new(_host.Home))
        {
            Assert.Equal("Running", second.Ok("(Get-VM shell).State").Texts.Single());
            second.Runspace.Close();
            Assert.Empty(second.Console.Warnings);
        }

        Assert.Equal("Running", _host.Ok("(Get-VM shell).State").Texts.Single());
        _host.Runspace.Close();
        Assert.Contains(_host.Console.Warnings, w => w.Contains("one VM that is still running: shell", StringComparison.Ordinal));
        using ModuleHost next = new(_host.Home);
        Assert.Equal("Off", next.Ok("(Get-VM shell).State").Texts.Single());
    }

    private void StartEcho(string name) =>
        _host.Ok("New-VM $args[0] 64MB -Guest echo | Start-VM -Passthru | Wait-VM -Text '> ' -Timeout 60", name);
}
