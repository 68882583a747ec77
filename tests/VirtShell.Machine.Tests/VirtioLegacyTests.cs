using System;
using System.Collections.Generic;
using VirtShell.Machine.Virtio;
using VirtShell.Storage;
using Xunit;

namespace VirtShell.Machine.Tests;

/// <summary>The legacy interface's own ways; what both interfaces do alike is in the other classes, as rows.</summary>
public sealed class VirtioLegacyTests : IDisposable
{
    private readonly PciTestMachine _machine = new();
    private readonly List<byte> _sent = [];

    public VirtioLegacyTests()
    {
        _machine.AttachVirtio(_sent.Add, new MemoryDisk(1 << 20));
        _machine.PowerOn();
    }

    /// <summary>Device, subsystem, class, ports of BAR 0, queues and their size, features of 32 bits.</summary>
    [Theory]
    [InlineData(4, 0x1005, 4, 0x00FF, 32, 1, 64, 0)]
    [InlineData(5, 0x1003, 3, 0x0780, 64, 2, 64, 1u << 2)]
    [InlineData(6, 0x1001, 2, 0x0100, 128, 1, 256, 0x6E46)]
    public void Devices_are_transitional(int slot, uint device, uint subsystem, uint kind, uint ports, int queues, uint size, uint features)
    {
        VirtioTestDriver driver = new(_machine, slot, legacy: true);
        Assert.Equal((device << 16) | 0x1AF4, driver.ReadConfig(0, 4));
        Assert.Equal((subsystem << 16) | 0x1AF4, driver.ReadConfig(0x2C, 4));
        Assert.Equal((0u, kind), (driver.ReadConfig(8, 1), driver.ReadConfig(0x0A, 2)));
        uint bar = driver.ReadConfig(0x10, 4);
        Assert.Equal(1u, bar & 3);
        driver.WriteConfig(0x10, 4, uint.MaxValue);
        Assert.Equal(~(ports - 1) | 1, driver.ReadConfig(0x10, 4));
        driver.WriteConfig(0x10, 4, bar);
        Assert.Equal(features | (uint)VirtioTestDriver.RingFeatures, driver.DeviceFeatures);
        for (int queue = 0; queue < 4; queue++)
        {
            driver.WriteLegacy(0x0E, 2, (uint)queue);
            Assert.Equal((queue < queues ? size : 0, 0u), (driver.ReadLegacy(0x0C, 2), driver.ReadLegacy(8, 4)));
        }
    }

    [Fact]
    public void Registers_read_back()
    {
        VirtioTestDriver driver = new(_machine, 5, legacy: true);
        driver.WriteLegacy(4, 4, uint.MaxValue);
        Assert.Equal((uint)driver.DeviceFeatures, driver.ReadLegacy(4, 4));
        driver.WriteLegacy(0x0E, 2, 1);
        driver.WriteLegacy(8, 4, 0x123);
        Assert.Equal(0x0001_0040u, driver.ReadLegacy(0x0C, 4));
        Assert.Equal((0x123u, 0x23u), (driver.ReadLegacy(8, 4), driver.ReadLegacy(8, 1)));

        // Page 0 gives the queue up; another may be set up.
        driver.WriteLegacy(8, 4, 0);
        Assert.Equal(0u, driver.ReadLegacy(8, 4));
        driver.WriteLegacy(8, 4, 0x156);
        Assert.Equal(0x156u, driver.ReadLegacy(8, 4));

        // The vectors' registers are there while MSI-X is on, and push device configuration back.
        Assert.Equal(0u, driver.ReadLegacy(0x14, 4));
        driver.EnableMsix(3);
        Assert.Equal(0xFFFF_FFFFu, driver.ReadLegacy(0x14, 4));
        driver.WriteLegacy(0x14, 2, 2);
        driver.WriteLegacy(0x16, 2, 1);
        Assert.Equal(0x0001_0002u, driver.ReadLegacy(0x14, 4));
        driver.WriteLegacy(0x16, 2, 3);
        Assert.Equal(0xFFFFu, driver.ReadLegacy(0x16, 2));

        driver.Status = 7;
        Assert.Equal(7, driver.Status);
        driver.Status = 0;
        Assert.Equal((0, 0u, 0u), (driver.Status, driver.ReadLegacy(4, 4), driver.ReadLegacy(8, 4)));
        Assert.Equal(0u, driver.ReadLegacy(0x0E, 2));
    }

    /// <summary>Linux before 2.6.34 leaves the bus master bit alone, and reads partitions before it says DRIVER_OK.</summary>
    [Fact]
    public void Queues_work_before_the_driver_is_ready_and_without_the_bus_master_bit()
    {
        VirtioTestDriver driver = new(_machine, 4, legacy: true);
        driver.WriteConfig(4, 2, 1);
        driver.Status = 0;
        driver.Status = 1;
        driver.Status = 3;
        Assert.Equal(5u, driver.ReadConfig(4, 2));
        VirtioTestQueue queue = driver.SetUpQueue(0, 0);
        queue.Add(new TestBuffer(driver.Allocate(8), 8, true));
        queue.Kick();
        Assert.True(queue.TryTake(out _, out uint length));
        Assert.Equal(8u, length);

        // Given up, the queue is the device's no more.
        driver.WriteLegacy(8, 4, 0);
        queue.Add(new TestBuffer(driver.Allocate(8), 8, true));
        queue.Kick();
        Assert.Equal(1, queue.UsedIndex);
    }

    /// <summary>A queue that is given up amid its work takes the work along.</summary>
    [Fact]
    public void A_queue_given_up_stops_its_work()
    {
        VirtioTestDriver driver = new(_machine, 5, legacy: true);
        driver.Negotiate(0);
        VirtioTestQueue queue = driver.SetUpQueue(1, 0);
        driver.Start();
        queue.Add(new TestBuffer(driver.Allocate(20_000), 20_000, false));
        queue.Kick();
        Assert.Equal(VirtioConsole.OutputPieceBytes, _sent.Count);
        driver.WriteLegacy(8, 4, 0);
        _machine.RunEvents();
        Assert.Equal(VirtioConsole.OutputPieceBytes, _sent.Count);
        queue = driver.SetUpQueue(1, 0);
        queue.Add(new TestBuffer(driver.Place("again"u8), 5, false));
        queue.Kick();
        _machine.RunEvents();
        Assert.Equal("again"u8.ToArray(), _sent.ToArray()[^5..]);
        Assert.Equal(VirtioConsole.OutputPieceBytes + 5, _sent.Count);
    }

    /// <summary>A driver of 1.x after a legacy one, as a kernel behind a boot loader: it resets, and finds nothing left.</summary>
    [Fact]
    public void A_modern_driver_follows_a_legacy_one()
    {
        VirtioTestDriver legacy = new(_machine, 4, legacy: true);
        legacy.Negotiate(legacy.DeviceFeatures);
        VirtioTestQueue first = legacy.SetUpQueue(0, 0);
        legacy.Start();
        first.Add(new TestBuffer(legacy.Allocate(8), 8, true));
        first.Kick();
        Assert.Equal(1, first.UsedIndex);

        VirtioTestDriver modern = new(_machine, 4, 0x200000);
        modern.Status = 0;
        modern.Status = VirtioStatus.Acknowledge | VirtioStatus.Driver | VirtioStatus.DriverOk;
        Assert.Equal(VirtioStatus.Acknowledge | VirtioStatus.Driver, modern.Status);
        Assert.True(modern.Negotiate(VirtioFeature.Version1));
        VirtioTestQueue second = modern.SetUpQueue(0, 16);
        modern.Start();
        second.Add(new TestBuffer(modern.Allocate(8), 8, true));
        second.Kick();
        Assert.Equal((1, 1), (first.UsedIndex, second.UsedIndex));
    }

    [Fact]
    public void A_ring_outside_ram_needs_a_reset()
    {
        VirtioTestDriver driver = new(_machine, 4, legacy: true);
        foreach (uint page in (uint[])[(uint)(PciTestMachine.MemoryBytes / 4096), 0xF_FFFF, uint.MaxValue])
        {
            driver.Negotiate(0);
            driver.WriteLegacy(0x0E, 2, 0);
            driver.WriteLegacy(8, 4, page);
            driver.Start();
            driver.Notify(0);
            Assert.NotEqual(0, driver.Status & VirtioStatus.NeedsReset);
        }
    }

    public void Dispose() => _machine.Dispose();
}
