using System;
using System.Collections.Concurrent;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Host.Inventory;
using Xunit;

namespace VirtShell.Host.Tests;

/// <summary>What runs leave in the home folder is written beside the workers, and nothing of it is lost.</summary>
public sealed class HomeWriterTests
{
    [Fact]
    public async Task A_disk_that_takes_its_time_delays_no_other_VM()
    {
        using TemporaryFolder home = new();
        using ManualResetEventSlim slow = new();
        using VmHost host = new(home.Path, workers: 1);
        host.Writer!.Writing = _ => slow.Wait();
        try
        {
            VirtualMachine crashed = host.Started(Vm.Guest("triple-fault"));
            crashed.AwaitEnd();
            Assert.Equal(VmState.Crashed, crashed.State);
            Assert.NotNull(crashed.CrashReport);
            Assert.Null(crashed.OwnerProcessId);

            // The one worker runs others to their end meanwhile.
            host.Started(Vm.Guest("hello")).AwaitEnd();
            Assert.False(File.Exists(host.Store!.CrashPathOf(crashed.Id)));

            // Another process does not get the VM before its report is there.
            using (VmHost other = new(home.Path, workers: 1))
            {
                Assert.Equal(Environment.ProcessId, other.Find("triple-fault")!.OwnerProcessId);
            }

            Task again = Task.Run(() => crashed.Start());
            slow.Set();
            await again;
            crashed.AwaitEnd();
            Assert.Empty(crashed.Warnings);
        }
        finally
        {
            slow.Set();
        }
    }

    [Fact]
    public void When_a_host_is_disposed_everything_is_there()
    {
        using TemporaryFolder home = new();
        using ManualResetEventSlim slow = new();
        string[] names = [.. Enumerable.Range(0, 8).Select(i => $"vm {i}")];
        using (VmHost host = new(home.Path, workers: 2))
        {
            host.Writer!.Writing = _ => slow.Wait();
            foreach (string name in names)
            {
                host.Started(Vm.Guest("triple-fault", name)).AwaitEnd();
            }

            slow.Set();
        }

        using VmHost next = new(home.Path, workers: 1);
        Assert.All(names, name =>
        {
            VirtualMachine vm = next.Find(name)!;
            Assert.Equal((name, null), (vm.CrashReport!.VmName, vm.OwnerProcessId));
            Assert.NotNull(next.Store!.ReadClock(vm.Id));
        });
    }

    [Fact]
    public void What_waits_is_bounded_by_one_of_each_for_a_VM_and_keeps_its_order()
    {
        using TemporaryFolder home = new();
        using ManualResetEventSlim slow = new();
        using ManualResetEventSlim begun = new();
        ConcurrentQueue<(Guid Id, string? Summary)> written = new();
        DefinitionStore store = new(home.Path);
        Guid[] ids = [.. Enumerable.Range(0, 3).Select(_ => Guid.NewGuid())];
        using (HomeWriter writer = new(store))
        {
            writer.Writing = _ =>
            {
                begun.Set();
                slow.Wait();
            };
            writer.Prepare();
            Post(writer, ids[0], "first");
            begun.Wait();
            for (int i = 0; i < 1000; i++)
            {
                Post(writer, ids[i % 3], $"report {i}");
            }

            slow.Set();
        }

        Assert.Equal([(ids[0], "first"), (ids[0], "report 999"), (ids[1], "report 997"), (ids[2], "report 998")], written);
        Assert.Equal("report 998", store.ReadCrashReport(ids[2])!.Summary);

        void Post(HomeWriter writer, Guid id, string summary) =>
            writer.Post(id, new RunTraces(HomeMutationTests.SampleReport with { Summary = summary }, null, null, (traces, _) => written.Enqueue((id, traces.Report?.Summary))));
    }

    [Fact]
    public void What_cannot_be_written_is_told_and_stays_in_memory()
    {
        using TemporaryFolder home = new();
        using VmHost host = new(home.Path, workers: 1);
        VirtualMachine vm = host.Create(Vm.Guest("triple-fault"));
        string path = host.Store!.CrashPathOf(vm.Id);
        Directory.CreateDirectory(Path.Combine(path, "in the way"));
        vm.Start();
        vm.AwaitEnd();
        vm.AwaitTraces();
        string warning = Assert.Single(vm.Warnings);
        Assert.Contains($"The crash report cannot be written to '{path}'", warning);
        Assert.Equal(VmEndKind.TripleFault, vm.CrashReport!.Kind);
        Assert.NotNull(host.Store.ReadClock(vm.Id));

        // A fault of the writer's own is told as well, and the lock is free all the same.
        Directory.Delete(path, recursive: true);
        host.Writer!.Writing = _ => throw new InvalidOperationException("An injected failure.");
        vm.Start();
        vm.AwaitEnd();
        vm.AwaitTraces();
        Assert.Contains("An injected failure.", Assert.Single(vm.Warnings));
        host.Writer.Writing = null;
        vm.Start();
        vm.AwaitEnd();
        vm.AwaitTraces();
        Assert.Empty(vm.Warnings);
        host.Remove(vm);
        Assert.Empty(Directory.GetFiles(home.File("vms"), vm.Id + "*"));
    }
}
