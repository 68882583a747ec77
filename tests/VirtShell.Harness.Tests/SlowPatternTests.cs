using System;
using System.IO;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Harness.Console;
using VirtShell.Harness.Execution;
using VirtShell.Harness.Loading;
using VirtShell.Harness.Steps;
using VirtShell.Host;
using Xunit;

namespace VirtShell.Harness.Tests;

/// <summary>A regular expression that takes too long is the suite's mistake wherever it stands, with its place, and no defect of VirtShell's.</summary>
public sealed class SlowPatternTests
{
    /// <summary>
    /// Two ways to take each character, and an end that never is: twice the time for each character or two of a line. Look-behind keeps it
    /// from the engine that is linear, and says nothing of a character that must come, by which the other one would see at once that
    /// nothing can match.
    /// </summary>
    private const string Slow = "^(?:.|..)+(?<=~)$";

    private const string Line = "a line of some sixty characters, which makes it take for ever";

    [Theory]
    [InlineData("    steps:\n      - expect: {regex: 'SLOW'}\n", 6, 25)]
    [InlineData("    assert:\n      never: [{regex: 'SLOW'}]\n", 6, 23)]
    [InlineData("    assert:\n      serial:\n        - {regex: 'SLOW'}\n", 7, 19)]
    public async Task It_is_an_error_of_the_item_with_its_place(string rest, int line, int column)
    {
        string file = Path.Combine(Path.GetTempPath(), "s.yaml");
        LoadedSuite suite = SuiteLoader.Parse($"suite: s\ntests:\n  - name: t\n    vm: hello\n{rest.Replace("SLOW", Slow, StringComparison.Ordinal)}", file);
        LoadedItem loaded = suite.Items[0];
        using var disks = new GeneratedDisks();
        using var host = new VmHost(homeFolder: null);

        ItemResult result = await new ItemRunner(host, disks, new SuiteRunOptions { SuiteFiles = [file] })
            .RunAsync(new ItemInfo(0, file, suite.Name, loaded.TestName, loaded.Name, loaded.Matrix), loaded, suite, null, ScreenReferences.None, _ => { }, CancellationToken.None);

        Assert.Equal(Outcome.Error, result.Outcome);
        Assert.StartsWith($"{file}:{line}:{column}: the regular expression /{Slow}/ took longer than a second", result.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("defect", result.Message, StringComparison.Ordinal);
        Assert.StartsWith("Hello from VirtShell", result.SerialText, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{run: x, prompt: {regex: 'SLOW'}}", Line)]
    [InlineData("{run: x, output: {regex: 'SLOW'}}", "$ ")]
    public void It_ends_a_run_wherever_it_is_looked_for(string step, string prompt)
    {
        LoadedItem item = SuiteLoader.Parse($"suite: s\ntests:\n  - name: t\n    vm: hello\n    steps: [{step.Replace("SLOW", Slow, StringComparison.Ordinal)}]\n", "s.yaml").Items[0];
        var driver = new ScriptDriver(item.Test, "salt", []);
        var command = new ShellCommand("x", "salt#0");
        var guest = new ScriptedGuest(driver) { OnTyped = (g, _) => g.Say(1, $"{command.BeginMarker}\n{Line}\n{command.EndMarker}0:\n") };

        guest.Say(10, prompt).Run();

        Assert.Equal(5, driver.Mistake?.In("s.yaml").Line);
    }
}
