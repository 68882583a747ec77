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
        new("linux-kasan", "KASAN found an access to memory that is not the accessor's.", LinuxKasan()),
        new("linux-kfence", "KFENCE found an access to memory that is not the accessor's.", LinuxKfence()),
        new("linux-kmsan", "KMSAN found a use of memory that was never written.", LinuxKmsan()),
        new("linux-kcsan", "KCSAN found a data race.", LinuxKcsan()),
        new("linux-ubsan", "UBSAN found undefined behaviour.", LinuxUbsan()),
        new("linux-lockdep", "The lock validator found locks taken in a way that can deadlock, or not held where they must be.", LinuxLockdep()),
        new("linux-list-corruption", "A linked list of the Linux kernel is damaged.", LinuxListCorruption()),
        new("linux-refcount", "A reference count of the Linux kernel went where none may go.", LinuxRefcount()),
        new("linux-bug", "The Linux kernel found itself in an impossible state.", LinuxBug()),
        new("linux-warning", "The Linux kernel found something that should not be (WARN_ON).", LinuxWarning()),
        new("linux-lockup", "A Linux processor or work queue made no progress.", LinuxLockup()),
        new("linux-rcu-stall", "Linux's RCU saw a processor stall.", LinuxRcuStall()),
        new("linux-hung-task", "A Linux task was blocked for too long.", LinuxHungTask()),
    ];

    [GeneratedRegex(Anchor + @"Kernel panic - not syncing: ", RegexOptions.CultureInvariant)]
    private static partial Regex LinuxPanic();

    // die() in arch/x86/kernel/dumpstack.c: the words, the error code in four digits, how many times it happened. Newer kernels say "Oops" first.
    [GeneratedRegex(Anchor + @"(?:Oops: .*?[0-9a-f]{4} \[#\d+\]|(?:general protection fault|invalid opcode|divide error|stack segment|double fault|int3|bounds|alignment check)[^:]*: [0-9a-f]{4} \[#\d+\])", RegexOptions.CultureInvariant)]
    private static partial Regex LinuxOops();

    [GeneratedRegex(Anchor + "BUG: KASAN: ", RegexOptions.CultureInvariant)]
    private static partial Regex LinuxKasan();

    [GeneratedRegex(Anchor + "BUG: KFENCE: ", RegexOptions.CultureInvariant)]
    private static partial Regex LinuxKfence();

    [GeneratedRegex(Anchor + "BUG: KMSAN: ", RegexOptions.CultureInvariant)]
    private static partial Regex LinuxKmsan();

    [GeneratedRegex(Anchor + "BUG: KCSAN: ", RegexOptions.CultureInvariant)]
    private static partial Regex LinuxKcsan();

    // lib/ubsan.c: "UBSAN: shift-out-of-bounds in lib/x.c:12:3".
    [GeneratedRegex(Anchor + @"UBSAN: \S+ in \S", RegexOptions.CultureInvariant)]
    private static partial Regex LinuxUbsan();

    // kernel/locking/lockdep.c, each report's first words.
    [GeneratedRegex(Anchor + @"(?:WARNING: (?:possible .{1,80} detected|inconsistent lock state|suspicious RCU usage|bad unlock balance detected|bad contention detected|held lock freed|lock held when returning to user space|.{1,80}-safe -> .{1,80}-unsafe lock order detected|Nested lock was not taken)|INFO: trying to register non-static key|\[ BUG: .{1,80} \])", RegexOptions.CultureInvariant)]
    private static partial Regex LinuxLockdep();

    // lib/list_debug.c.
    [GeneratedRegex(Anchor + @"(?:list_(?:add|del) corruption|list_add double add)", RegexOptions.CultureInvariant)]
    private static partial Regex LinuxListCorruption();

    // lib/refcount.c: "refcount_t: underflow; use-after-free."
    [GeneratedRegex(Anchor + @"refcount_t: (?:saturated|addition on 0|underflow|decrement hit 0|unknown saturation event)", RegexOptions.CultureInvariant)]
    private static partial Regex LinuxRefcount();

    // What has a pattern of its own is left to it. The allocator's reports lack the colon: "BUG kmalloc-64 (Not tainted): Poison overwritten".
    [GeneratedRegex(Anchor + @"(?:kernel BUG at \S+:\d+!|BUG: (?!KASAN: |KFENCE: |KMSAN: |KCSAN: |workqueue lockup|please )\S|BUG \S{1,64} \((?:Not tainted|Tainted)[^)]*\): )", RegexOptions.CultureInvariant)]
    private static partial Regex LinuxBug();

    // kernel/panic.c, __warn(): "WARNING: CPU: 0 PID: 1 at kernel/x.c:12 f+0x1/0x2"; newer kernels put the place first: "WARNING: kernel/x.c:12 at f+0x1/0x2, CPU#0: sh/1".
    [GeneratedRegex(Anchor + @"WARNING: (?:CPU: \d+ PID: \d+ at |\S+:\d+ at )", RegexOptions.CultureInvariant)]
    private static partial Regex LinuxWarning();

    [GeneratedRegex(Anchor + @"(?:watchdog: BUG: soft lockup - CPU#\d+ stuck|(?:NMI )?watchdog: (?:Watchdog detected hard LOCKUP on cpu|CPU\d+: Watchdog detected hard LOCKUP)|BUG: workqueue lockup)", RegexOptions.CultureInvariant)]
    private static partial Regex LinuxLockup();

    [GeneratedRegex(Anchor + @"(?:rcu: )?(?:INFO: rcu_\w+ (?:self-)?detected (?:expedited )?stalls?|rcu_\w+ kthread (?:starved for|timer wakeup didn't happen for) )", RegexOptions.CultureInvariant)]
    private static partial Regex LinuxRcuStall();

    [GeneratedRegex(Anchor + @"INFO: task .{1,64}:\d+ blocked (?:in I/O wait )?for more than \d+ seconds", RegexOptions.CultureInvariant)]
    private static partial Regex LinuxHungTask();
}
