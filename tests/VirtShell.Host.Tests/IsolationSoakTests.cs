using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Machine;
using Xunit;

namespace VirtShell.Host.Tests;

/// <summary>
/// What 57 well-behaved VMs notice of hostile ones, in host time: <c>./test --soak isolation --project Host</c>. Three attack at a
/// time: first three of one bundled guest, then three different attacks of the attack guest, until all have had their turn. These are figures of
/// the clock on the wall, so the host must be idle otherwise; hence they are no part of the ordinary tests. What the host itself
/// makes a sleeping thread late by meanwhile is told beside them, and allowed for.
/// </summary>
public sealed partial class IsolationSoakTests
{
    private const int Victims = 57;
    private const int Attackers = 3;
    private static readonly TimeSpan s_window = TimeSpan.FromSeconds(3);

    /// <summary>A ticker wakes every 50 ms, so its timer was late by what a gap is longer.</summary>
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_allowedLateness = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_restartDelay = TimeSpan.FromMilliseconds(100);

    /// <summary>What a VM has on average before shares are compared: many slices, of which one more or less is no matter.</summary>
    private static readonly TimeSpan s_leastUse = TimeSpan.FromMilliseconds(60);
    private static readonly TimeSpan s_allowedStop = TimeSpan.FromSeconds(1);

    [SkippableTheory]
    [InlineData(ClockMode.Host)]
    [InlineData(ClockMode.Virtual)]
    public void No_attack_makes_a_timer_late_or_a_stop_slow(ClockMode clock)
    {
        SkipUnlessAsked();
        Figures figures = new($"timers beside attackers under the {clock} clock");
        using VmHost host = new(null);
        VirtualMachine[] victims = Start(host, "ticker");
        Settle();
        using Witness witness = new();
        figures.Add("nobody", Latest(victims), witness.Take(), default);
        foreach (Attacks attacks in Attacks.All)
        {
            using Attacking attacking = new(host, attacks, clock);
            Settle();
            witness.Take();
            TimeSpan late = Latest(victims);
            TimeSpan itself = witness.Take();
            TimeSpan stop = Slowest(attacking.TurnOff(), TurnOffAndOn(victims[0]));
            figures.Add(attacks.Name, late, itself, stop);
            figures.Check(late <= s_allowedLateness + itself, $"{attacks.Name}: a timer was late by {late.TotalMilliseconds:0.0} ms, and the host's own threads by {itself.TotalMilliseconds:0.0} ms");
            figures.Check(stop <= s_allowedStop, $"{attacks.Name}: a stop took {stop.TotalMilliseconds:0} ms");
        }

        figures.AssertGood();
    }

    [SkippableTheory]
    [InlineData(ClockMode.Host)]
    [InlineData(ClockMode.Virtual)]
    public void No_attack_takes_more_than_its_share(ClockMode clock)
    {
        SkipUnlessAsked();
        Figures figures = new($"shares beside attackers under the {clock} clock");
        using VmHost host = new(null);
        VirtualMachine[] victims = Start(host, "busy-loop");
        Settle();
        Settle();
        foreach (Attacks attacks in Attacks.All)
        {
            using Attacking attacking = new(host, attacks, clock);
            Settle();
            double share = SmallestShare(victims, attacking.All);
            TimeSpan stop = Slowest(attacking.TurnOff(), TurnOffAndOn(victims[0]));
            figures.Add(attacks.Name, share, stop);
            figures.Check(share >= 0.9, $"{attacks.Name}: a VM had {share:P0} of its fair share");
            figures.Check(stop <= s_allowedStop, $"{attacks.Name}: a stop took {stop.TotalMilliseconds:0} ms");
        }

        figures.AssertGood();
    }

    private static void SkipUnlessAsked() =>
        Skip.IfNot(Environment.GetEnvironmentVariable("VIRTSHELL_SOAK") == "isolation", "Figures of host time beside hostile VMs need an idle host: ./test --soak isolation.");

    private static VirtualMachine[] Start(VmHost host, string guest) =>
        [.. Enumerable.Range(0, Victims).Select(number => host.Started(Vm.Guest(guest, $"{guest} {number}") with { Clock = ClockMode.Host }))];

    private static void Settle() => Thread.Sleep(TimeSpan.FromSeconds(1));

    /// <summary>How late the latest timer of a window was, by what the guests say themselves.</summary>
    private static TimeSpan Latest(VirtualMachine[] victims)
    {
        long[] from = [.. victims.Select(vm => vm.Serial.Length)];
        Thread.Sleep(s_window);
        TimeSpan largest = TimeSpan.Zero;
        for (int i = 0; i < victims.Length; i++)
        {
            // The first line tells of time before the window; one that says nothing in all that time is late by as much.
            IEnumerable<Match> gaps = Gap().Matches(victims[i].Serial.GetText()[(int)from[i]..]).Skip(1);
            TimeSpan gap = gaps.Select(match => TimeSpan.FromMicroseconds(long.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture))).DefaultIfEmpty(s_window).Max();
            largest = gap > largest ? gap : largest;
        }

        return largest > s_tick ? largest - s_tick : TimeSpan.Zero;
    }

    /// <summary>What the worst-served victim had in a window of what it would have had, had all VMs had the same.</summary>
    private static double SmallestShare(VirtualMachine[] victims, IReadOnlyList<VirtualMachine> attackers)
    {
        VirtualMachine[] all = [.. victims, .. attackers];
        TimeSpan[] before = [.. all.Select(vm => vm.Metrics.HostTime)];
        double[] used;
        do
        {
            Thread.Sleep(s_window);
            used = [.. all.Select((vm, i) => Math.Max(0, (vm.Metrics.HostTime - before[i]).TotalSeconds))];
        }
        while (used.Average() < s_leastUse.TotalSeconds);
        return used.Take(victims.Length).Min() / (used.Sum() / all.Length);
    }

    private static TimeSpan Slowest(TimeSpan one, TimeSpan other) => one > other ? one : other;

    private static TimeSpan TurnOffAndOn(VirtualMachine vm)
    {
        Stopwatch watch = Stopwatch.StartNew();
        vm.TurnOff();
        TimeSpan took = watch.Elapsed;
        vm.Start();
        return took;
    }

    [GeneratedRegex(@"gap (\d+)\r")]
    private static partial Regex Gap();

    /// <summary>What attacks at the same time.</summary>
    private sealed record Attacks(string Name, IReadOnlyList<VmDefinition> Guests)
    {
        private static readonly string[] s_bundled = ["port-storm", "fuzz", "memory-hog", "busy-loop", "triple-fault"];

        public static IReadOnlyList<Attacks> All { get; } =
        [
            .. s_bundled.Select(guest => new Attacks(guest, [.. Enumerable.Repeat(Vm.Guest(guest), Attackers)])),
            .. Listed().Chunk(Attackers).Select(names => new Attacks(string.Join(' ', names), [.. names.Select(name => Vm.Guest("attack") with { CommandLine = $"attack={name}" })])),
        ];

        // Without a name the attack guest lists them all.
        private static string[] Listed() =>
            Vm.RunAlone(Vm.Guest("attack")).Serial.GetText().Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>Some VMs that attack, each started again whenever it ends.</summary>
    private sealed class Attacking : IDisposable
    {
        private const long DiskBytes = 4 << 20;

        private readonly VmHost _host;
        private readonly TemporaryFolder _folder = new();
        private volatile bool _over;

        public Attacking(VmHost host, Attacks attacks, ClockMode clock)
        {
            _host = host;
            string disk = _folder.File("disk.img");
            using (FileStream file = File.Create(disk))
            {
                file.SetLength(DiskBytes);
            }

            All =
            [
                .. attacks.Guests.Select((guest, number) => host.Create(guest with
                {
                    Name = $"attacker {number}",
                    Disks = [new VmDisk(disk)],
                    Clock = clock,
                    CrashAction = CrashAction.Restart,
                    CrashRestartLimit = int.MaxValue,
                })),
            ];
            foreach (VirtualMachine vm in All)
            {
                vm.StateChanged += (_, change) =>
                {
                    if (!_over && change.After is VmState.Off or VmState.Crashed && change.Before != VmState.Starting)
                    {
                        _ = StartAgain(vm);
                    }
                };
                vm.Start();
            }
        }

        public IReadOnlyList<VirtualMachine> All { get; }

        /// <summary>Turns them off; gives how long the slowest took.</summary>
        public TimeSpan TurnOff()
        {
            _over = true;
            TimeSpan slowest = TimeSpan.Zero;
            foreach (VirtualMachine vm in All)
            {
                Stopwatch watch = Stopwatch.StartNew();
                vm.TurnOff();
                slowest = Slowest(slowest, watch.Elapsed);
            }

            return slowest;
        }

        public void Dispose()
        {
            TurnOff();
            foreach (VirtualMachine vm in All)
            {
                // One that was about to be started again may still be on its way.
                SpinWait.SpinUntil(
                    () =>
                    {
                        vm.TurnOff();
                        return vm.State is VmState.Off or VmState.Crashed;
                    },
                    Vm.Patience);
                _host.Remove(vm);
            }

            _folder.Dispose();
        }

        // After a while: starting is its host's doing, on a thread of the host's.
        private async Task StartAgain(VirtualMachine vm)
        {
            await Task.Delay(s_restartDelay);
            try
            {
                if (!_over)
                {
                    vm.Start();
                }
            }
            catch (Exception e) when (e is VmException or OperationCanceledException)
            {
                // Turned off meanwhile.
            }
        }
    }

    /// <summary>A thread that only sleeps: how late the host itself lets threads wake.</summary>
    private sealed class Witness : IDisposable
    {
        private readonly Thread _thread;
        private readonly object _gate = new();
        private TimeSpan _latest;
        private volatile bool _over;

        public Witness()
        {
            _thread = new Thread(Watch) { IsBackground = true };
            _thread.Start();
        }

        /// <summary>How late it woke at most since the last call.</summary>
        public TimeSpan Take()
        {
            lock (_gate)
            {
                TimeSpan latest = _latest;
                _latest = TimeSpan.Zero;
                return latest;
            }
        }

        public void Dispose()
        {
            _over = true;
            _thread.Join();
        }

        private void Watch()
        {
            TimeSpan nap = TimeSpan.FromMilliseconds(5);
            while (!_over)
            {
                long before = Stopwatch.GetTimestamp();
                Thread.Sleep(nap);
                TimeSpan late = Stopwatch.GetElapsedTime(before) - nap;
                lock (_gate)
                {
                    _latest = late > _latest ? late : _latest;
                }
            }
        }
    }

    /// <summary>Takes figures down for the report as they come, and judges at the end.</summary>
    private sealed class Figures
    {
        private readonly List<string> _failures = [];

        public Figures(string title) => Report(title);

        public void Add(string attack, TimeSpan late, TimeSpan itself, TimeSpan stop) =>
            Report(string.Create(CultureInfo.InvariantCulture, $"  {attack,-60} late {late.TotalMilliseconds,6:0.0} ms (the host itself {itself.TotalMilliseconds,5:0.0} ms)  stop {stop.TotalMilliseconds,5:0} ms"));

        public void Add(string attack, double share, TimeSpan stop) =>
            Report(string.Create(CultureInfo.InvariantCulture, $"  {attack,-60} share {share,6:P0}  stop {stop.TotalMilliseconds,5:0} ms"));

        public void Check(bool good, string failure)
        {
            if (!good)
            {
                _failures.Add(failure);
            }
        }

        public void AssertGood() => Assert.True(_failures.Count == 0, string.Join('\n', _failures));

        private static void Report(string line)
        {
            if (Environment.GetEnvironmentVariable("VIRTSHELL_SOAK_REPORT") is { Length: > 0 } path)
            {
                File.AppendAllLines(path, [line]);
            }
        }
    }
}
