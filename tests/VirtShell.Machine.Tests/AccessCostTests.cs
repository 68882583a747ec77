using System;
using System.Diagnostics;
using System.Linq;
using VirtShell.Machine.Tests.Boot;
using VirtShell.Storage;
using Xunit;

namespace VirtShell.Machine.Tests;

/// <summary>What a guest can have the host do in one access, and by the events that it schedules.</summary>
public sealed class AccessCostTests
{
    private const int Disks = 26;
    private const int Repetitions = 25;

    // Far more than any device does in one access; the host's time for it is the limit.
    private const int LimitSteps = 300_000;

    // There is a handful of timers, none of which may come due again at the time at which it has fired.
    private const int MostEventsAtOnce = 64;

    private static ulong s_sink;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void No_access_takes_long(int seed)
    {
        using Pc machine = Create();
        Random random = new(seed);
        long limit = Enumerable.Range(0, 5).Min(_ => Calibrate());
        for (int i = 0; i < 60_000; i++)
        {
            Access access = Choose(machine, random);
            long taken = access.Time(machine);

            // The host's scheduler and its compiler interrupt now and then; what is slow is slow each time.
            for (int again = 0; again < Repetitions && taken > limit; again++)
            {
                taken = Math.Min(taken, access.Time(machine));
            }

            Assert.True(taken <= limit, $"{access} takes {taken} ticks of the host's clock each time, more than {LimitSteps} steps of a loop ({limit}).");
            if (i % 100 == 0)
            {
                machine.Run(1 + random.Next(5000));
            }
        }
    }

    /// <summary>Alarms that never match, which a search would look for through all the seconds of two days.</summary>
    [Theory]
    [InlineData(0x05, 0x24)]
    [InlineData(0x03, 0x60)]
    [InlineData(0x01, 0x60)]
    [InlineData(0x01, 0x7F)]
    public void An_alarm_that_never_comes_costs_no_more_than_one_that_does(int register, byte value)
    {
        using Pc machine = Create();
        long limit = Enumerable.Range(0, 5).Min(_ => Calibrate());
        void Out(int port, uint written) => machine.Bus.WritePort((ushort)port, 1, written);
        Out(0x70, 0x0B);
        Out(0x71, 0x22);
        Out(0x70, (uint)register);
        Access write = new(Kind.Out, 0x71, 1, value);
        Assert.InRange(Enumerable.Range(0, Repetitions).Min(_ => write.Time(machine)), 0, limit);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    public void No_access_makes_events_that_never_end(int seed)
    {
        using Pc machine = Create();
        Random random = new(seed);
        for (int i = 0; i < 40_000; i++)
        {
            Choose(machine, random).Time(machine);
            int fired = 0;
            while (fired <= MostEventsAtOnce && machine.FireNextEvent())
            {
                fired++;
            }

            Assert.True(fired <= MostEventsAtOnce, $"After access {i}, events fire without time passing.");
            if (i % 100 == 0)
            {
                machine.Run(1 + random.Next(5000));
            }
        }
    }

    private static Pc Create() => new(new MachineConfiguration
    {
        MemoryBytes = 4 << 20,
        Boot = new RomBoot(RomImages.Spinning()),
        Disks = [.. Enumerable.Range(0, Disks).Select(i => new DiskAttachment(new MemoryDisk(new byte[4096]), $"disk{i}"))],
        Drives = TestBoard.SomeDrives(),
    });

    private static long Calibrate()
    {
        long start = Stopwatch.GetTimestamp();
        ulong x = s_sink | 1;
        for (int i = 0; i < LimitSteps; i++)
        {
            x = (x * 6364136223846793005) + 1442695040888963407;
            x ^= x >> 29;
        }

        s_sink = x;
        return Stopwatch.GetTimestamp() - start;
    }

    private static Access Choose(Pc machine, Random random)
    {
        uint value = random.Next(4) switch { 0 => 0, 1 => uint.MaxValue, 2 => (uint)random.Next(256), _ => (uint)random.NextInt64(1L << 32) };
        int size = 1 << random.Next(3);
        switch (random.Next(8))
        {
            case 0:
                return new Access(Kind.In, Port(machine, random), size, 0);
            case < 4:
                return new Access(Kind.Out, Port(machine, random), size, value);
            case 4:
                return new Access(Kind.Read, Address(machine, random), 1 << random.Next(4), 0);
            case 5:
                return new Access(Kind.Write, Address(machine, random), 1 << random.Next(4), value);
            default:
                // Any function's command, base address registers, chipset and virtio registers.
                int register = random.Next(3) == 0 ? 4 : random.Next(64) << 2;
                machine.Bus.WritePort(0xCF8, 4, 0x8000_0000 | ((uint)random.Next(32) << 11) | ((uint)random.Next(4) << 8) | (uint)register);
                return new Access(Kind.Out, 0xCFC, 4, random.Next(3) == 0 ? value : value & 0xFFFF_F007);
        }
    }

    private static ulong Port(Pc machine, Random random)
    {
        (ushort first, int count) = machine.Bus.PortRanges().ElementAt(random.Next(machine.Bus.PortRanges().Count()));
        return (ulong)(first + random.Next(count));
    }

    private static ulong Address(Pc machine, Random random)
    {
        (ulong start, ulong length) = machine.Bus.MmioRanges().ElementAt(random.Next(machine.Bus.MmioRanges().Count()));
        return start + ((ulong)random.NextInt64((long)length) & ~3UL);
    }

    private enum Kind
    {
        In,
        Out,
        Read,
        Write,
    }

    private sealed record Access(Kind Kind, ulong Place, int Size, uint Value)
    {
        public long Time(Pc machine)
        {
            long start = Stopwatch.GetTimestamp();
            switch (Kind)
            {
                case Kind.In:
                    s_sink += machine.Bus.ReadPort((ushort)Place, Size);
                    break;
                case Kind.Out:
                    machine.Bus.WritePort((ushort)Place, Size, Value);
                    break;
                case Kind.Read:
                    s_sink += machine.Bus.ReadMmio(Place, Size);
                    break;
                default:
                    machine.Bus.WriteMmio(Place, Size, Value);
                    break;
            }

            return Stopwatch.GetTimestamp() - start;
        }

        public override string ToString() => $"{Kind} {Place:x}, {Size} bytes, {Value:x}";
    }
}
