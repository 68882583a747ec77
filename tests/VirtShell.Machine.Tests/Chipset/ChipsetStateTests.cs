using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Machine.Interrupts;
using Xunit;

namespace VirtShell.Machine.Tests.Chipset;

public sealed class ChipsetStateTests
{
    [Fact]
    public void All_devices_continue_from_saved_state_as_if_nothing_had_happened()
    {
        TestBoard rig = new();
        rig.UsePic();
        Prepare(rig);
        TestBoard copy = rig.Copy();
        Assert.Equal(rig.Snapshot(), copy.Snapshot());
        Assert.Equal(rig.Intr, copy.Intr);
        Assert.Equal(Continue(rig), Continue(copy));
        Assert.Equal(rig.Snapshot(), copy.Snapshot());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Random_accesses_to_every_range_never_throw_and_state_stays_whole(int seed)
    {
        Random random = new(seed);
        TestBoard rig = new();
        rig.UsePic();
        List<(ushort First, int Count)> ports = [.. rig.Bus.PortRanges()];
        Assert.Equal(0x1000ul, rig.Bus.MmioRanges().Single(r => r.Start == LocalApic.DefaultBase).Length);
        for (int i = 0; i < 60_000; i++)
        {
            int size = 1 << random.Next(3);
            uint value = random.Next(4) switch { 0 => 0, 1 => uint.MaxValue, 2 => (uint)random.Next(256), _ => (uint)random.NextInt64(1L << 32) };
            switch (random.Next(10))
            {
                case < 3:
                    rig.Bus.ReadPort(Port(), size);
                    break;
                case < 6:
                    rig.Bus.WritePort(Port(), size, value);
                    break;
                case 6:
                    rig.Bus.ReadMmio(Address(), 1 << random.Next(4));
                    break;
                case 7:
                    rig.Bus.WriteMmio(Address(), 1 << random.Next(4), value);
                    break;
                case 8:
                    rig.Interrupts.Acknowledge();
                    LocalApic apic = rig.Interrupts.LocalApic;
                    uint msr = random.Next(3) switch { 0 => 0x1B, 1 => 0x6E0, _ => 0x800 + (uint)random.Next(0x100) };
                    apic.TryReadMsr(msr, out _);
                    apic.TryWriteMsr(msr, msr == 0x1B ? (value & 0xD00) | LocalApic.DefaultBase : value);
                    break;
                default:
                    rig.Com1.Send([(byte)value]);
                    rig.Advance(random.Next(20_000));
                    break;
            }

            if (i % 10_000 == 9_999)
            {
                TestBoard copy = rig.Copy();
                Assert.Equal(rig.Snapshot(), copy.Snapshot());
                Assert.Equal(rig.Intr, copy.Intr);
                rig = copy;
            }
        }

        ushort Port()
        {
            (ushort first, int count) = ports[random.Next(ports.Count)];
            return (ushort)(first + random.Next(count));
        }

        ulong Address()
        {
            List<(ulong Start, ulong Length)> ranges = [.. rig.Bus.MmioRanges()];
            (ulong start, ulong length) = ranges[random.Next(ranges.Count)];
            ulong offset = (ulong)random.NextInt64((long)length);
            return start + (random.Next(2) == 0 ? offset & ~0xFul : offset);
        }
    }

    // Leaves every device in the middle of something.
    private static void Prepare(TestBoard rig)
    {
        rig.Out(0x43, 0x34);
        rig.Out(0x40, 0x00);
        rig.Out(0x40, 0x10);
        rig.Out(0x43, 0xB6);
        rig.Out(0x42, 0x55);
        rig.Out(0x70, 0x0B);
        rig.Out(0x71, 0x52);
        rig.Out(0x3F9, 0x0F);
        rig.Out(0x3FA, 0x41);
        rig.Out(0x3FC, 0x0B);
        for (int i = 0; i < 12; i++)
        {
            rig.Out(0x3F8, 'a' + i);
        }

        rig.Com1.Send("some input that is longer than the FIFO"u8);
        rig.Out(0x60, 0xF2);
        rig.Out(0x64, 0xD4);
        rig.Out(0x60, 0xE8);
        rig.Mmio(LocalApic.DefaultBase + 0x320, 0x2_0070);
        rig.Mmio(LocalApic.DefaultBase + 0x380, 12_345);
        rig.Bus.WritePort(0x602, 2, 0x101);
        rig.Out(0xB2, 0xF1);
        rig.Interrupts.SetPciInterrupt(5, 2, true);
        rig.Advance(1_234_567);
        rig.Interrupts.Acknowledge();
    }

    private static List<string> Continue(TestBoard rig)
    {
        List<string> log = [];
        for (int i = 0; i < 3000; i++)
        {
            rig.Advance(97_003);
            if (rig.Intr)
            {
                int vector = rig.Interrupts.Acknowledge();
                log.Add($"{i}: {vector:x2} {rig.In(0x3FA):x2} {rig.In(0x3F8):x2} {rig.In(0x3FD):x2}");
                rig.Mmio(LocalApic.DefaultBase + 0xB0, 0);
                rig.Out(0xA0, 0x20);
                rig.Out(0x20, 0x20);
            }

            if (i % 100 == 0)
            {
                rig.Out(0x70, 0x0C);
                rig.Out(0x43, 0);
                log.Add($"{rig.In(0x71):x2} {rig.In(0x40):x2}{rig.In(0x40):x2} {rig.In(0x64):x2}{rig.In(0x60):x2} {rig.Bus.ReadPort(0x608, 4):x} {rig.Mmio(LocalApic.DefaultBase + 0x390):x}");
            }
        }

        return log;
    }
}
