using System;
using System.Collections.Generic;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Pci;

/// <summary>
/// PCI bus 0 behind configuration mechanism #1 (PCI Local Bus Specification 3.0, 3.2.2.3.2): CONFIG_ADDRESS at CF8h, taken
/// only as a doubleword, and CONFIG_DATA at CFCh, by byte, word or doubleword. Other buses and absent functions read all ones.
/// </summary>
/// <remarks>
/// Attach every function before the first <see cref="Reset"/>. Port CF9h (the reset control register) lies within
/// CONFIG_ADDRESS and is not claimed here: an access to it is the reset control register's, a doubleword at CF8h is ours.
/// </remarks>
internal sealed class PciBus : IDevice, IPortHandler
{
    /// <summary>Memory that base address registers are assigned from at reset, up to <see cref="MemoryWindowEnd"/>.</summary>
    public const uint MemoryWindowStart = 0xE000_0000;

    /// <summary>Exclusive end of the memory window: the IOAPIC stands above it.</summary>
    public const uint MemoryWindowEnd = 0xFEC0_0000;

    /// <summary>I/O ports that base address registers are assigned from at reset.</summary>
    public const uint PortWindowStart = 0xC000;

    /// <summary>CONFIG_ADDRESS.</summary>
    internal const ushort ConfigAddress = 0xCF8;

    /// <summary>What follows the reset control register, to the end of CONFIG_DATA.</summary>
    internal const ushort AfterResetControl = ConfigAddress + 2;
    internal const int CountAfterResetControl = 6;

    private const uint PortWindowEnd = 0x10000;
    private const int SlotCount = 32;
    private const int FunctionCount = 8;

    // How far an access that begins at CF8h may reach.
    private const int ConfigAddressLength = 4;

    private const ushort ConfigData = 0xCFC;
    private const uint ConfigEnable = 1u << 31;

    // CONFIG_ADDRESS: 23:16 bus, 15:11 device, 10:8 function, 7:2 register; the rest reads zero.
    private const uint AddressWritable = 0x80FF_FFFC;

    // Fixed configuration.
    private readonly PciDevice?[] _functions = new PciDevice?[SlotCount * FunctionCount];

    // Runtime glue.
    private readonly IPciInterruptSink _interrupts;

    // Volatile (saved) state.
    private uint _address;

    public PciBus(IoBus bus, IPciInterruptSink interrupts, IMsiSink msi)
    {
        ArgumentNullException.ThrowIfNull(bus);
        ArgumentNullException.ThrowIfNull(interrupts);
        ArgumentNullException.ThrowIfNull(msi);
        IoBus = bus;
        _interrupts = interrupts;
        Msi = msi;
        bus.MapPorts(ConfigAddress, 1, this, accessWidth: 4, overhang: ConfigAddressLength - 1);
        bus.MapPorts(AfterResetControl, CountAfterResetControl, this, accessWidth: 4);
    }

    public string Name => "pci";

    internal IoBus IoBus { get; }

    internal IMsiSink Msi { get; }

    internal IPciInterruptSink Interrupts => _interrupts;

    /// <summary>Puts a function on the bus. Slots 0 to 31, functions 0 to 7; function 0 of a slot must exist for others to be found.</summary>
    public void Attach(int slot, int function, PciDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (slot is < 0 or >= SlotCount || function is < 0 or >= FunctionCount || _functions[(slot * FunctionCount) + function] is not null)
        {
            throw new ArgumentException($"PCI slot {slot}, function {function} does not exist or is taken.", nameof(slot));
        }

        _functions[(slot * FunctionCount) + function] = device;
        device.AttachTo(this, slot, function);
    }

    /// <summary>The functions on the bus, by slot and function number.</summary>
    public IEnumerable<PciDevice> Functions()
    {
        foreach (PciDevice? device in _functions)
        {
            if (device is not null)
            {
                yield return device;
            }
        }
    }

    public uint ReadPort(ushort port, int size)
    {
        if (port < ConfigData)
        {
            return port == ConfigAddress && size == 4 ? _address : uint.MaxValue;
        }

        return Selected()?.ReadConfig(Register(port), size) ?? uint.MaxValue;
    }

    public void WritePort(ushort port, int size, uint value)
    {
        if (port >= ConfigData)
        {
            Selected()?.WriteConfig(Register(port), size, value);
        }
        else if (port == ConfigAddress && size == 4)
        {
            _address = value & AddressWritable;
        }
    }

    public void Reset()
    {
        _address = 0;
        foreach (PciDevice device in Functions())
        {
            device.Reset();
        }
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Value("address", ref _address, AddressWritable);
        visitor.Parts([.. Functions()], static device => device.StateName);
    }

    internal void SetPin(PciDevice device, int pin, bool asserted) => _interrupts.SetPciInterrupt(device.Slot, pin, asserted);

    private PciDevice? Selected()
    {
        bool ours = (_address & ConfigEnable) != 0 && (_address & 0x7FFF_0000) == 0;
        return ours ? _functions[(_address >> 8) & 0xFF] : null;
    }

    private int Register(ushort port) => (int)(_address & 0xFC) + (port - ConfigData);

    /// <summary>Gives out addresses and interrupt lines and enables decoding, as a PC's firmware does before it starts a system.</summary>
    public void AssignResources()
    {
        // Largest ranges first would pack tighter, but every range here is small, and slot order keeps a machine's addresses the
        // same when a device is added behind the others.
        foreach (PciDevice device in Functions())
        {
            (device as IPciFirmwareDefaults)?.ApplyFirmwareDefaults();
        }

        ulong memory = MemoryWindowStart;
        ulong port = PortWindowStart;
        foreach (PciDevice device in Functions())
        {
            uint command = 0;
            foreach (PciBar bar in device.Bars)
            {
                ref ulong next = ref bar.IsIo ? ref port : ref memory;
                ulong address = (next + bar.Size - 1) & ~(ulong)(bar.Size - 1);
                if (address + bar.Size > (bar.IsIo ? PortWindowEnd : MemoryWindowEnd))
                {
                    continue;
                }

                next = address + bar.Size;
                command |= bar.IsIo ? PciCommand.IoSpace : PciCommand.MemorySpace;
                device.WriteConfig(bar.Register, 4, (uint)address);
            }

            int pin = (int)device.Config.Read(PciRegister.InterruptPin, 1);
            if (pin != 0)
            {
                device.WriteConfig(PciRegister.InterruptLine, 1, (uint)_interrupts.LegacyIrqOf(device.Slot, pin));
            }

            if (command != 0)
            {
                device.WriteConfig(PciRegister.Command, 2, command);
            }
        }
    }
}

/// <summary>A function with registers of its own that firmware sets up before a system starts.</summary>
internal interface IPciFirmwareDefaults
{
    void ApplyFirmwareDefaults();
}
