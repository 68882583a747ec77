using System;
using System.Collections.Generic;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Pci;
using VirtShell.Machine.Virtio;
using VirtShell.State;
using VirtShell.Storage;

namespace VirtShell.Machine.Tests;

/// <summary>Memory, bus, clock and PCI without a processor; what a guest would do is done by the test, through ports and MMIO.</summary>
internal sealed class PciTestMachine : IPciInterruptSink, IMsiSink, IStateful, IDisposable
{
    public const ulong MemoryBytes = 4 << 20;

    public PciTestMachine()
    {
        Clock = new MachineClock(() => Retired);
        Pci = new PciBus(Bus, this, this);
    }

    public PhysicalMemory Memory { get; } = new(MemoryBytes);

    public IoBus Bus { get; } = new();

    public MachineClock Clock { get; }

    public PciBus Pci { get; }

    public long Retired { get; set; }

    public List<(ulong Address, uint Data)> Messages { get; } = [];

    public HashSet<(int Slot, int Pin)> AssertedPins { get; } = [];

    public byte[] PirqRoutes { get; } = new byte[4];

    public void SetPciInterrupt(int slot, int pin, bool asserted)
    {
        if (asserted)
        {
            AssertedPins.Add((slot, pin));
        }
        else
        {
            AssertedPins.Remove((slot, pin));
        }
    }

    public int LegacyIrqOf(int slot, int pin) => PirqRoutes[(slot + pin - 1) & 3];

    public void SetPirqRoute(int pirq, byte value) => PirqRoutes[pirq] = value;

    public void DeliverMsi(ulong address, uint data) => Messages.Add((address, data));

    /// <summary>Resets the bus and gives out addresses and lines, as firmware would.</summary>
    public void PowerOn()
    {
        Pci.Reset();
        Pci.AssignResources();
    }

    /// <summary>Attaches the functions of the chipset; gives the one that moves the power management block.</summary>
    public Piix4PowerFunction AttachChipset()
    {
        Piix4PowerFunction power = new(0x600);
        Pci.Attach(0, 0, new I440FxHostBridge(null));
        Pci.Attach(1, 0, new Piix3IsaBridge(Pci));
        Pci.Attach(1, 3, power);
        return power;
    }

    /// <summary>Attaches the virtio devices that machines have, at their slots; gives the console.</summary>
    public VirtioConsole AttachVirtio(System.Action<byte> output, IBlockDevice disk)
    {
        VirtioConsole console = new(Memory, Clock, output);
        Pci.Attach(4, 0, new VirtioPciFunction(new VirtioRng(Memory, Clock, 7)));
        Pci.Attach(5, 0, new VirtioPciFunction(console));
        Pci.Attach(6, 0, new VirtioPciFunction(new VirtioBlock(Memory, Clock, disk, "fuzz")));
        return console;
    }

    public static uint ReadConfig(IoBus bus, int slot, int function, int offset, int size)
    {
        bus.WritePort(0xCF8, 4, Address(slot, function, offset));
        return bus.ReadPort((ushort)(0xCFC + (offset & 3)), size);
    }

    public static void WriteConfig(IoBus bus, int slot, int function, int offset, int size, uint value)
    {
        bus.WritePort(0xCF8, 4, Address(slot, function, offset));
        bus.WritePort((ushort)(0xCFC + (offset & 3)), size, value);
    }

    public uint ReadConfig(int slot, int function, int offset, int size) => ReadConfig(Bus, slot, function, offset, size);

    public void WriteConfig(int slot, int function, int offset, int size, uint value) => WriteConfig(Bus, slot, function, offset, size, value);

    /// <summary>Fires events, jumping from one to the next, until none is left; gives how many fired.</summary>
    public int RunEvents(int limit = 100_000)
    {
        int count = 0;
        while (count < limit && Clock.NextDue != long.MaxValue)
        {
            Clock.SkipTo(Clock.NextDue);
            if (Clock.FireNext())
            {
                count++;
            }
        }

        return count;
    }

    public void Describe(StateVisitor visitor)
    {
        visitor.Part("clock", Clock);
        byte[] ram = new byte[MemoryBytes];
        Memory.Read(0, ram);
        visitor.Array("ram", ram.AsSpan());
        if (visitor.IsLoading)
        {
            Memory.Write(0, ram);
        }

        visitor.Part("pci", Pci);
    }

    public void Dispose() => Memory.Dispose();

    private static uint Address(int slot, int function, int offset) =>
        0x8000_0000u | ((uint)slot << 11) | ((uint)function << 8) | ((uint)offset & 0xFC);
}
