using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using VirtShell.Harness.Console;
using Xunit;

namespace VirtShell.Harness.Tests;

/// <summary>Types wrapped commands into real shells and takes the results from between the markers.</summary>
public sealed class ShellCommandTests
{
    private static readonly string[][] s_shells = [["/bin/sh"], ["/bin/dash"], ["/bin/bash"], ["/bin/busybox", "sh"], ["/usr/bin/busybox", "sh"]];

    public static IEnumerable<object[]> Commands =>
    [
        ["echo hello", "hello", 0],
        ["printf 'no newline'", "no newline", 0],
        ["printf 'a\\n\\n\\n'", "a", 0],
        ["true", "", 0],
        ["false", "", 1],
        ["(exit 42)", "", 42],
        ["echo 'single' \"double\" `echo back` $((1+2)) # comment", "single double back 3", 0],
        ["echo it\\'s", "it's", 0],
        ["echo one\necho two", "one\ntwo", 0],
        ["cat <<END\nhere $((1+1))\nEND", "here 2", 0],
        ["cd /; x=5; pwd; echo $x", "/\n5", 0],
        ["printf 'tab:\t:'", "tab:\t:", 0],
        ["if", null!, -1],
        ["echo \"" + new string('y', 1500) + "\"", new string('y', 1500), 0],
        ["echo VirtShell", "VirtShell", 0],
    ];

    [SkippableTheory]
    [MemberData(nameof(Commands))]
    public void Output_and_status_come_through(string command, string? output, int status)
    {
        string[][] shells = [.. s_shells.Where(s => File.Exists(s[0]))];
        Skip.If(shells.Length == 0, "There is no POSIX shell here.");
        var wrapped = new ShellCommand(command, "salt");
        foreach (string[] shell in shells)
        {
            (string found, int foundStatus) = Run(shell, wrapped);
            if (output is null)
            {
                // A syntax error: each shell has its own words and number for it, but the end is always marked.
                Assert.NotEqual(0, foundStatus);
                continue;
            }

            Assert.Equal((output, status), (found, foundStatus));
        }
    }

    [Fact]
    public void What_is_typed_never_holds_a_marker()
    {
        var command = new ShellCommand("echo x", "salt");

        Assert.DoesNotContain(command.BeginMarker, command.Typed, StringComparison.Ordinal);
        Assert.DoesNotContain(command.EndMarker, command.Typed, StringComparison.Ordinal);
    }

    [Fact]
    public void Typed_lines_fit_small_line_editors_and_hold_no_editing_keys()
    {
        var command = new ShellCommand(new string('\'', 500) + "\t" + new string('x', 5000), "salt");

        Assert.All(command.Typed.Split('\n'), line => Assert.True(line.Length < 500));
        Assert.DoesNotContain(command.Typed, c => char.IsControl(c) && c != '\n');
    }

    [Fact]
    public void The_same_salt_gives_the_same_marker_and_another_another()
    {
        Assert.Equal(new ShellCommand("a", "s").BeginMarker, new ShellCommand("b", "s").BeginMarker);
        Assert.NotEqual(new ShellCommand("a", "s").BeginMarker, new ShellCommand("a", "t").BeginMarker);
    }

    private static (string Output, int Status) Run(string[] shell, ShellCommand command)
    {
        var start = new ProcessStartInfo(shell[0], shell.Skip(1)) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        process.StandardInput.Write(command.Typed);
        process.StandardInput.Close();
        string all = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        int begin = all.IndexOf(command.BeginMarker, StringComparison.Ordinal);
        int end = all.IndexOf(command.EndMarker, StringComparison.Ordinal);
        Assert.True(begin >= 0 && end > begin, $"{shell[0]} printed no markers: {all}{process.StandardError.ReadToEnd()}");
        string status = all[(end + command.EndMarker.Length)..].TrimEnd('\n').TrimEnd(':');
        return (ShellCommand.TrimOutput(all.AsSpan(begin + command.BeginMarker.Length, end - begin - command.BeginMarker.Length)), int.Parse(status));
    }
}
