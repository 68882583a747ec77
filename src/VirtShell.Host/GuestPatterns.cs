using System.Collections.Generic;
using System.Text.RegularExpressions;

namespace VirtShell.Host;

/// <summary>A pattern in a guest's serial output that tells of trouble.</summary>
/// <param name="Name">Kebab-case, for suites and reports.</param>
/// <param name="Description">What a match means.</param>
/// <param name="Pattern">Matched against one line without its line end.</param>
public sealed record GuestPattern(string Name, string Description, Regex Pattern);

/// <summary>
/// Patterns of guests' kernels, anchored so that a good boot, an echoed command or a log that merely talks of a panic
/// does not match: the words stand at the start of a line or right after printk's time stamp.
/// </summary>
public static partial class GuestPatterns
{
    // printk's prefix: "[   12.345678] ", with CONFIG_PRINTK_CALLER "[   12.345678][    T1] ". It may follow a prompt on the same line.
    private const string Anchor = @"(?:^|\[ *\d+\.\d{6}\](?:\[ *[TC]\d+\])? )";

    /// <summary>The guest's kernel has given up: the run is over.</summary>
    public static IReadOnlyList<GuestPattern> Panics { get; } =
    [
        new("linux-panic", "The Linux kernel panicked.", LinuxPanic()),
    ];

    /// <summary>The guest's kernel reports an error of its own that it may survive.</summary>
    public static IReadOnlyList<GuestPattern> Faults { get; } =
    [
        new("linux-oops", "The Linux kernel hit an error in kernel mode (oops).", LinuxOops()),
        new("linux-bug", "The Linux kernel found itself in an impossible state.", LinuxBug()),
        new("linux-lockup", "A Linux processor made no progress.", LinuxLockup()),
        new("linux-rcu-stall", "Linux's RCU saw a processor stall.", LinuxRcuStall()),
        new("linux-hung-task", "A Linux task was blocked for too long.", LinuxHungTask()),
    ];

    [GeneratedRegex(Anchor + @"Kernel panic - not syncing: ", RegexOptions.CultureInvariant)]
    private static partial Regex LinuxPanic();

    [GeneratedRegex(Anchor + @"(?:Oops: (?:[A-Za-z ]+: )?[0-9a-f]{4} \[#\d+\]|(?:general protection fault|invalid opcode|divide error|stack segment|double fault)[^:]*: [0-9a-f]{4} \[#\d+\])", RegexOptions.CultureInvariant)]
    private static partial Regex LinuxOops();

    [GeneratedRegex(Anchor + @"(?:kernel BUG at \S+:\d+!|BUG: (?:unable to handle|kernel NULL pointer dereference|scheduling while atomic|Bad page state|Bad rss-counter))", RegexOptions.CultureInvariant)]
    private static partial Regex LinuxBug();

    [GeneratedRegex(Anchor + @"(?:watchdog: BUG: soft lockup - CPU#\d+ stuck|(?:NMI )?watchdog: Watchdog detected hard LOCKUP on cpu)", RegexOptions.CultureInvariant)]
    private static partial Regex LinuxLockup();

    [GeneratedRegex(Anchor + @"rcu: INFO: rcu_\w+ (?:self-)?detected (?:expedited )?stalls?", RegexOptions.CultureInvariant)]
    private static partial Regex LinuxRcuStall();

    [GeneratedRegex(Anchor + @"INFO: task \S+:\d+ blocked for more than \d+ seconds", RegexOptions.CultureInvariant)]
    private static partial Regex LinuxHungTask();
}
