using System;
using VirtShell.Machine.Boot;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Interrupts;
using VirtShell.Machine.Legacy;
using VirtShell.State;

namespace VirtShell.Machine;

/// <summary>Power-on, reset, and saved state.</summary>
public sealed partial class Machine
{
    private const int StateVersion = 1;
    private const int DeviceVersion = 1;

    /// <summary>Back to power-on: devices reset, RAM cleared, boot image loaded again. Instruction count and guest time go on.</summary>
    public void Reset()
    {
        Cpu.Reset();
        Cpu.DropCaches();
        Memory.ClearRam();
        _exit = null;
        PowerOn();
    }

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        using StateWriter.SectionScope machine = writer.Section("machine", StateVersion);
        Memory.Save(writer);
        using (writer.Section("processor", 1))
        {
            Cpu.Save(writer);
        }

        using (writer.Section("clock", 1))
        {
            _clock.Save(writer);
        }

        foreach (IDevice device in _devices)
        {
            using (writer.Section(device.Name, DeviceVersion))
            {
                device.Save(writer);
            }
        }
    }

    /// <summary>Restores state saved from a machine of the same configuration.</summary>
    /// <exception cref="StateFormatException">The state is damaged, or of another kind of machine; this machine is then fit for <see cref="Reset"/> only.</exception>
    public void Load(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        StateReader machine = reader.Section("machine", StateVersion);
        _exit = null;
        _hostPaced = false;
        Cpu.DropCaches();
        Memory.Load(machine);
        Cpu.Load(machine.Section("processor", 1));
        _clock.Load(machine.Section("clock", 1));

        // Interrupt controllers last: devices may set their lines again while they load, which must not count as new requests.
        for (int i = _devices.Count - 1; i >= 0; i--)
        {
            IDevice device = _devices[i];
            if (CameLater(device) && machine.TrySection(device.Name, DeviceVersion) is null)
            {
                device.Reset();
            }
            else
            {
                device.Load(machine.Section(device.Name, DeviceVersion));
            }
        }

        _interrupts.Resynchronize();
    }

    // State files of before do not have these devices; nothing had used them.
    private static bool CameLater(IDevice device) => device is CrtController;

    // What firmware does on a PC: devices to their defaults, tables into memory, the boot image to its place.
    private void PowerOn()
    {
        foreach (IDevice device in _devices)
        {
            device.Reset();
            switch (device)
            {
                case Pic8259Pair pic:
                    pic.InitializeAsFirmware();
                    break;
                case LocalApic apic:
                    apic.InitializeAsFirmware();
                    break;
                default:
                    break;
            }
        }

        MemoryMap.WriteBiosData(Memory);
        Memory.Write(MemoryMap.FirmwareStart, _acpiTables);
        Memory.Write(MpTable.Address, _mpTable);
        switch (_configuration.Boot)
        {
            case LinuxBoot linux:
                LinuxLoader.Load(linux, Cpu, _configuration.CpuModel, Memory, MemoryMap.FirmwareStart);
                break;
            case ElfBoot elf:
                PvhLoader.Load(elf, Cpu, _configuration.CpuModel, Memory, MemoryMap.FirmwareStart);
                break;
            case MultibootBoot multiboot:
                MultibootLoader.Load(multiboot, Cpu, Memory);
                break;
            default:
                throw new MachineBootException($"The machine cannot boot from a {_configuration.Boot?.GetType().Name ?? "missing boot image"}.");
        }
    }
}
