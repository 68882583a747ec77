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
    [InlineData("[    0.000000] kfence: initialized - using 2097152 bytes for 255 objects at 0x(____ptrval____)")]
    [InlineData("[    0.000000] Kernel command line: kasan=off ubsan lockdep WARNING: CPU")]
    [InlineData("[    0.010000] WARNING: Spectre v2 mitigation leaves CPU vulnerable to RETBleed attacks, data leaks possible!")]
    [InlineData("[    1.000000] systemd[1]: WARNING: file system is not writable")]
    [InlineData("WARNING: apt does not have a stable CLI interface. Use with caution in scripts.")]
    [InlineData("[    1.000000] refcount_t tests passed")]
    [InlineData("[    1.000000] rcu: rcu_preempt kthread started")]
    [InlineData("BUG reports go to the maintainer (see README)")]
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
    [InlineData("linux-bug", "[    3.141592] BUG: sleeping function called from invalid context at kernel/locking/mutex.c:580")]
    [InlineData("linux-bug", "[    3.141592] BUG: scheduling while atomic: swapper/0/0/0x00000002")]
    [InlineData("linux-bug", "[    3.141592] BUG kmalloc-64 (Not tainted): Redzone overwritten")]
    [InlineData("linux-bug", "[    3.141592] BUG: Bad page state in process init  pfn:00123")]
    [InlineData("linux-kasan", "[    3.141592] BUG: KASAN: slab-out-of-bounds in kmalloc_oob_right+0x6a/0x8a")]
    [InlineData("linux-kfence", "[    3.141592] BUG: KFENCE: use-after-free read in test_use_after_free_read+0xb3/0x143")]
    [InlineData("linux-kmsan", "[    3.141592] BUG: KMSAN: uninit-value in test_uninit_kmsan_check_memory+0x1be/0x380")]
    [InlineData("linux-kcsan", "[    3.141592][  T123] BUG: KCSAN: data-race in test_kernel_read / test_kernel_write")]
    [InlineData("linux-ubsan", "[    3.141592] UBSAN: shift-out-of-bounds in lib/test_ubsan.c:41:22")]
    [InlineData("linux-lockdep", "[    3.141592] WARNING: possible circular locking dependency detected")]
    [InlineData("linux-lockdep", "[    3.141592] WARNING: suspicious RCU usage")]
    [InlineData("linux-lockdep", "[    3.141592] WARNING: inconsistent lock state")]
    [InlineData("linux-lockdep", "[    3.141592] WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected")]
    [InlineData("linux-lockdep", "[    3.141592] [ BUG: Invalid wait context ]")]
    [InlineData("linux-list-corruption", "[    3.141592] list_add corruption. next->prev should be prev (ffff888), but was 0000000.")]
    [InlineData("linux-list-corruption", "[    3.141592] list_del corruption, ffff888->next is LIST_POISON1 (dead000000000100)")]
    [InlineData("linux-refcount", "[    3.141592] refcount_t: underflow; use-after-free.")]
    [InlineData("linux-warning", "[    3.141592] WARNING: CPU: 0 PID: 1 at lib/refcount.c:28 refcount_warn_saturate+0xba/0x110")]
    [InlineData("linux-warning", "[    3.141592] WARNING: kernel/sched/core.c:1234 at f+0x10/0x20, CPU#0: swapper/0/1")]
    [InlineData("linux-lockup", "[   28.000000] BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!")]
    [InlineData("linux-lockup", "[   28.000000] NMI watchdog: Watchdog detected hard LOCKUP on cpu 0")]
    [InlineData("linux-rcu-stall", "[   21.000000] INFO: rcu_sched self-detected stall on CPU")]
    [InlineData("linux-hung-task", "[  242.000000] INFO: task my worker:12 blocked for more than 120 seconds.")]
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
