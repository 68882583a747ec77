using System;
using System.Collections.Generic;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Pci;
using VirtShell.Storage;

namespace VirtShell.Machine.Virtio;

/// <summary>A machine's virtio devices on its PCI bus, at slots that depend on the device alone.</summary>
public sealed class VirtioDevices
{
    /// <summary>The virtio console's port number for <see cref="Machine.SerialOutput"/> and <see cref="Machine.SendSerial"/>.</summary>
    public const int ConsolePort = 101;

    // Slots 2 and 3 stay free for a display and a network card, where PCs of this family have them.
    private const int RngSlot = 4;
    private const int ConsoleSlot = 5;
    private const int FirstDiskSlot = 6;
    private const int MaximumDisks = 32 - FirstDiskSlot;

    private readonly List<VirtioBlock> _disks = [];

    /// <param name="bus">Where they are attached.</param>
    /// <param name="memory">Guest memory.</param>
    /// <param name="clock">The machine's clock.</param>
    /// <param name="configuration">Which devices there are, and the seed.</param>
    /// <param name="consoleOutput">Called for each byte that the guest sends to the console.</param>
    /// <param name="storageFaulted">Called when a disk's image fails under a request.</param>
    public VirtioDevices(PciBus bus, PhysicalMemory memory, MachineClock clock, MachineConfiguration configuration, Action<byte> consoleOutput, Action<StorageException> storageFaulted)
    {
        ArgumentNullException.ThrowIfNull(bus);
        ArgumentNullException.ThrowIfNull(configuration);
        if (configuration.Disks.Count > MaximumDisks)
        {
            throw new ArgumentException($"A machine has at most {MaximumDisks} disks; this one is given {configuration.Disks.Count}.", nameof(configuration));
        }

        if (configuration.HasVirtioRng)
        {
            Rng = new VirtioRng(memory, clock, configuration.Seed);
            bus.Attach(RngSlot, 0, new VirtioPciFunction(Rng));
        }

        if (configuration.HasVirtioConsole)
        {
            Console = new VirtioConsole(memory, clock, consoleOutput);
            bus.Attach(ConsoleSlot, 0, new VirtioPciFunction(Console));
        }

        for (int i = 0; i < configuration.Disks.Count; i++)
        {
            DiskAttachment attachment = configuration.Disks[i];
            VirtioBlock disk = new(memory, clock, attachment.Device, attachment.Serial) { Faulted = storageFaulted };
            _disks.Add(disk);
            bus.Attach(FirstDiskSlot + i, 0, new VirtioPciFunction(disk));
        }
    }

    public VirtioRng? Rng { get; }

    public VirtioConsole? Console { get; }

    public IReadOnlyList<VirtioBlock> Disks => _disks;
}
