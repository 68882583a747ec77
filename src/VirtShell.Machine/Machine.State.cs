using System;
using VirtShell.Machine.Bus;
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

        foreach (IDevice device in _board.Devices)
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

        // Opposite to the order of building, for the reason that PartLayer gives.
        for (int i = _board.Devices.Count - 1; i >= 0; i--)
        {
            // A part that the state does not know came later, and nothing had used it.
            IDevice device = _board.Devices[i];
            if (machine.TrySection(device.Name, DeviceVersion) is { } section)
            {
                device.Load(section);
            }
            else
            {
                device.Reset();
            }
        }

        _interrupts.Resynchronize();
    }

    private void PowerOn()
    {
        _board.Reset();
        _firmware.Reset(_board, Cpu);
    }
}
