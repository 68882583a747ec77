using System;
using System.IO;
using System.Linq;
using System.Management.Automation;
using VirtShell.Module.Tests.Hosting;
using Xunit;

namespace VirtShell.Module.Tests;

/// <summary>The engine: chosen with New-VM, Set-VM and Invoke-VMTest, measured with Measure-VM.</summary>
[Collection(ModuleCollection.Name)]
public sealed class EngineTests : IDisposable
{
    private readonly ModuleHost _host = new();

    public void Dispose() => _host.Dispose();

    [Fact]
    public void The_engine_is_part_of_the_definition_and_shown()
    {
        _host.Ok("New-VM plain 16MB -Guest hello; New-VM slow 16MB -Guest hello -Engine Interpreter | Out-Null");
        Assert.Equal(["Auto", "Interpreter"], _host.Ok("(Get-VM).Engine").Texts);
        Assert.Contains("Engine=Interpreter", _host.Ok("(Get-VM slow).PSObject.Properties | ForEach-Object { \"$($_.Name)=$($_.Value)\" }").Texts);
        Assert.Equal("Translator", _host.Ok("(Set-VM slow -Engine translator -Passthru).Engine").Texts.Single());
        using ModuleHost other = new(_host.Home);
        Assert.Equal("Translator", other.Ok("(Get-VM slow).Engine").Texts.Single());
    }

    [Fact]
    public void The_engine_of_a_running_or_paused_VM_changes_at_once()
    {
        _host.Ok("New-VM shell 16MB -Guest echo | Start-VM -Passthru | Wait-VM -Text '> ' -Timeout 60");
        _host.SetLocation(Path.GetTempPath());
        _host.Ok("Set-VM shell -Engine Interpreter");
        Assert.Equal("Interpreter False", Engine("shell"));
        _host.Ok("Suspend-VM shell; Set-VM shell -Engine Auto; Resume-VM shell");
        Assert.StartsWith("Auto ", Engine("shell"), StringComparison.Ordinal);
        Assert.Equal("VirtShell.InvalidVMState", _host.Run("Set-VM shell -Engine Interpreter -MemoryStartupBytes 32MB").ErrorId);
        Assert.Equal("Auto", _host.Ok("(Get-VM shell).Engine").Texts.Single());
        _host.Ok("Send-VMSerial shell 'echo still here' -Passthru | Wait-VM -Text 'still here' -AfterSend -Timeout 60; Stop-VM shell -TurnOff");
    }

    [Fact]
    public void Metering_counts_the_last_run_and_the_present_one()
    {
        PSObject none = _host.Ok("New-VM hello 16MB -Guest hello -Clock Virtual | Measure-VM").Output.Single();
        Assert.Equal("VirtShell.PowerShell.VMMeteringReport", none.TypeNames[0]);
        Assert.Equal(TimeSpan.Zero, none.Properties["MeteringDuration"].Value);

        PSObject used = _host.Ok("Start-VM hello -Passthru | Wait-VM -Timeout 60; Measure-VM hello").Output.Single();
        Assert.Equal("hello", used.Properties["VMName"].Value);
        Assert.True((TimeSpan)used.Properties["MeteringDuration"].Value > TimeSpan.Zero);
        Assert.InRange((int)used.Properties["AverageProcessorUsage"].Value, 0, 100);
        Assert.Equal(1L, used.Properties["MaximumMemoryUsage"].Value);
        Assert.True((long)used.Properties["Instructions"].Value > 100);
        Assert.Equal(0L, used.Properties["TotalDiskAllocation"].Value);
        string[] lines = [.. _host.Show("Get-VM | Measure-VM").Split('\n').Select(l => l.TrimEnd()).Where(l => l.Length > 0)];
        Assert.Equal("VMName                Duration AvgCPU(%) MaxRAM(M)  Disk(M)  Read(M) Written(M)", lines[0]);
        Assert.All(lines, l => Assert.True(l.Length <= 80, l));
    }

    // Some hosts count a thread's processor time in ticks of 10 ms: a run that is to show any must last for many of them.
    [Fact]
    public void Metering_counts_the_processor_time_of_a_guest_that_works()
    {
        _host.Ok("New-VM compute 16MB -Guest compute -Clock Virtual -Engine Interpreter | Start-VM -Passthru | Wait-VM -Timeout 120");
        PSObject used = _host.Ok("Measure-VM compute").Output.Single();
        Assert.True((TimeSpan)used.Properties["ProcessorTime"].Value > TimeSpan.Zero);
    }

    [Fact]
    public void What_the_engine_did_is_an_object_with_every_counter_and_a_table()
    {
        _host.Ok("New-VM hello 16MB -Guest hello -Clock Virtual -Engine Interpreter | Start-VM -Passthru | Wait-VM -Timeout 60");
        PSObject report = _host.Ok("Get-VM hello | Measure-VM -Engine").Output.Single();
        Assert.Equal("VirtShell.PowerShell.VMEngineReport", report.TypeNames[0]);
        Assert.Equal("Interpreter", report.Properties["Engine"].Value.ToString());
        Assert.Equal(false, report.Properties["IsTranslating"].Value);
        Assert.Equal(0.0, report.Properties["TranslatedShare"].Value);
        Assert.Equal("True", _host.Ok("(Measure-VM hello -Engine).InstructionsInterpreted -eq (Get-VM hello).Instructions").Texts.Single());
        Assert.All(new[] { "TlbMisses", "BlocksDecoded", "Exits", "ExitsBudget", "CallOuts" }, name => Assert.IsType<long>(report.Properties[name].Value));
        string shown = _host.Show("Measure-VM hello -Engine");
        Assert.Contains("VM 'hello'", shown, StringComparison.Ordinal);
        Assert.Contains("Engine: interpreter (interpreter was asked for)", shown, StringComparison.Ordinal);
        Assert.Contains("TLB misses", shown, StringComparison.Ordinal);

        // A snapshot, not live: the next run does not change it.
        object before = report.Properties["InstructionsInterpreted"].Value;
        _host.Ok("Start-VM hello -Passthru | Wait-VM -Timeout 60");
        Assert.Equal(before, report.Properties["InstructionsInterpreted"].Value);
    }

    [Fact]
    public void Invoke_VMTest_forces_an_engine_on_a_whole_run()
    {
        string suite = Path.Combine(_host.Home, "s.yaml");
        File.WriteAllText(suite, "suite: s\ntests:\n  - name: t\n    vm: {guest: hello, engine: translator}\n    assert: {end: poweroff, metrics: {engine-instructions-translated: {max: 0}, engine-instructions-interpreted: {max: 0}}}\n");
        PSObject forced = _host.Ok("Invoke-VMTest $args[0] -Engine Interpreter", suite).Output.Single();
        Assert.Equal("Passed", forced.Properties["Outcome"].Value.ToString());
        Assert.Equal(["Skipped", "Skipped"], _host.Ok("(Invoke-VMTest $args[0] -Engine Interpreter).Assertions | Where-Object Name -like 'engine-*' | ForEach-Object { $_.Outcome }", suite).Texts);
        Assert.Equal("VirtShell.TestsFailed", _host.Run("Invoke-VMTest $args[0]", suite).ErrorId);
    }

    private string Engine(string vm) => _host.Ok("Measure-VM $args[0] -Engine | ForEach-Object { \"$($_.Engine) $($_.IsTranslating)\" }", vm).Texts.Single();
}
