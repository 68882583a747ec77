using System;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Harness;
using VirtShell.Host;
using Xunit;

namespace VirtShell.EndToEnd.Tests;

public sealed class BundledGuestTests
{
    [Theory]
    [InlineData("pipelines/smoke.yaml")]
    [InlineData("pipelines/crash-isolation.yaml")]
    [InlineData("pipelines/performance.yaml")]
    public async Task Shipped_suites_pass(string suite)
    {
        RunResult run = await Suites.RunFileAsync(suite);

        Assert.True(run.Success, Suites.Explain(run));
        Assert.Equal(0, run.ExitCode);
    }

    [Fact]
    public async Task Each_crash_is_reported_for_what_it_is()
    {
        RunResult run = await Suites.RunFileAsync("pipelines/smoke.yaml", "crash");

        Assert.Equal(5, run.Items.Count);
        Assert.All(run.Items, item =>
        {
            Assert.NotNull(item.CrashReport);
            Assert.NotEmpty(item.CrashReport.Registers);
            Assert.NotEmpty(item.CrashReport.Disassembly);
            Assert.Equal(item.End, item.CrashReport.Kind);
        });
        Assert.Equal(3, run.Items.Count(i => i.End == VmEndKind.TripleFault));
        Assert.Equal(2, run.Items.Count(i => i.End == VmEndKind.Hang));
    }

    [Fact]
    public async Task The_same_suite_gives_the_same_bytes_and_counts_also_under_load()
    {
        RunResult first = await Suites.RunFileAsync("pipelines/smoke.yaml");
        using var load = new CancellationTokenSource();
        Thread[] burners = [.. Enumerable.Range(0, Environment.ProcessorCount * 2).Select(_ => new Thread(() =>
        {
            while (!load.IsCancellationRequested)
            {
                Thread.SpinWait(1000);
            }
        }) { IsBackground = true })];
        foreach (Thread burner in burners)
        {
            burner.Start();
        }

        RunResult second = await Suites.RunFileAsync("pipelines/smoke.yaml");
        await load.CancelAsync();

        Assert.True(first.Success && second.Success, Suites.Explain(first) + Suites.Explain(second));
        for (int i = 0; i < first.Items.Count; i++)
        {
            Assert.Equal(first.Items[i].Serial, second.Items[i].Serial);
            Assert.Equal(Metric(first.Items[i], "instructions"), Metric(second.Items[i], "instructions"));
            Assert.Equal(Metric(first.Items[i], "guest-time"), Metric(second.Items[i], "guest-time"));
        }
    }

    [Fact]
    public async Task A_failing_item_ends_nothing_else()
    {
        RunResult run = await Suites.RunTextAsync("""
            suite: s
            tests:
              - name: wrong
                vm: hello
                steps:
                  - expect: Goodbye
                    timeout: 1s
              - name: cannot
                vm: {kernel: suite.yaml}
              - name: right
                vm: hello
                assert: {end: poweroff}
            """);

        Assert.Equal([Outcome.Failed, Outcome.Error, Outcome.Passed], run.Items.Select(i => i.Outcome));
        Assert.Contains("Goodbye", run.Items[0].Message, StringComparison.Ordinal);
        Assert.Contains("suite.yaml", run.Items[1].Message, StringComparison.Ordinal);
        Assert.Equal(2, run.ExitCode);
    }

    [Fact]
    public async Task Cancelling_ends_running_guests_in_order()
    {
        using var cancel = new CancellationTokenSource();
        var observer = new CancelOnStart(cancel);
        string yaml = """
            suite: s
            tests:
              - name: endless
                matrix: {n: [1, 2, 3, 4, 5, 6]}
                vm: busy-loop
                assert: {end: hang}
            """;
        string path = System.IO.Path.GetTempFileName();
        await System.IO.File.WriteAllTextAsync(path, yaml);
        RunResult run = await SuiteRunner.RunAsync(new SuiteRunOptions { SuiteFiles = [path] }, observer, cancel.Token);
        System.IO.File.Delete(path);

        Assert.True(run.Cancelled);
        Assert.All(run.Items, i => Assert.Equal(Outcome.Cancelled, i.Outcome));
        Assert.Equal(130, run.ExitCode);
    }

    private static long Metric(ItemResult item, string name) => item.Metrics.Single(m => m.Name == name).Value;

    private sealed class CancelOnStart(CancellationTokenSource cancel) : IRunObserver
    {
        public void OnItemStarted(ItemInfo item) => cancel.CancelAfter(TimeSpan.FromMilliseconds(300));
    }
}
