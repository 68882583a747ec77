using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Machine;
using Xunit;

namespace VirtShell.Host.Tests;

/// <summary>The same guest and driver give the same run, however busy the host is and however many VMs run beside it.</summary>
public sealed class DeterminismTests
{
    private sealed record Outcome(string Serial, long Instructions, TimeSpan GuestTime, VmEndKind End, int Code);

    [Fact]
    public async Task Runs_are_alike_under_load()
    {
        VmDefinition[] guests = [.. ((string[])["hello", "hello64", "timer", "memory-hog", "port-storm"]).Select(guest => Vm.Guest(guest)), Vm.LongRun()];
        Dictionary<string, Outcome> alone = guests.ToDictionary(guest => guest.Guest!, guest => Of(Vm.RunAlone(guest)));
        using CancellationTokenSource stop = new();
        Task[] load = [.. Enumerable.Range(0, Environment.ProcessorCount).Select(_ => Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                Thread.SpinWait(10_000);
            }
        }))];
        using VmHost host = new(null, workers: 3);
        host.Started(Vm.Guest("busy-loop", "never-ending"));
        VirtualMachine[] all = [.. guests.Concat(guests).Select((guest, i) => host.Started(guest with { Name = $"{guest.Name}-{i}" }))];
        Array.ForEach(all, vm => vm.AwaitEnd());
        await stop.CancelAsync();
        await Task.WhenAll(load);
        Assert.All(all, vm => Assert.Equal(alone[vm.Definition.Guest!], Of(vm)));
    }

    [Fact]
    public void A_driver_acts_at_the_same_instruction_in_every_run()
    {
        (Outcome Outcome, string Trace) first = Drive(1, 0);
        Assert.Equal(VmEndKind.DebugExit, first.Outcome.End);
        Assert.Equal(7, first.Outcome.Code);
        Assert.Contains("\r\n2\r\n", first.Outcome.Serial);
        Assert.Equal(first, Drive(2, 3));
        Assert.Equal(first, Drive(4, 6));
    }

    [Fact]
    public void A_driver_ends_a_run_at_the_byte_that_it_answers()
    {
        VmMetrics[] runs = [.. Enumerable.Range(0, 3).Select(neighbours =>
        {
            ScriptedDriver driver = new()
            {
                Serial = (control, _, value) =>
                {
                    if (value == (byte)'V')
                    {
                        control.TurnOff();
                    }
                },
            };
            using VmHost host = new(null, workers: 2);
            for (int i = 0; i < neighbours; i++)
            {
                host.Started(Vm.Guest("busy-loop", $"busy{i}"));
            }

            VirtualMachine vm = host.Started(Vm.Guest("hello"), driver);
            vm.AwaitEnd();
            Assert.Equal("Hello from V", vm.Serial.GetText());
            Assert.Equal(VmEndKind.TurnedOff, vm.End);
            return vm.Metrics with { HostTime = default };
        })];
        Assert.Equal(runs[0], runs[1]);
        Assert.Equal(runs[0], runs[2]);
    }

    [Fact]
    public void Sixty_guests_at_once_are_each_as_if_alone()
    {
        Outcome alone = Of(Vm.RunAlone(Vm.Guest("hello")));
        using VmHost host = new(null);
        VirtualMachine[] all = [.. Enumerable.Range(0, 60).Select(i => host.Create(Vm.Guest("hello", $"hello-{i}")))];
        Array.ForEach(all, vm => vm.Start());
        Array.ForEach(all, vm => vm.AwaitEnd());
        Assert.All(all, vm => Assert.Equal(alone, Of(vm)));
    }

    [Fact]
    public async Task Sixty_idle_guests_cost_no_processor_time()
    {
        using VmHost host = new(null);
        VirtualMachine[] all = [.. Enumerable.Range(0, 60).Select(i => host.Started(Vm.Guest("echo", $"echo-{i}") with { Clock = VirtShell.Machine.ClockMode.Host }))];
        await Task.WhenAll(all.Select(vm => vm.AwaitSerial("> ")));

        // Not one dispatch: neither instructions nor processor time move once all have settled.
        List<VmMetrics> before = [];
        List<VmMetrics> after = [.. all.Select(vm => vm.Metrics)];
        while (!before.SequenceEqual(after))
        {
            await Task.Delay(300);
            before = after;
            after = [.. all.Select(vm => vm.Metrics)];
        }

        foreach (VirtualMachine vm in all)
        {
            Assert.Equal(VmState.Running, vm.State);
            Assert.InRange(vm.HostMemory.OverheadBytes, 1, 32 << 20);
        }
    }

    private static Outcome Of(VirtualMachine vm) => new(vm.Serial.GetText(), vm.Metrics.Instructions, vm.Metrics.GuestTime, vm.End, vm.EndCode);

    /// <summary>A conversation with the echo guest: answers prompts, with pauses in guest time between.</summary>
    private static (Outcome Outcome, string Trace) Drive(int workers, int neighbours)
    {
        StringBuilder trace = new();
        Queue<string> commands = new(["echo 1\r", "echo 2\r", "time\r", "exit 7\r"]);
        byte before = 0;
        ScriptedDriver driver = new()
        {
            Serial = (control, port, value) =>
            {
                trace.Append($"{port}:{value}@{control.Instructions}/{control.GuestTime} ");
                if (before == (byte)'>' && value == (byte)' ')
                {
                    control.SetAlarm(control.GuestTime + 123_456_789);
                }

                before = value;
            },
            Alarm = control =>
            {
                trace.Append($"alarm@{control.Instructions}/{control.GuestTime} ");
                if (commands.TryDequeue(out string? command))
                {
                    control.SendSerial(Outlet.Com1, Encoding.ASCII.GetBytes(command));
                }
            },
        };
        using VmHost host = new(null, workers);
        for (int i = 0; i < neighbours; i++)
        {
            host.Started(Vm.Guest(i % 2 == 0 ? "busy-loop" : "echo", $"neighbour{i}"));
        }

        VirtualMachine vm = host.Started(Vm.Guest("echo"), driver);
        vm.AwaitEnd();
        return (Of(vm), trace.ToString());
    }
}
