using System.Linq;
using System.Text;
using VirtShell.Host.Running;
using Xunit;

namespace VirtShell.Host.Tests;

public sealed class GuestPatternTests
{
    [Theory]
    [InlineData("[    1.234567] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)")]
    [InlineData("[   12.345678][    T1] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000000")]
    [InlineData("/ # [   12.345678] Kernel panic - not syncing: sysrq triggered crash")]
    [InlineData("Kernel panic - not syncing: No working init found.")]
    public void Panics_are_recognised(string line) => Assert.Contains(GuestPatterns.Panics, pattern => pattern.Pattern.IsMatch(line));

    [Theory]
    [InlineData("~ # grep 'Kernel panic - not syncing: ' /var/log/messages")]
    [InlineData("echo Kernel panic - not syncing: hello")]
    [InlineData("[    0.000000] Kernel command line: console=ttyS0 panic=1 oops=panic")]
    [InlineData("[    0.100000] ---[ end Kernel panic - not syncing: x ]---")]
    [InlineData("[    5.000000] sysrq: HELP : loglevel(0-9) reboot(b) crash(c) kernel panic")]
    [InlineData("[    0.654321] rcu: \tRCU debug extended QS entry/exit.")]
    [InlineData("[    0.654321] rcu: Hierarchical RCU implementation.")]
    [InlineData("[    1.000000] BUG: please report this message to your vendor")]
    [InlineData("[    1.000000] Speculative Store Bypass: Vulnerable")]
    [InlineData("[    1.000000] NMI watchdog: Perf NMI watchdog permanently disabled")]
    [InlineData("[    1.000000] watchdog: Delayed init of the lockup detector failed: -19")]
    public void Good_boots_match_nothing(string line) =>
        Assert.DoesNotContain(GuestPatterns.Panics.Concat(GuestPatterns.Faults), pattern => pattern.Pattern.IsMatch(line));

    [Theory]
    [InlineData("linux-oops", "[    3.141592] Oops: 0002 [#1] PREEMPT SMP NOPTI")]
    [InlineData("linux-oops", "[    3.141592] Oops: Oops: 0000 [#1] SMP")]
    [InlineData("linux-oops", "[    3.141592] general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1] SMP")]
    [InlineData("linux-oops", "[    3.141592] invalid opcode: 0000 [#1] PREEMPT SMP")]
    [InlineData("linux-bug", "[    3.141592] BUG: unable to handle page fault for address: ffffffffdeadbeef")]
    [InlineData("linux-bug", "[    3.141592] BUG: kernel NULL pointer dereference, address: 0000000000000000")]
    [InlineData("linux-bug", "[    3.141592] kernel BUG at mm/slub.c:305!")]
    [InlineData("linux-lockup", "[   28.000000] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [swapper/0:1]")]
    [InlineData("linux-rcu-stall", "[   21.000000] rcu: INFO: rcu_sched self-detected stall on CPU")]
    [InlineData("linux-rcu-stall", "[   21.000000] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:")]
    [InlineData("linux-hung-task", "[  242.000000] INFO: task jbd2/vda1-8:123 blocked for more than 120 seconds.")]
    public void Faults_are_recognised(string name, string line) =>
        Assert.Equal(name, GuestPatterns.Faults.First(pattern => pattern.Pattern.IsMatch(line)).Name);

    [Fact]
    public void The_watch_sees_the_message_and_the_last_words()
    {
        PanicWatch watch = new();
        Assert.False(Feed(watch, "booting\r\n[    1.000000] Kernel panic - not syncing: no init"));
        Assert.True(Feed(watch, "\r\n"));
        Assert.Equal("[    1.000000] Kernel panic - not syncing: no init", watch.Message);
        Assert.False(Feed(watch, "[    1.000001] Call Trace:\r\n"));
        Assert.True(Feed(watch, "[    1.000002] ---[ end Kernel panic - not syncing: no init ]---\r\n"));
        Assert.True(watch.IsComplete);
    }

    [Fact]
    public void The_watch_bears_lines_without_end()
    {
        PanicWatch watch = new();
        Assert.False(Feed(watch, new string('x', 100_000) + "\nfine\n"));
        Assert.True(Feed(watch, "Kernel panic - not syncing: x\n"));
    }

    private static bool Feed(PanicWatch watch, string text)
    {
        bool any = false;
        foreach (byte one in Encoding.Latin1.GetBytes(text))
        {
            any |= watch.Add(one);
        }

        return any;
    }
}
