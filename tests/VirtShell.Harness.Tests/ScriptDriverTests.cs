using System;
using System.Linq;
using System.Text.RegularExpressions;
using VirtShell.Harness.Execution;
using VirtShell.Harness.Loading;
using VirtShell.Harness.Steps;
using VirtShell.Host;
using Xunit;

namespace VirtShell.Harness.Tests;

public sealed class ScriptDriverTests
{
    [Fact]
    public void Steps_follow_each_other_on_what_the_guest_sends()
    {
        ScriptDriver driver = Driver("""
            - boot
            - expect: "login: "
            - send: root
              enter: true
            - expect: {regex: '\$ $'}
            """);
        var guest = new ScriptedGuest(driver) { OnTyped = (g, text) => g.Say(5, text + "\nwelcome\n$ ") };
        guest.Say(100, "booting\r\nlogin: ");

        Assert.Equal(VmEndKind.TurnedOff, guest.Run());
        Assert.All(driver.Results, r => Assert.Equal(Outcome.Passed, r.Outcome));
        Assert.Equal("root\r", guest.Typed);
        Assert.Equal(4, driver.Results.Count);
    }

    [Fact]
    public void Output_from_before_a_step_still_counts_unless_it_was_consumed()
    {
        ScriptDriver driver = Driver("""
            - expect: one
            - wait: 1s
            - expect: two
            - expect: one
              timeout: 2s
            """);
        var guest = new ScriptedGuest(driver);
        guest.Say(10, "one ").Say(20, "two ");
        guest.Run();

        Assert.Equal([Outcome.Passed, Outcome.Passed, Outcome.Passed, Outcome.Failed], driver.Results.Select(r => r.Outcome));
    }

    [Fact]
    public void A_timeout_is_in_guest_time_and_shows_the_tail()
    {
        ScriptDriver driver = Driver("""
            - expect: never comes
              timeout: 3s
            - send: not reached
            """);
        var guest = new ScriptedGuest(driver);
        guest.Say(10, "line one\r\nline \x1b[31mtwo\x1b[0m\r\n");
        guest.Run();

        StepResult failed = driver.Results[0];
        Assert.Equal(Outcome.Failed, failed.Outcome);
        Assert.Contains("within 3 s of guest time while waiting for \"never comes\"", failed.Message, StringComparison.Ordinal);
        Assert.Contains("    line one\n    line two", failed.Message, StringComparison.Ordinal);
        Assert.Equal(TimeSpan.FromSeconds(3), failed.GuestTime);
        Assert.Equal(Outcome.Skipped, driver.Results[1].Outcome);
        Assert.Equal(string.Empty, guest.Typed);
    }

    [Fact]
    public void A_guest_that_ends_fails_the_step_in_progress()
    {
        ScriptDriver driver = Driver("- expect: x\n- expect: y\n");
        var guest = new ScriptedGuest(driver);
        guest.Say(1, "boom").EndWith(5, VmEndKind.TripleFault);
        guest.Run();

        Assert.Contains("ended (triple fault) while waiting for \"x\"", driver.Results[0].Message, StringComparison.Ordinal);
        Assert.Equal(Outcome.Skipped, driver.Results[1].Outcome);
    }

    [Fact]
    public void A_match_in_the_very_last_bytes_counts()
    {
        ScriptDriver driver = Driver("- expect: '[bye'\n", "poweroff");
        var guest = new ScriptedGuest(driver);
        guest.Say(1, "[bye").EndWith(2, VmEndKind.PowerOff);
        guest.Run();

        Assert.Equal(Outcome.Passed, driver.Results[0].Outcome);
    }

    [Theory]
    [InlineData("~ # ")]
    [InlineData("\x1b[?2004h~ # \x1b[6n")]
    [InlineData("~ # [    3.141592] random: crng init done\r\n")]
    [InlineData("~[    3.141592] random: crng init done\r\n # ")]
    public void A_command_is_run_at_a_prompt_in_any_disguise(string prompt)
    {
        ScriptDriver driver = Driver("- run: uname\n  output: Linux\n");
        ScriptedGuest guest = Shell(driver, "Linux\n", 0);
        guest.Say(10, prompt);
        guest.Run();

        StepResult run = Assert.Single(driver.Results);
        Assert.Equal((Outcome.Passed, "Linux", 0), (run.Outcome, run.Output, run.ExitStatus));
    }

    [Fact]
    public void Kernel_messages_that_break_into_markers_and_output_are_taken_out()
    {
        ScriptDriver driver = Driver("- run: cmd\n");
        var guest = new ScriptedGuest(driver)
        {
            OnTyped = (g, text) =>
            {
                (string begin, string end) = Markers(text);
                string noise = "[    9.000001] usb 1-1: new device\r\n";
                g.Say(1, $"{text.Replace("\n", "\r\n", StringComparison.Ordinal)}{begin[..12]}{noise}{begin[12..]}\r\nout{noise}put\r\n{end[..5]}{noise}{end[5..]}1{noise}7:\r\n~ # ");
            },
        };
        guest.Say(10, "~ # ");
        guest.Run();

        StepResult run = Assert.Single(driver.Results);
        Assert.Equal(("output", 17), (run.Output, run.ExitStatus));
        Assert.Contains("exit status was 17, not 0", run.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Kernel_messages_are_kept_where_they_are_the_output()
    {
        ScriptDriver driver = Driver("- run: dmesg\n  keep-kernel-messages: true\n  output: Linux version\n");
        ScriptedGuest guest = Shell(driver, "[    0.000000] Linux version 6.1\n", 0);
        guest.Say(10, "~ # ");
        guest.Run();

        Assert.Equal("[    0.000000] Linux version 6.1", driver.Results[0].Output);
        Assert.Equal(Outcome.Passed, driver.Results[0].Outcome);
    }

    [Fact]
    public void Text_that_only_looks_like_a_prompt_for_a_moment_is_none()
    {
        ScriptDriver driver = Driver("- run: cmd\n");
        ScriptedGuest guest = Shell(driver, "ok\n", 0);
        guest.Say(10, "### # begins a banner\r\n").Say(500, "~ # ");
        guest.Run();

        StepResult run = Assert.Single(driver.Results);
        Assert.Equal(Outcome.Passed, run.Outcome);
        Assert.True(run.GuestTime > TimeSpan.FromMilliseconds(500));
    }

    [Fact]
    public void Two_commands_wait_for_a_fresh_prompt_each()
    {
        ScriptDriver driver = Driver("- run: a\n- run: b\n");
        int typedAt = 0;
        var guest = new ScriptedGuest(driver)
        {
            OnTyped = (g, text) =>
            {
                typedAt++;
                (string begin, string end) = Markers(text);
                g.Say(1, $"{text.Replace("\n", "\r\n", StringComparison.Ordinal)}{begin}\r\n{typedAt}\r\n{end}0:\r\n").Say(300, "~ # ");
            },
        };
        guest.Say(10, "~ # ");
        guest.Run();

        Assert.Equal(["1", "2"], driver.Results.Select(r => r.Output));
        Assert.True(driver.Results[1].GuestTime > TimeSpan.FromMilliseconds(300));
    }

    [Fact]
    public void A_prompt_that_an_expectation_consumed_is_still_a_prompt()
    {
        ScriptDriver driver = Driver("- expect: '~ # '\n- run: a\n");
        ScriptedGuest guest = Shell(driver, "ok\n", 0);
        guest.Say(10, "~ # ");
        guest.Run();

        Assert.All(driver.Results, r => Assert.Equal(Outcome.Passed, r.Outcome));
    }

    [Fact]
    public void A_command_without_a_prompt_times_out_and_says_so()
    {
        ScriptDriver driver = Driver("- run: a\n  timeout: 1s\n");
        var guest = new ScriptedGuest(driver);
        guest.Say(10, "no shell here\n");
        guest.Run();

        Assert.Contains("while waiting for the prompt /[#$] $/", driver.Results[0].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Media_are_changed_and_ejected_at_once()
    {
        ScriptDriver driver = Driver("- change-media: apt:a#b\n- eject: cd2\n- change-media: apt:c#d\n  drive: floppy\n- stop: plug\n", vm: "{guest: hello, cds: [{}, {}], floppies: [{}]}");
        var guest = new ScriptedGuest(driver);

        guest.Run();
        Assert.Equal(["Cd 0: apt:a#b", "Cd 1: none", "Floppy 0: apt:c#d"], guest.Media);
        Assert.All(driver.Results, result => Assert.Equal(Outcome.Passed, result.Outcome));
    }

    [Fact]
    public void Stop_presses_the_button_and_then_pulls_the_plug()
    {
        ScriptDriver driver = Driver("- stop\n");
        var guest = new ScriptedGuest(driver);

        Assert.Equal(VmEndKind.TurnedOff, guest.Run());
        Assert.True(guest.ButtonPressed);
        Assert.Equal(30_000_000_000, guest.GuestTime);
        Assert.Equal(Outcome.Passed, driver.Results[0].Outcome);
        Assert.Contains("the plug was pulled", driver.Results[0].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Stop_by_button_fails_where_the_guest_does_not_react()
    {
        ScriptDriver driver = Driver("- stop: button\n  timeout: 2s\n");
        var guest = new ScriptedGuest(driver);
        guest.Run();

        Assert.Equal(Outcome.Failed, driver.Results[0].Outcome);
    }

    [Fact]
    public void Stop_passes_when_the_guest_switches_itself_off()
    {
        ScriptDriver driver = Driver("- stop: button\n");
        var guest = new ScriptedGuest(driver) { OnButton = g => g.EndWith(100, VmEndKind.PowerOff) };

        Assert.Equal(VmEndKind.PowerOff, guest.Run());
        Assert.Equal(Outcome.Passed, driver.Results[0].Outcome);
    }

    [Fact]
    public void A_forbidden_line_ends_the_run_a_little_later()
    {
        LoadedItem item = Item("- expect: never\n", "poweroff", "never: [oh no]");
        var driver = new ScriptDriver(item.Test, "salt", Judge.NeverPatterns(item.Test));
        var guest = new ScriptedGuest(driver);
        guest.Say(10, "fine\noh no\n").Say(1000, "the rest of the report\n").Say(3000, "too late\n");

        Assert.Equal(VmEndKind.TurnedOff, guest.Run());
        Assert.Equal("oh no", Assert.Single(driver.Forbidden).Line);
        Assert.InRange(guest.GuestTime, 2_000_000_000, 2_100_000_000);
        Assert.Contains("because it printed what it never may, \"oh no\"", driver.Results[0].Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[    5.000000] Kernel panic - not syncing: VFS: Unable to mount root fs\r\n", true)]
    [InlineData("~ # [    5.000000] Oops: 0002 [#1] PREEMPT SMP\r\n", true)]
    [InlineData("[    1.000000] Kernel command line: panic=-1 oops=panic\r\n", false)]
    [InlineData("~ # echo Kernel panic - not syncing: x\r\n", false)]
    public void Built_in_patterns_know_trouble_from_talk_of_it(string line, bool trouble)
    {
        LoadedItem item = Item("- wait: 1s\n", "turned-off", "never: [linux-panic, linux-oops]");
        var driver = new ScriptDriver(item.Test, "salt", Judge.NeverPatterns(item.Test));
        var guest = new ScriptedGuest(driver);
        guest.Say(10, line);
        guest.Run();

        Assert.Equal(trouble, driver.Forbidden.Count > 0);
    }

    [Fact]
    public void A_prompt_without_a_line_end_is_found_a_millisecond_later()
    {
        ScriptDriver driver = Driver("- expect: {regex: 'login: $'}\n- expect: {regex: 'word: $'}\n");
        var guest = new ScriptedGuest(driver);
        guest.Say(10, "login: ").Say(20, "pass").Say(21, "word: ");
        guest.Run();

        Assert.All(driver.Results, r => Assert.Equal(Outcome.Passed, r.Outcome));
        Assert.Equal(11_000_600, (driver.Results[0].StartedAt + driver.Results[0].GuestTime).Ticks * 100);
    }

    [Fact]
    public void An_abandoned_run_looks_at_nothing_more()
    {
        ScriptDriver driver = Driver("- expect: {regex: 'a'}\n");
        driver.Abandon();
        var guest = new ScriptedGuest(driver);
        guest.Say(1, "aaa\n").EndWith(5, VmEndKind.TurnedOff);
        guest.Run();

        Assert.Equal(Outcome.Failed, driver.Results[0].Outcome);
    }

    [Fact]
    public void The_first_to_type_waits_until_someone_listens()
    {
        ScriptDriver driver = Driver("- send: a\n- send: b\n");
        var guest = new ScriptedGuest(driver) { Listens = false };
        guest.Say(10, "starting\n").Say(500, "> ").Then(500, g => g.Listens = true);
        string typedBefore = "?";
        guest.Then(505, g => typedBefore = g.Typed);
        guest.Run();

        Assert.Equal(string.Empty, typedBefore);
        Assert.Equal("ab", guest.Typed);
        Assert.InRange(driver.Results[0].GuestTime, TimeSpan.FromMilliseconds(520), TimeSpan.FromMilliseconds(550));
    }

    [Fact]
    public void Typing_to_nobody_fails_and_says_so()
    {
        ScriptDriver driver = Driver("- send: a\n");
        var guest = new ScriptedGuest(driver) { Listens = false };
        guest.Run();

        Assert.Contains("Nothing in the guest listened", driver.Results[0].Message, StringComparison.Ordinal);
        Assert.Equal(string.Empty, guest.Typed);
    }

    [Theory]
    [InlineData("needle-at-the-start", Outcome.Passed)]
    [InlineData("needle-in-the-middle", Outcome.Failed)]
    [InlineData("needle-at-the-end", Outcome.Passed)]
    public void Beginning_and_end_of_a_long_output_are_kept(string wanted, Outcome outcome)
    {
        ScriptDriver driver = Driver($"- run: cmd\n  output: {wanted}\n");
        var output = new System.Text.StringBuilder("needle-at-the-start\n");
        for (int i = 0; i < 200_000; i++)
        {
            output.Append("0123456789abcde\n");
            if (i == 50_000)
            {
                output.Append("needle-in-the-middle\n");
            }
        }

        output.Append("needle-at-the-end\n");
        ScriptedGuest guest = Shell(driver, output.ToString(), 0);
        guest.Say(10, "~ # ");
        guest.Run();

        StepResult run = Assert.Single(driver.Results);
        Assert.Equal(outcome, run.Outcome);
        Assert.Contains("characters were not kept", run.Output, StringComparison.Ordinal);
        if (outcome == Outcome.Failed)
        {
            Assert.Contains("may be in the part that was not kept", run.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_command_that_ends_init_says_so()
    {
        ScriptDriver driver = Driver("- run: exit 3\n");
        var guest = new ScriptedGuest(driver)
        {
            OnTyped = (g, text) => g.Say(1, $"{text}{Markers(text).Begin}\n[    9.000001] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000300\n").EndWith(5, VmEndKind.Panic),
        };
        guest.Say(10, "~ # ");
        guest.Run();

        string message = Assert.Single(driver.Results).Message;
        Assert.Contains("The kernel panicked while the command ran: Kernel panic - not syncing: Attempted to kill init!", message, StringComparison.Ordinal);
        Assert.Contains("put the command in parentheses", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_command_that_ends_its_shell_says_so()
    {
        ScriptDriver driver = Driver("- run: exit 3\n  timeout: 1s\n");
        var guest = new ScriptedGuest(driver) { OnTyped = (g, text) => g.Say(1, $"{text}{Markers(text).Begin}\n\nlogin: ") };
        guest.Say(10, "~ # ");
        guest.Run();

        Assert.Contains("may have ended its own shell: put it in parentheses, \"(exit 3)\"", Assert.Single(driver.Results).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_test_without_steps_waits_for_the_guest_s_own_end()
    {
        ScriptDriver driver = Driver(string.Empty);
        var guest = new ScriptedGuest(driver);
        guest.EndWith(5000, VmEndKind.PowerOff);

        Assert.Equal(VmEndKind.PowerOff, guest.Run());
    }

    [Fact]
    public void The_whole_run_s_limit_is_kept()
    {
        ScriptDriver driver = Driver(string.Empty, "poweroff");
        var guest = new ScriptedGuest(driver);
        guest.Run();

        Assert.True(driver.TimedOut);
        Assert.Equal(600_000_000_000, guest.GuestTime);
    }

    private static ScriptDriver Driver(string steps, string? end = null, string vm = "hello") => new(Item(steps, end, vm: vm).Test, "salt", []);

    private static LoadedItem Item(string steps, string? end = null, string? more = null, string vm = "hello")
    {
        string indented = string.Concat(steps.Split('\n').Select(l => l.Length == 0 ? string.Empty : $"      {l}\n"));
        string asserts = string.Join(", ", new[] { end is null ? null : $"end: {end}", more }.OfType<string>());
        string yaml = $"suite: s\ntests:\n  - name: t\n    vm: {vm}\n    assert: {{{asserts}}}\n    steps:{(indented.Length == 0 ? " []" : string.Empty)}\n{indented}";
        return SuiteLoader.Parse(yaml, "s.yaml").Items[0];
    }

    /// <summary>A shell that echoes what is typed and answers one command.</summary>
    private static ScriptedGuest Shell(ScriptDriver driver, string output, int status) => new(driver)
    {
        OnTyped = (g, text) =>
        {
            (string begin, string end) = Markers(text);
            string answer = $"{text}{begin}\n{output}{end}{status}:\n~ # ".Replace("\n", "\r\n", StringComparison.Ordinal);
            g.Say(2, answer);
        },
    };

    /// <summary>What the shell would print for the two echo commands.</summary>
    private static (string Begin, string End) Markers(string typed)
    {
        Match begin = Regex.Match(typed, @"^echo (\w+)''(\w+):begin:;");
        string token = begin.Groups[1].Value + begin.Groups[2].Value;
        return ($"{token}:begin:", $"{token}:end:");
    }
}
