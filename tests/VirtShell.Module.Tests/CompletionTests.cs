using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using VirtShell.Module.Tests.Hosting;
using Xunit;
using Engine = System.Management.Automation.PowerShell;

namespace VirtShell.Module.Tests;

[Collection(ModuleCollection.Name)]
public sealed class CompletionTests : IDisposable
{
    private readonly ModuleHost _host = new();

    public void Dispose() => _host.Dispose();

    [Theory]
    [InlineData("Start-VM al", new[] { "alpha" })]
    [InlineData("Start-VM -Name AL", new[] { "alpha" })]
    [InlineData("Start-VM -VMName b", new[] { "'b c'", "'b''d'", "beta" })]
    [InlineData("Get-VM 'b c", new[] { "'b c'" })]
    [InlineData("Get-VM \"b", new[] { "\"b c\"", "\"b'd\"", "\"beta\"" })]
    [InlineData("Get-VM alpha, be", new[] { "beta" })]
    [InlineData("Get-VMSerial *et", new[] { "beta" })]
    [InlineData("Remove-VM $", new string[0])]
    [InlineData("Stop-VM 4", new[] { "'42'" })]
    public void Names_of_VMs_are_completed_and_quoted(string input, string[] expected)
    {
        _host.Ok("'alpha', 'beta', 'b c', \"b'd\", '42' | ForEach-Object { New-VM $_ -Guest hello } | Out-Null");
        if (expected.Length > 0)
        {
            Assert.Equal(expected.Order(StringComparer.Ordinal), Complete(input).Order(StringComparer.Ordinal));
        }
        else
        {
            Assert.DoesNotContain(Complete(input), c => c.Contains("alpha", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void A_completed_name_finds_its_VM()
    {
        const string Awkward = "it's $5 \"a\"";
        _host.Ok("New-VM $args[0] -Guest hello | Out-Null", Awkward);
        foreach (string quote in new[] { string.Empty, "'", "\"" })
        {
            string word = Complete("Get-VM " + quote + "it").Single();
            Assert.Equal(Awkward, _host.Ok("Get-VM " + word).Texts.Single());
        }
    }

    [Fact]
    public void Bundled_guests_are_completed_with_what_they_are_for()
    {
        CompletionResult result = Results("New-VM x -Guest hel").First(r => r.CompletionText == "hello");
        Assert.Contains("greeting", result.ToolTip, StringComparison.Ordinal);
        Assert.Contains("triple-fault", Complete("Set-VM x -Guest "));
    }

    [Theory]
    [InlineData("New-VM x -CpuModel x86", new[] { "X86_64_V2", "X86_64_V3" })]
    [InlineData("New-VM x -Clock V", new[] { "Virtual" })]
    [InlineData("New-VM x -Engine ", new[] { "Auto", "Interpreter", "Translator" })]
    [InlineData("New-VM x -RtcStart l", new[] { "LocalTime" })]
    [InlineData("Set-VM x -RtcStart ", new[] { "LocalTime", "Utc" })]
    [InlineData("New-VM x -Part virtio-r", new[] { "virtio-rng=off", "virtio-rng.most-bytes=4096" })]
    [InlineData("Send-VMSerial x -Port v", new[] { "virtio-console" })]
    [InlineData("Set-VM x -Engine t", new[] { "Translator" })]
    [InlineData("Invoke-VMTest x -Engine i", new[] { "Interpreter" })]
    [InlineData("Wait-VM x -State Cr", new[] { "Crashed" })]
    [InlineData("Restart-VM x -Type Reb", new[] { "Reboot" })]
    public void Values_are_completed(string input, string[] expected) => Assert.Equal(expected, Complete(input));

    private string[] Complete(string input) => [.. Results(input).Select(r => r.CompletionText)];

    private IReadOnlyList<CompletionResult> Results(string input)
    {
        using Engine shell = _host.Shell(string.Empty, []);
        shell.Commands.Clear();
        return [.. CommandCompletion.CompleteInput(input, input.Length, null, shell).CompletionMatches];
    }
}
