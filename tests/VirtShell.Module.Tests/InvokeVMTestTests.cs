using System;
using System.IO;
using System.Linq;
using System.Management.Automation;
using VirtShell.Module.Tests.Hosting;
using Xunit;

namespace VirtShell.Module.Tests;

[Collection(ModuleCollection.Name)]
public sealed class InvokeVMTestTests : IDisposable
{
    private const string Suite = """
        suite: module
        tests:
          - name: greeting
            matrix:
              guest: [hello, hello64]
            vm:
              guest: ${{ matrix.guest }}
              memory: 16M
            assert:
              end: poweroff
          - name: wrong
            vm: {guest: hello, memory: 16M}
            assert:
              end: triple-fault
        """;

    private readonly ModuleHost _host = new();
    private readonly string _suite;

    public InvokeVMTestTests()
    {
        _suite = Path.Combine(_host.Home, "my suite.yaml");
        File.WriteAllText(_suite, Suite);
        _host.SetLocation(_host.Home);
    }

    public void Dispose() => _host.Dispose();

    [Fact]
    public void Every_item_is_a_result_and_failures_are_one_error()
    {
        Outcome outcome = _host.Run("Invoke-VMTest './my suite.yaml'");
        Assert.Equal(3, outcome.Output.Count);
        Assert.Equal(["Failed", "Passed", "Passed"], outcome.Output.Select(r => r.Properties["Outcome"].Value.ToString()).Order());
        PSObject failed = outcome.Output.Single(r => r.Properties["Outcome"].Value.ToString() == "Failed");
        Assert.Equal("wrong", failed.Properties["Test"].Value);
        Assert.Equal("PowerOff", failed.Properties["End"].Value.ToString());
        Assert.NotEmpty((string)failed.Properties["Message"].Value);
        Assert.Contains("Hello from VirtShell", (string)failed.Properties["SerialText"].Value, StringComparison.Ordinal);
        Assert.Equal("VirtShell.TestsFailed", outcome.ErrorId);
        Assert.Contains("1 of 3", outcome.Error.ToString(), StringComparison.Ordinal);
        Assert.Contains("wrong", outcome.Error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_filter_selects_and_the_matrix_is_in_the_result()
    {
        Outcome outcome = _host.Ok("[pscustomobject]@{ FullName = './my suite.yaml' } | Invoke-VMTest -Filter hello64");
        Assert.Equal("hello64", ((System.Collections.IDictionary)outcome.Output.Single().Properties["Matrix"].Value)["guest"]);
    }

    [Fact]
    public void Listing_runs_nothing()
    {
        Assert.Equal(3, _host.Ok("Invoke-VMTest './my suite.yaml' -List").Output.Count);
        Assert.Equal(2, _host.Ok("Invoke-VMTest './my suite.yaml' -List -Shard 1/2").Output.Count);
        Assert.Equal("VirtShell.InvalidShard", _host.Run("Invoke-VMTest './my suite.yaml' -List -Shard 3/2").ErrorId);
    }

    [Fact]
    public void Reports_are_written_and_the_summary_names_them()
    {
        Outcome outcome = _host.Run("Invoke-VMTest *.yaml -ReportPath reports -Summary");
        PSObject run = outcome.Output.Single();
        Assert.Equal(3, run.Properties["Total"].Value);
        Assert.Equal(1, run.Properties["Failed"].Value);
        Assert.Equal(false, run.Properties["Success"].Value);
        Assert.True(File.Exists((string)run.Properties["ReportPath"].Value));
        Assert.True(File.Exists(Path.Combine(_host.Home, "reports", "junit.xml")));
        Assert.Equal("VirtShell.TestsFailed", outcome.ErrorId);
    }

    [Fact]
    public void ErrorAction_Stop_makes_a_failure_end_the_script()
    {
        Outcome outcome = _host.Run("Invoke-VMTest './my suite.yaml' -ErrorAction Stop | Out-Null; 'not reached'");
        Assert.Empty(outcome.Output);
        Assert.Equal("VirtShell.TestsFailed", outcome.ErrorId);
    }

    [Fact]
    public void A_broken_suite_gives_an_error_with_its_place_and_runs_nothing()
    {
        File.WriteAllText(Path.Combine(_host.Home, "broken.yaml"), Suite.Replace("memory: 16M", "memori: 16M", StringComparison.Ordinal));
        Outcome outcome = _host.Run("Invoke-VMTest ./broken.yaml");
        Assert.Empty(outcome.Output);
        Assert.All(outcome.Errors, e => Assert.StartsWith("VirtShell.SuiteInvalid,", e.FullyQualifiedErrorId, StringComparison.Ordinal));
        Assert.Contains(outcome.Errors, e => e.ToString().Contains("broken.yaml:8:", StringComparison.Ordinal) && e.ToString().Contains("memory", StringComparison.Ordinal));
        Assert.Equal(ErrorCategory.ParserError, outcome.Errors[0].CategoryInfo.Category);
    }

    [Fact]
    public void A_suite_that_is_not_there_is_an_error_and_a_wildcard_is_none()
    {
        Outcome outcome = _host.Run("Invoke-VMTest ./none.yaml");
        Assert.Equal("VirtShell.SuiteNotFound", outcome.ErrorId);
        Assert.Equal("./none.yaml", outcome.Error.TargetObject);
        Assert.Empty(_host.Ok("Invoke-VMTest ./none*.yaml").Output);
    }

    [Fact]
    public void The_table_of_results_fits_80_columns()
    {
        string[] lines = [.. _host.Show("Invoke-VMTest './my suite.yaml' -ErrorAction Ignore").Split('\n').Select(l => l.TrimEnd())];
        Assert.Contains("Outcome   Name                                          Seconds    Instructions", lines);
        Assert.All(lines, l => Assert.True(l.Length <= 80, l));
    }

    [Fact]
    public void Results_come_while_the_run_goes_on_and_enough_is_enough()
    {
        Assert.Single(_host.Ok("do { Invoke-VMTest './my suite.yaml' -Jobs 1 | ForEach-Object { $_; break } } while ($false)").Output);
        Assert.Empty(_host.Ok("Get-VM").Output);
    }
}
