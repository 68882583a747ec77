using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.RegularExpressions;
using VirtShell.Harness.Console;
using VirtShell.Harness.Loading;
using VirtShell.Harness.Model;
using VirtShell.Harness.Steps;
using VirtShell.Host;
using VirtShell.Machine;
using VirtShell.State;
using VirtShell.State.Tests.Coverage;
using Xunit;

namespace VirtShell.Harness.Tests;

/// <summary>A script that is saved and loaded into another driver, even before each single byte, comes to the same.</summary>
public sealed class ResumedScriptTests
{
    private const string Trouble = "BUG: unable to handle page fault";

    public static TheoryData<string, string> Scripts => new()
    {
        { "expect, send", "- expect: \"login: \"\n- send: root\n  enter: true\n- expect: {regex: '\\$ $'}" },
        { "a match across a pause", "- expect: {regex: 'log.n: $'}\n- wait: 1s\n- expect: none\n  timeout: 2s" },
        { "a command", "- run: cat /proc/version\n  output: hello" },
        { "a command with messages", "- run: dmesg\n  keep-kernel-messages: true" },
        { "two commands", "- run: one\n- run: two\n  status: any\n- stop: plug" },
        { "a command of no prompt", "- run: x\n  prompt: never\n  timeout: 1s" },
        { "an end", "- expect: \"~ # \"\n- stop: button" },
        { "trouble", "- expect: nothing of that\n" },
        { "typing at once", "- send: early\n- expect: early" },
        { "other port", "- expect: zwei\n  port: com2" },
    };

    [Theory]
    [MemberData(nameof(Scripts))]
    public void It_comes_to_the_same(string what, string steps)
    {
        LoadedItem item = Item(steps);
        IReadOnlyList<TextPattern> never = [.. Patterns.BuiltIn];
        ScriptDriver Make() => new(item.Test, "salt", never);
        ScriptDriver whole = Make();
        Play(whole);
        Resumed resumed = new(Make);
        Play(resumed);
        Assert.True(whole.Results.Count > 0, what);
        Assert.Equal(whole.Results, resumed.Now.Results);
        Assert.Equal(whole.Forbidden, resumed.Now.Forbidden);
        Assert.Equal(whole.Port(Outlet.Com1).Pauses, resumed.Now.Port(Outlet.Com1).Pauses);
        Assert.Equal((whole.StepsDone, whole.TimedOut, whole.Activity), (resumed.Now.StepsDone, resumed.Now.TimedOut, resumed.Now.Activity));
    }

    [Fact]
    public void Of_another_test_it_is_refused()
    {
        ScriptDriver driver = Driver("- expect: one");
        Start(driver);
        byte[] state = driver.Save();
        Assert.Contains("its steps differ", Assert.Throws<StateFormatException>(() => Driver("- expect: two").Load(state)).Message);
        Assert.Contains("'salt', not 'other'", Assert.Throws<StateFormatException>(() => new ScriptDriver(Item("- expect: one").Test, "other", []).Load(state)).Message);
        Driver("- expect: one").Load(state);
    }

    [Theory]
    [InlineData("- expect: {regex: 'never'}")]
    [InlineData("- run: true")]
    [InlineData("- send: text")]
    [InlineData("- stop: button")]
    [InlineData("- wait: 5s")]
    public void Every_field_is_described_or_says_why_not(string step)
    {
        ScriptDriver driver = new(Item("- boot\n" + step).Test, "salt", [.. Patterns.BuiltIn]);
        ScriptedGuest guest = Start(driver);

        // As much text as there is room for, so that every character counts.
        foreach (byte value in Encoding.ASCII.GetBytes(Trouble + "\n" + new string('x', 4096 - Trouble.Length - 1)))
        {
            driver.OnSerial(guest, Outlet.Com1, value);
        }

        StateCoverage coverage = StateCoverage.Of(driver);
        Assert.True(coverage.Forgotten.Count == 0, $"Neither described nor marked with [NotState]: {string.Join(", ", coverage.Forgotten)}");
        Assert.Contains(typeof(StreamMatcher), step.StartsWith("- expect", StringComparison.Ordinal) ? coverage.Types : [typeof(StreamMatcher)]);
    }

    /// <summary>Bytes that are no UTF-8 come to the characters that .NET's own decoder makes of them, wherever the state was saved.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Any_bytes_come_to_the_characters_that_a_decoder_gives(int seed)
    {
        Random random = new(seed);
        byte[] sample = [.. Encoding.UTF8.GetBytes("grün → 𝄞 "), 0xF0, 0x9F, 0xE2, 0xED, 0xA0, 0x80, 0xC0, 0xFF, 0x80, (byte)'a'];
        byte[] bytes = [.. Enumerable.Range(0, 3000).Select(_ => sample[random.Next(sample.Length)])];
        ConsoleText text = new();
        foreach (byte value in bytes)
        {
            ConsoleText next = new();
            next.Load(text.Save());
            text = next;
            text.Feed(value);
        }

        text.Finish();
        string expected = new([.. Encoding.UTF8.GetString(bytes).Where(c => c is '\n' or '\t' || (c >= ' ' && c != '\x7f' && (c < '\x80' || c >= '\xa0')))]);
        Assert.Equal(expected, text.Clean.Slice(0, text.Clean.End).ToString());
    }

    private static ScriptDriver Driver(string steps) => new(Item(steps).Test, "salt", []);

    private static LoadedItem Item(string steps)
    {
        string indented = string.Concat(steps.Split('\n').Select(line => $"      {line}\n"));
        return SuiteLoader.Parse($"suite: s\ntests:\n  - name: t\n    vm: hello\n    limits: {{step: 20s}}\n    steps:\n{indented}", "s.yaml").Items[0];
    }

    private static ScriptedGuest Start(ScriptDriver driver)
    {
        ScriptedGuest guest = new(driver);
        driver.OnStart(guest);
        return guest;
    }

    // A boot with messages that break into everything, a login, a shell, trouble on the way, and a second port.
    private static void Play(IGuestDriver driver)
    {
        ScriptedGuest guest = new(driver)
        {
            OnTyped = (g, typed) =>
            {
                Match begin = Regex.Match(typed, @"^echo (\w+)''(\w+):begin:;");
                string token = begin.Groups[1].Value + begin.Groups[2].Value;
                g.Say(2, begin.Success
                    ? $"{typed}{token}:beg[    3.000001] random: crng init done\r\nin:\r\nhello\r\n{token}:end:0:\r\n~ # ".Replace("\n", "\r\n", StringComparison.Ordinal)
                    : typed + "\r\nwelcome\r\n$ ");
            },
        };
        guest.Say(10, "[    0.000000] Linux version\r\ngrün → \x1b[31mred\x1b[0m\r\nlog[    2.345678] virtio_blk virtio1: [vda]\r\nin: ");
        guest.Say(40, "~ # ").Say(60, "eins zwei drei", Outlet.Com2);
        guest.Say(2_500, Trouble + "\r\nmore of it\r\n");
        guest.EndWith(30_000, VmEndKind.PowerOff);
        guest.Run();
    }

    /// <summary>Hands the script on to a driver that knows nothing before each call.</summary>
    private sealed class Resumed(Func<ScriptDriver> make) : IGuestDriver
    {
        public ScriptDriver Now { get; private set; } = make();

        public string Kind => Now.Kind;

        public void Describe(StateVisitor visitor) => Now.Describe(visitor);

        public void OnStart(IGuestControl control) => Now.OnStart(control);

        public void OnSerial(IGuestControl control, Outlet outlet, byte value) => Next().OnSerial(control, outlet, value);

        public void OnAlarm(IGuestControl control) => Next().OnAlarm(control);

        public void OnEnd(IGuestControl control, VmEndKind end) => Now.OnEnd(control, end);

        private ScriptDriver Next()
        {
            byte[] state = Now.Save();
            Now = make();
            Now.Load(state);
            return Now;
        }
    }
}
