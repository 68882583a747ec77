using System;
using VirtShell.Machine.Virtio;
using VirtShell.State;
using VirtShell.Storage;
using Xunit;

namespace VirtShell.Machine.Tests;

/// <summary>A hostile guest: random rings, registers and configuration writes from a seed. Nothing throws, work stays bounded, and a reset heals.</summary>
public sealed class VirtioFuzzTests
{
    private const int FirstSlot = 4;
    private const int Devices = 3;
    private const long ArenaBytes = 0x8000;

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(3, false)]
    [InlineData(4, false)]
    [InlineData(5, true)]
    [InlineData(6, true)]
    public void Nothing_throws_or_spins(int seed, bool legacy)
    {
        long sent = 0;
        using PciTestMachine machine = new();
        VirtioConsole console = machine.AttachVirtio(_ => sent++, new MemoryDisk(1 << 20));
        machine.PowerOn();
        Random random = new(seed);
        VirtioTestDriver[] drivers = new VirtioTestDriver[Devices];
        for (int round = 0; round < 400; round++)
        {
            machine.PowerOn();
            for (int i = 0; i < Devices; i++)
            {
                drivers[i] = new VirtioTestDriver(machine, FirstSlot + i, legacy: legacy);
                Begin(drivers[i], random);
            }

            for (int step = 0; step < 60; step++)
            {
                long before = sent;
                Step(machine, drivers[random.Next(Devices)], console, random);

                // The most that any step does: three accesses that hand over output, and one that resumes a device.
                Assert.InRange(sent - before, 0, 4 * (VirtioConsole.OutputPieceBytes + 1));
            }

            // Each completion lets in at most one request more, so a ring that feeds itself is paced by the clock, not endless at once.
            machine.RunEvents(limit: 300);
            if (round % 50 == 0)
            {
                byte[] saved = machine.Save();
                machine.Load(saved);
                Assert.Equal(saved, machine.Save());
            }
        }

        machine.PowerOn();
        VirtioTestDriver healed = new(machine, FirstSlot, 0x100000);
        Assert.True(healed.Negotiate(VirtioFeature.Version1));
        VirtioTestQueue queue = healed.SetUpQueue(0, 8);
        healed.Start();
        queue.Add(new TestBuffer(healed.Allocate(8), 8, true));
        queue.Kick();
        Assert.Equal(1, queue.UsedIndex);
    }

    /// <summary>A used ring laid over the available ring makes each completion look like a new request.</summary>
    [Fact]
    public void A_ring_that_feeds_itself_does_not_spin()
    {
        using PciTestMachine machine = new();
        machine.AttachVirtio(_ => { }, new MemoryDisk(1 << 20));
        machine.PowerOn();
        foreach (int slot in (int[])[4, 5, 6])
        {
            VirtioTestDriver driver = new(machine, slot);
            driver.Negotiate(VirtioFeature.Version1);
            int index = slot == 5 ? 1 : 0;
            driver.Write(0x16, 2, (ulong)index);
            driver.Write(0x18, 2, 8);
            ulong ring = driver.Allocate(256);
            ulong table = driver.Allocate(128);
            driver.Write(0x20, 8, table);
            driver.Write(0x28, 8, ring);
            driver.Write(0x30, 8, ring);
            driver.Write(0x1C, 2, 1);
            VirtioTestQueue writer = new(driver, index, 8);
            for (int i = 0; i < 8; i++)
            {
                writer.WriteDescriptor(table, i, 0x100000, 16, 0, 0);
            }

            machine.Memory.WriteUInt16(ring + 2, 1);
            driver.Start();
            driver.Notify(index);
            machine.RunEvents(limit: 1000);
        }
    }

    private static void Begin(VirtioTestDriver driver, Random random)
    {
        driver.Negotiate(random.Next(8) == 0 ? (ulong)random.NextInt64() : VirtioFeature.Version1 | (driver.DeviceFeatures & (ulong)random.NextInt64()));
        if (random.Next(2) == 0)
        {
            driver.EnableMsix(3);
        }

        for (int queue = 0; queue < 2; queue++)
        {
            if (driver.IsLegacy)
            {
                driver.WriteLegacy(0x0E, 2, (uint)queue);
                driver.WriteLegacy(8, 4, (uint)random.Next(1, (int)(ArenaBytes / 4096)));
                continue;
            }

            driver.Write(0x16, 2, (ulong)queue);
            driver.Write(0x18, 2, 1UL << random.Next(7));
            driver.Write(0x1A, 2, (ulong)random.Next(4));
            driver.Write(0x20, 8, Address(random) & ~15UL);
            driver.Write(0x28, 8, Address(random) & ~1UL);
            driver.Write(0x30, 8, Address(random) & ~3UL);
            driver.Write(0x1C, 2, 1);
        }

        // Rings of random but often plausible descriptors: low addresses, short lengths, small indexes.
        byte[] arena = new byte[ArenaBytes];
        random.NextBytes(arena);
        for (int i = 0; i < arena.Length; i += 16)
        {
            if (random.Next(8) != 0)
            {
                arena.AsSpan(i + 3, 5).Clear();
                arena.AsSpan(i + 10, 2).Clear();
                arena[i + 12] &= 7;
                arena[i + 13] = 0;
                arena[i + 14] &= 15;
                arena[i + 15] = 0;
            }
        }

        driver.Memory.Write(0, arena);
        driver.Start();
    }

    private static void Step(PciTestMachine machine, VirtioTestDriver driver, VirtioConsole console, Random random)
    {
        switch (random.Next(12))
        {
            case 0 or 1 when driver.IsLegacy:
                driver.WriteLegacy(random.Next(0x20), 1 << random.Next(3), (uint)random.Next());
                driver.ReadLegacy(random.Next(0x20), 1 << random.Next(3));
                break;
            case 2 when driver.IsLegacy:
                driver.WriteLegacy(0x0E, 2, (uint)random.Next(3));
                driver.WriteLegacy(8, 4, (uint)random.Next((int)(ArenaBytes / 4096)));
                break;
            case 0:
                driver.Write(random.Next(0x40), 1 << random.Next(4), (ulong)random.NextInt64());
                break;
            case 1:
                driver.Read(random.Next(0x40), 1 << random.Next(4));
                break;
            case 2:
                machine.Bus.WriteMmio(driver.Region(1) + (ulong)random.Next(0x4000), 1 << random.Next(4), (ulong)random.NextInt64());
                break;
            case 3:
                machine.Bus.ReadMmio(driver.Region(1) + (ulong)random.Next(0x4000), 1 << random.Next(4));
                break;
            case 4:
                machine.WriteConfig(driver.Slot, 0, random.Next(4, 0x10 + 4), 1 << random.Next(2), (uint)random.Next());
                break;
            case 5:
                machine.WriteConfig(driver.Slot, 0, 4 * random.Next(0x10, 0x40), 4, (uint)random.Next());
                machine.ReadConfig(driver.Slot, 0, driver.PciAccessCapability + 16, 4);
                break;
            case 6:
                console.Send([1, 2, 3, 4, 5, 6, 7, 8]);
                break;
            case 7:
                // The available index moves by a little, wherever the ring is.
                ulong at = (ulong)random.Next((int)ArenaBytes) & ~1UL;
                machine.Memory.WriteUInt16(at, (ushort)(machine.Memory.ReadUInt16(at) + random.Next(4)));
                break;
            default:
                driver.Status = 15;
                for (int queue = 0; queue < 2; queue++)
                {
                    driver.Write(0x16, 2, (ulong)queue);
                    ulong ring = driver.Read(0x28, 8);
                    if (ring < ArenaBytes)
                    {
                        machine.Memory.WriteUInt16(ring + 2, (ushort)random.Next(4));
                    }

                    driver.Notify(queue);
                }

                break;
        }
    }

    private static ulong Address(Random random) => random.Next(12) switch
    {
        0 => (ulong)random.NextInt64(),
        1 => PciTestMachine.MemoryBytes - (ulong)random.Next(64),
        _ => (ulong)random.Next((int)ArenaBytes),
    };
}
