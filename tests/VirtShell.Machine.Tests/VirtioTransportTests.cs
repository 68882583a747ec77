using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Machine.Virtio;
using Xunit;

namespace VirtShell.Machine.Tests;

/// <summary>The PCI transport, negotiation, interrupts and broken rings, mostly by way of the two simplest devices.</summary>
public sealed class VirtioTransportTests : IDisposable
{
    private const int RngSlot = 4;
    private const int ConsoleSlot = 5;
    private readonly PciTestMachine _machine = new();
    private readonly List<byte> _sent = [];
    private readonly VirtioConsole _console;
    private readonly VirtioRng _rng;
    private Action<byte>? _answer;

    public VirtioTransportTests()
    {
        _rng = new VirtioRng(_machine.Memory, _machine.Clock, 42);
        _console = new VirtioConsole(_machine.Memory, _machine.Clock, Sent);
        _machine.Pci.Attach(RngSlot, 0, new VirtioPciFunction(_rng));
        _machine.Pci.Attach(ConsoleSlot, 0, new VirtioPciFunction(_console));
        _machine.PowerOn();
    }

    [Fact]
    public void Declares_its_structures()
    {
        VirtioTestDriver rng = new(_machine, RngSlot);
        VirtioTestDriver console = new(_machine, ConsoleSlot);
        Assert.Equal(0x1005_1AF4u, _machine.ReadConfig(RngSlot, 0, 0, 4));
        Assert.Equal(0x1003_1AF4u, _machine.ReadConfig(ConsoleSlot, 0, 0, 4));
        Assert.Equal([true, true, true, false], new[] { 1, 2, 3, 4 }.Select(rng.HasRegion));
        Assert.Equal([true, true, true, true], new[] { 1, 2, 3, 4 }.Select(console.HasRegion));
        Assert.Equal((56u, 4u, 1u), (rng.RegionLength(1), rng.RegionLength(2), rng.RegionLength(3)));
        Assert.Equal((8u, 12u), (console.RegionLength(2), console.RegionLength(4)));
        Assert.True(rng.PciAccessCapability > 0 && rng.MsixCapability > 0);
        Assert.Equal(2UL, console.Read(0x12, 2));
    }

    [Theory]
    [InlineData(VirtioFeature.Version1, true)]
    [InlineData(VirtioFeature.Version1 | VirtioTestDriver.RingFeatures, true)]
    [InlineData(0UL, false)]
    [InlineData(VirtioTestDriver.RingFeatures, false)]
    [InlineData(VirtioFeature.Version1 | (1UL << 34), false)]
    [InlineData(ulong.MaxValue, false)]
    public void Agrees_to_features_it_offers_with_version_1(ulong features, bool agrees)
    {
        VirtioTestDriver driver = new(_machine, RngSlot);
        Assert.Equal(VirtioFeature.Version1 | VirtioTestDriver.RingFeatures, driver.DeviceFeatures);
        Assert.Equal(agrees, driver.Negotiate(features));
        driver.Start();
        Assert.Equal(agrees, (driver.Status & VirtioStatus.DriverOk) != 0);

        // Final once agreed to.
        driver.DriverFeatures = 0x55;
        Assert.Equal(agrees ? features : 0x55UL, driver.DriverFeatures);
    }

    [Fact]
    public void Registers_read_back_at_any_size()
    {
        VirtioTestDriver driver = new(_machine, ConsoleSlot);
        driver.Write(0x16, 2, 1);
        driver.Write(0x18, 2, 16);
        driver.Write(0x18, 2, 17);
        driver.Write(0x18, 2, 128);
        driver.Write(0x20, 8, 0x1122_3344_5566_7780);
        driver.Write(0x1A, 2, 9);
        Assert.Equal(16UL, driver.Read(0x18, 2));
        Assert.Equal(0xFFFFUL, driver.Read(0x1A, 2));
        driver.Write(0x1A, 2, 2);
        Assert.Equal(2UL, driver.Read(0x1A, 2));
        Assert.Equal(0x1122_3344_5566_7780UL, driver.Read(0x20, 8));
        Assert.Equal(0x1122_3344UL, driver.Read(0x24, 4));
        Assert.Equal(0x77UL, driver.Read(0x21, 1));
        driver.Write(0x16, 2, 7);
        Assert.Equal((0UL, 0xFFFFUL, 0UL), (driver.Read(0x18, 2), driver.Read(0x1A, 2), driver.Read(0x20, 8)));
        driver.Status = 0;
        driver.Write(0x16, 2, 1);
        Assert.Equal((64UL, 0UL, 0xFFFFUL), (driver.Read(0x18, 2), driver.Read(0x20, 8), driver.Read(0x1A, 2)));
    }

    [Fact]
    public void The_bar_is_reached_through_configuration_space()
    {
        VirtioTestDriver driver = new(_machine, ConsoleSlot);
        int cap = driver.PciAccessCapability;
        _machine.WriteConfig(ConsoleSlot, 0, cap + 4, 1, 4);
        _machine.WriteConfig(ConsoleSlot, 0, cap + 8, 4, 0x14);
        _machine.WriteConfig(ConsoleSlot, 0, cap + 12, 4, 1);
        _machine.WriteConfig(ConsoleSlot, 0, cap + 16, 1, VirtioStatus.Acknowledge);
        Assert.Equal(VirtioStatus.Acknowledge, driver.Status);
        Assert.Equal(1u, _machine.ReadConfig(ConsoleSlot, 0, cap + 16, 1));

        // Out of the BAR, unaligned, of a wrong size, of another BAR: nothing happens.
        foreach ((uint bar, uint offset, uint length) in ((uint, uint, uint)[])[(4, 0x4000, 1), (4, 0xFFFF_FFFC, 4), (4, 0x15, 2), (4, 0x14, 3), (4, 0x14, 8), (1, 0, 4)])
        {
            _machine.WriteConfig(ConsoleSlot, 0, cap + 4, 1, bar);
            _machine.WriteConfig(ConsoleSlot, 0, cap + 8, 4, offset);
            _machine.WriteConfig(ConsoleSlot, 0, cap + 12, 4, length);
            _machine.WriteConfig(ConsoleSlot, 0, cap + 16, 4, 0);
            _machine.ReadConfig(ConsoleSlot, 0, cap + 16, 4);
        }

        Assert.Equal(VirtioStatus.Acknowledge, driver.Status);
    }

    [Fact]
    public void The_rng_gives_the_seeds_sequence()
    {
        byte[] first = RandomBytes(100);
        Assert.NotEqual(new byte[100], first);
        byte[] expected = new byte[104];
        new Xoshiro256(42).Fill(expected);
        Assert.Equal(expected[..100], first);
        Assert.NotEqual(first, RandomBytes(100));
        _machine.PowerOn();
        Assert.Equal(first, RandomBytes(100));
    }

    /// <summary>The first values that other implementations give for SplitMix64 seed 0.</summary>
    [Fact]
    public void The_generator_is_xoshiro_256_star_star()
    {
        Xoshiro256 seeded = new(0);
        Assert.Equal(0x99EC5F36CB75F2B4UL, seeded.Next());
        Assert.Equal(0xBF6E1F784956452AUL, seeded.Next());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_console_sends_and_receives(bool legacy)
    {
        VirtioTestDriver driver = new(_machine, ConsoleSlot, legacy: legacy);
        driver.Negotiate(driver.DeviceFeatures);
        VirtioTestQueue receive = driver.SetUpQueue(0, 8);
        VirtioTestQueue transmit = driver.SetUpQueue(1, 8);
        _console.Send("early "u8);
        driver.Start();
        transmit.Add(new TestBuffer(driver.Place("hello, "u8), 7, false), new TestBuffer(driver.Place("host"u8), 4, false));
        transmit.Kick();
        Assert.Equal("hello, host"u8.ToArray(), _sent.ToArray());
        Assert.True(transmit.TryTake(out _, out uint length));
        Assert.Equal(0u, length);

        ulong buffer = driver.Allocate(16);
        receive.Add(new TestBuffer(buffer, 16, true));
        receive.Kick();
        Assert.False(receive.TryTake(out _, out _));
        _machine.RunEvents();
        Assert.True(receive.TryTake(out _, out length));
        Assert.Equal("early ", Text(driver.Fetch(buffer, (int)length)));

        // More than one buffer holds; the rest waits for the next.
        receive.Add(new TestBuffer(buffer, 16, true));
        _console.Send("0123456789abcdefghij"u8);
        Assert.True(receive.TryTake(out _, out length));
        Assert.Equal("0123456789abcdef", Text(driver.Fetch(buffer, (int)length)));
        Assert.Equal(4, _console.PendingInput);
        Assert.Equal(receive.AvailableIndex, receive.AvailableEvent);
        receive.Add(new TestBuffer(buffer, 16, true));
        receive.Kick();
        Assert.True(receive.TryTake(out _, out length));
        Assert.Equal("ghij", Text(driver.Fetch(buffer, (int)length)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_answer_from_within_the_output_waits_for_the_request_in_hand(bool legacy)
    {
        VirtioTestDriver driver = new(_machine, ConsoleSlot, legacy: legacy);
        driver.Negotiate(driver.DeviceFeatures);
        VirtioTestQueue receive = driver.SetUpQueue(0, 8);
        VirtioTestQueue transmit = driver.SetUpQueue(1, 8);
        driver.Start();
        _machine.RunEvents();
        ulong buffer = driver.Allocate(16);
        receive.Add(new TestBuffer(buffer, 16, true));
        receive.Kick();
        _answer = value => _console.Send([(byte)(value - 32)]);
        transmit.Add(new TestBuffer(driver.Place("echo"u8), 4, false));
        transmit.Kick();
        Assert.Equal("echo"u8.ToArray(), _sent.ToArray());
        Assert.True(receive.TryTake(out _, out uint length));
        Assert.Equal("ECHO", Text(driver.Fetch(buffer, (int)length)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_console_has_an_emergency_write(bool legacy)
    {
        VirtioTestDriver driver = new(_machine, ConsoleSlot, legacy: legacy);
        driver.WriteDeviceConfig(8, 4, 'X');
        Assert.Equal("X"u8.ToArray(), _sent.ToArray());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Pin_interrupts_follow_the_isr(bool legacy)
    {
        VirtioTestDriver driver = new(_machine, RngSlot, legacy: legacy);
        driver.Negotiate(driver.RequiredFeatures);
        VirtioTestQueue queue = driver.SetUpQueue(0, 8);
        driver.Start();
        queue.Add(new TestBuffer(driver.Allocate(8), 8, true));
        queue.Kick();
        Assert.Contains((RngSlot, 1), _machine.AssertedPins);
        Assert.Equal(1, driver.ReadIsr());
        Assert.Empty(_machine.AssertedPins);
        Assert.Equal(0, driver.ReadIsr());

        queue.SetAvailableFlags(1);
        queue.Add(new TestBuffer(driver.Allocate(8), 8, true));
        queue.Kick();
        Assert.Empty(_machine.AssertedPins);
        Assert.Equal(2, queue.UsedIndex);
        Assert.Empty(_machine.Messages);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Event_index_suppresses_interrupts_and_asks_for_notifications(bool legacy)
    {
        VirtioTestDriver driver = new(_machine, RngSlot, legacy: legacy);
        driver.Negotiate(driver.RequiredFeatures | VirtioTestDriver.RingFeatures);
        driver.EnableMsix(2);
        driver.SetConfigVector(0);
        VirtioTestQueue queue = driver.SetUpQueue(0, 8, vector: 1);
        driver.Start();
        ulong buffer = driver.Allocate(8);
        queue.SetUsedEvent(2);
        for (int i = 1; i <= 2; i++)
        {
            queue.Add(new TestBuffer(buffer, 8, true));
            queue.Kick();
            Assert.Equal(i, queue.AvailableEvent);
        }

        Assert.Empty(_machine.Messages);
        queue.Add(new TestBuffer(buffer, 8, true));
        queue.Kick();
        Assert.Equal([(VirtioTestDriver.MessageBase, 0x41u)], _machine.Messages);
        queue.Add(new TestBuffer(buffer, 8, true));
        queue.Kick();
        Assert.Single(_machine.Messages);

        // Across the index' wrap, too.
        for (int i = 4; i < 0x10008; i++)
        {
            queue.SetUsedEvent((ushort)i);
            queue.Add(new TestBuffer(buffer, 8, true));
            queue.Kick();
        }

        Assert.Equal(0x10005, _machine.Messages.Count);
        Assert.Equal(legacy ? 0x07 : 0x0F, driver.Status);
    }

    public static TheoryData<string> BrokenRings =>
    [
        "descriptor loop", "indirect loop", "head out of range", "next out of range", "available index jumps", "descriptor table outside RAM",
        "available ring outside RAM", "used ring outside RAM", "buffer outside RAM", "buffer wraps", "length 0", "length over the limit",
        "read after write", "indirect in indirect", "indirect with next", "indirect of odd length", "indirect of length 0", "indirect outside RAM",
        "misaligned ring",
    ];

    [Theory]
    [MemberData(nameof(BrokenRings))]
    public void A_broken_ring_needs_a_reset(string how)
    {
        VirtioTestDriver driver = new(_machine, RngSlot);
        driver.Negotiate(VirtioFeature.Version1 | VirtioTestDriver.RingFeatures);
        driver.EnableMsix(2);
        driver.Write(0x10, 2, 0);
        ulong buffer = driver.Allocate(64);
        VirtioTestQueue queue = how == "misaligned ring" ? Misaligned(driver) : driver.SetUpQueue(0, 8, vector: 1);
        if (how.EndsWith("outside RAM", StringComparison.Ordinal) && how is not ("buffer outside RAM" or "indirect outside RAM"))
        {
            driver.Status = 0;
            driver.Negotiate(VirtioFeature.Version1 | VirtioTestDriver.RingFeatures);
            driver.Write(0x10, 2, 0);
            queue = OutsideRam(driver, how);
        }

        driver.Start();
        Break(driver, queue, how, buffer);
        queue.Kick();
        Assert.Equal(VirtioStatus.NeedsReset, driver.Status & VirtioStatus.NeedsReset);
        Assert.NotNull(_rng.FailureReason);
        if (how != "misaligned ring")
        {
            // Configuration change interrupts: the driver hears of it.
            Assert.Contains((VirtioTestDriver.MessageBase, 0x40u), _machine.Messages);
        }

        // Dead until reset, alive after it.
        queue.Kick();
        driver.Status = 0;
        Assert.Equal(0, driver.Status);
        Assert.Equal(16, RandomBytes(16).Length);
    }

    public void Dispose() => _machine.Dispose();

    private static string Text(byte[] bytes) => System.Text.Encoding.ASCII.GetString(bytes);

    private static VirtioTestQueue Misaligned(VirtioTestDriver driver)
    {
        driver.Write(0x16, 2, 0);
        VirtioTestQueue queue = new(driver, 0, 8);
        driver.Write(0x20, 8, queue.Descriptors + 8);
        driver.Write(0x28, 8, queue.Available);
        driver.Write(0x30, 8, queue.Used);
        driver.Write(0x1C, 2, 1);
        return queue;
    }

    private static VirtioTestQueue OutsideRam(VirtioTestDriver driver, string which)
    {
        driver.Write(0x16, 2, 0);
        driver.Write(0x18, 2, 8);
        VirtioTestQueue queue = new(driver, 0, 8);
        driver.Write(0x20, 8, which.StartsWith("descriptor", StringComparison.Ordinal) ? 0x7000_0000_0000UL : queue.Descriptors);
        driver.Write(0x28, 8, which.StartsWith("available", StringComparison.Ordinal) ? PciTestMachine.MemoryBytes : queue.Available);
        driver.Write(0x30, 8, which.StartsWith("used", StringComparison.Ordinal) ? PciTestMachine.MemoryBytes - 8 : queue.Used);
        driver.Write(0x1C, 2, 1);
        return queue;
    }

    private static void Break(VirtioTestDriver driver, VirtioTestQueue queue, string how, ulong buffer)
    {
        void Descriptor(int index, ulong address, uint length, ushort flags, ushort next = 0) => queue.WriteDescriptor(queue.Descriptors, index, address, length, flags, next);
        ulong table = driver.Allocate(64);
        queue.WriteDescriptor(table, 0, buffer, 8, 2, 0);
        queue.WriteDescriptor(table, 1, buffer, 8, 2, 0);
        switch (how)
        {
            case "descriptor loop":
                Descriptor(0, buffer, 8, 3, 1);
                Descriptor(1, buffer, 8, 3, 0);
                break;
            case "indirect loop":
                queue.WriteDescriptor(table, 0, buffer, 8, 3, 1);
                queue.WriteDescriptor(table, 1, buffer, 8, 3, 0);
                Descriptor(0, table, 32, 4);
                break;
            case "head out of range":
                queue.MakeAvailable(8);
                return;
            case "next out of range":
                Descriptor(0, buffer, 8, 3, 0xFFFF);
                break;
            case "available index jumps":
                queue.AvailableIndex += 200;
                break;
            case "buffer outside RAM":
                Descriptor(0, PciTestMachine.MemoryBytes - 4, 8, 2);
                break;
            case "buffer wraps":
                Descriptor(0, ulong.MaxValue - 3, 8, 2);
                break;
            case "length 0":
                Descriptor(0, buffer, 0, 2);
                break;
            case "length over the limit":
                Descriptor(0, 0, uint.MaxValue, 2);
                break;
            case "read after write":
                Descriptor(0, buffer, 8, 3, 1);
                Descriptor(1, buffer, 8, 0);
                break;
            case "indirect in indirect":
                queue.WriteDescriptor(table, 0, table, 32, 4, 0);
                Descriptor(0, table, 32, 4);
                break;
            case "indirect with next":
                Descriptor(0, table, 32, 5, 1);
                break;
            case "indirect of odd length":
                Descriptor(0, table, 31, 4);
                break;
            case "indirect of length 0":
                Descriptor(0, table, 0, 4);
                break;
            case "indirect outside RAM":
                Descriptor(0, 0x5000_0000, 32, 4);
                break;
            default:
                Descriptor(0, buffer, 8, 2);
                break;
        }

        queue.MakeAvailable(0);
    }

    private void Sent(byte value)
    {
        _sent.Add(value);
        _answer?.Invoke(value);
    }

    private byte[] RandomBytes(int count)
    {
        VirtioTestDriver driver = new(_machine, RngSlot, 0x200000);
        Assert.True(driver.Negotiate(VirtioFeature.Version1 | VirtioTestDriver.RingFeatures));
        VirtioTestQueue queue = driver.SetUpQueue(0, 8);
        driver.Start();
        ulong buffer = driver.Allocate(count);
        queue.Add(new TestBuffer(buffer, (uint)count, true));
        queue.Kick();
        Assert.True(queue.TryTake(out _, out uint length));
        Assert.Equal((uint)count, length);
        return driver.Fetch(buffer, count);
    }
}
