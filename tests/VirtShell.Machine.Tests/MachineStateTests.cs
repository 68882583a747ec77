using System;
using System.Collections.Generic;
using System.IO;
using System.IO.Compression;
using VirtShell.Machine.Tests.Boot;
using VirtShell.State;
using VirtShell.Storage;
using Xunit;

namespace VirtShell.Machine.Tests;

/// <summary>A machine as state: made from it, without what it lacks, with the alarm, through any stream, and told to people.</summary>
public sealed class MachineStateTests
{
    private const long AlarmTime = 7_777_777;

    [Fact]
    public void The_alarm_goes_on_with_the_run()
    {
        using Pc first = Create();
        first.SetAlarm(AlarmTime, static () => { });
        first.Run(1000);
        byte[] state = first.Save();
        using Pc second = Pc.FromState(Configuration(boots: false), new MemoryStream(state));
        Assert.Equal(AlarmTime, second.AlarmDue);
        Assert.Equal(state, second.Save());
        List<long> rang = [];
        second.AlarmAction = () => rang.Add(second.GuestTime);
        second.Run(10_000_000);
        first.Run(10_000_000);
        Assert.Equal([AlarmTime], rang);
        Assert.Empty(StateTree.Differences(StateTree.Of(first), StateTree.Of(second)));
    }

    [Fact]
    public void An_alarm_that_was_loaded_and_calls_nothing_passes()
    {
        using Pc first = Create();
        first.SetAlarm(AlarmTime, static () => { });
        using Pc second = Create();
        second.Load(first.Save());
        Assert.Equal(MachineExitKind.QuantumSpent, second.Run(10_000_000).Kind);
        Assert.Null(second.AlarmDue);
    }

    [Fact]
    public void A_state_passes_through_a_stream_that_cannot_seek()
    {
        using MemoryDisk disk = new(1 << 20);
        disk.Write(4096, [1, 2, 3]);
        using Pc first = Create(disk);
        first.Run(1000);
        using MemoryStream packed = new();
        using (GZipStream pack = new(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            first.Save(pack);
        }

        packed.Position = 0;
        using MemoryDisk otherDisk = new(1 << 20);
        using Pc second = Pc.FromState(Configuration(boots: false, otherDisk), new GZipStream(packed, CompressionMode.Decompress));
        Assert.Equal(first.Save(), second.Save());
    }

    /// <summary>A part that was not saved is as after a reset, and what was saved of one that is not there is left out.</summary>
    [Fact]
    public void Parts_that_only_one_of_both_has_do_no_harm()
    {
        using MemoryDisk disk = new(1 << 20);
        disk.Write(0, [1]);
        using Pc with = Create(disk);
        using Pc without = Create();
        byte[] reset = with.Save();
        with.Run(500);
        without.Run(500);
        byte[] state = without.Save();
        without.Load(with.Save());

        // Tables that firmware wrote name the disk.
        Assert.All(
            StateTree.Differences(StateTree.Read(new MemoryStream(state)), StateTree.Of(without)),
            static difference => Assert.StartsWith("/machine/memory/at-", difference.Path, StringComparison.Ordinal));
        with.Load(state);
        Assert.All(
            StateTree.Differences(StateTree.Read(new MemoryStream(state)), StateTree.Of(with)),
            static difference => Assert.StartsWith("/machine/pci/06.0", difference.Path, StringComparison.Ordinal));
        Assert.DoesNotContain(
            StateTree.Differences(StateTree.Read(new MemoryStream(reset)), StateTree.Of(with)),
            static difference => difference.Path.StartsWith("/machine/pci/06.0", StringComparison.Ordinal));
    }

    [Fact]
    public void Every_part_is_told_to_people()
    {
        using Pc machine = Create();
        StringWriter writer = new() { NewLine = "\n" };
        machine.WriteStateTo(writer);
        foreach (string name in (string[])["memory", "processor", "clock", "lapic", "pit", "com1", "pci", "run"])
        {
            Assert.Contains($"\n  {name}\n", writer.ToString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_state_of_something_else_is_refused_by_name()
    {
        using Pc machine = Create();
        Assert.Contains("'/machine'", Assert.Throws<StateFormatException>(() => machine.Load(new MemoryDisk(4096).Save())).Message, StringComparison.Ordinal);
        Assert.Contains("VSS2", Assert.Throws<StateFormatException>(() => machine.Load(new byte[100])).Message, StringComparison.Ordinal);
        machine.Reset();
        Assert.Equal(MachineExitKind.QuantumSpent, machine.Run(100).Kind);
    }

    private static Pc Create(params IReadOnlyList<MemoryDisk> disks) => new(Configuration(boots: true, disks));

    private static MachineConfiguration Configuration(bool boots, params IReadOnlyList<MemoryDisk> disks) => new()
    {
        MemoryBytes = 2 << 20,
        Disks = [.. System.Linq.Enumerable.Select(disks, static disk => new DiskAttachment(disk, "disk"))],
        Boot = !boots ? null : new MultibootBoot(
            MultibootImages.Flat(static a =>
            {
                var loop = a.CreateLabel();
                a.Label(ref loop);
                a.inc(Iced.Intel.AssemblerRegisters.eax);
                a.jmp(loop);
            }),
            ""),
    };
}
