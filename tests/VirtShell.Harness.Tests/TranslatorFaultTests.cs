using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using System.Xml.Linq;
using VirtShell.Cpu;
using VirtShell.Harness.Execution;
using VirtShell.Harness.Loading;
using VirtShell.Harness.Reports;
using VirtShell.Host;
using Xunit;

namespace VirtShell.Harness.Tests;

/// <summary>A fault of the translator's own costs a guest nothing but speed, so an item has to tell of it, whatever its suite says.</summary>
public sealed class TranslatorFaultTests : IDisposable
{
    private const ulong Failing = 32 << 20;

    private readonly string _folder = Directory.CreateTempSubdirectory("virtshell-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [SkippableTheory]
    [InlineData("{name: t, vm: {guest: timer, memory: 32M}}", true)]
    [InlineData("{name: t, vm: {guest: timer, memory: 32M}, assert: {metrics: {engine-translation-failures: {min: 1}}}}", true)]
    [InlineData("{name: t, vm: {guest: timer, memory: 32M}, assert: {end: [poweroff, crash], never: []}}", true)]
    [InlineData("{name: t, vm: timer, neighbours: [{vm: {guest: timer, memory: 32M}}]}", true)]
    [InlineData("{name: t, vm: {guest: timer, memory: 32M, engine: interpreter}}", false)]
    [InlineData("{name: t, vm: timer}", false)]
    public async Task An_item_with_one_does_not_pass(string test, bool fails)
    {
        LoadedSuite suite = SuiteLoader.Parse($"suite: s\ntests:\n  - {test}\n", Path.Combine(_folder, "s.yaml"));
        LoadedItem loaded = suite.Items[0];
        var info = new ItemInfo(0, suite.File, suite.Name, loaded.TestName, loaded.Name, loaded.Matrix);
        using var disks = new GeneratedDisks();
        using var host = new VmHost(homeFolder: null);
        bool translates = true;
        host.Built = machine =>
        {
            translates &= machine.Cpu.IsTranslating || machine.Cpu.Engine == EngineKind.Interpreter;
            if (machine.Memory.RamBytes == Failing && machine.Cpu.IsTranslating)
            {
                machine.Cpu.Translator.Emitting = static _ => throw new InvalidOperationException("An injected failure.");
            }
        };

        ItemResult result = await new ItemRunner(host, disks, new SuiteRunOptions { SuiteFiles = [suite.File] })
            .RunAsync(info, loaded, suite, null, ScreenReferences.None, _ => { }, CancellationToken.None);

        Skip.IfNot(translates, "The translator does not run on this host.");
        if (!fails)
        {
            Assert.Equal((Outcome.Passed, string.Empty), (result.Outcome, result.Message));
            return;
        }

        Assert.Equal(Outcome.Error, result.Outcome);
        Assert.Matches(@"[1-9][0-9]* failed \(engine-translation-failures\).*An injected failure.*please report it", result.Message);
        var run = new RunResult { StartedAt = DateTimeOffset.UnixEpoch, Duration = TimeSpan.Zero, Items = [result] };
        Assert.Equal(2, run.ExitCode);
        ReportFiles.WriteAll(run, _folder);
        Assert.Contains("engine-translation-failures", XDocument.Load(Path.Combine(_folder, "junit.xml")).Descendants("error").Single().Value, StringComparison.Ordinal);
        Assert.Contains("failed (engine-translation-failures)", File.ReadAllText(Path.Combine(_folder, "report.html")), StringComparison.Ordinal);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(_folder, "report.json")));
        JsonElement item = json.RootElement.GetProperty("items")[0];
        Assert.Equal("error", item.GetProperty("outcome").GetString());
        Assert.Contains("engine-translation-failures", item.GetProperty("message").GetString(), StringComparison.Ordinal);
    }
}
