using System;
using System.Collections.Generic;
using System.Globalization;
using System.Numerics;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Pci;

/// <summary>What a function says it is, in its configuration header.</summary>
/// <param name="VendorId">Vendor, as assigned by the PCI SIG.</param>
/// <param name="DeviceId">Device, as assigned by the vendor.</param>
/// <param name="ClassCode">Base class, subclass and programming interface: 24 bits.</param>
/// <param name="Revision">Revision of the device.</param>
/// <param name="SubsystemVendorId">Vendor of the board.</param>
/// <param name="SubsystemId">The board.</param>
/// <param name="MultiFunction">Whether other functions share the slot.</param>
internal readonly record struct PciIdentity(
    ushort VendorId,
    ushort DeviceId,
    uint ClassCode,
    byte Revision,
    ushort SubsystemVendorId = 0,
    ushort SubsystemId = 0,
    bool MultiFunction = false);

/// <summary>One function on the PCI bus: its configuration space, base address registers, interrupt pin and MSI-X.</summary>
internal abstract class PciDevice : IStateful
{
    // Fixed configuration.
    private readonly List<PciBar> _bars = [];
    private readonly PciIdentity _identity;
    [NotState("Made with the function.")]
    private PciBar? _rom;

    // Runtime glue.
    [NotState("Wiring.")]
    private PciBus? _bus;

    // Volatile (saved) state, besides configuration space.
    private bool _interrupt;

    protected PciDevice(PciIdentity identity)
    {
        _identity = identity;
        Config.Define(PciRegister.VendorId, 2, identity.VendorId);
        Config.Define(PciRegister.DeviceId, 2, identity.DeviceId);
        Config.Define(PciRegister.Command, 2, 0, PciCommand.Writable);
        Config.Define(PciRegister.Status, 2, 0, 0, PciStatus.WriteOneToClear);
        Config.Define(PciRegister.RevisionId, 1, identity.Revision);
        Config.Define(PciRegister.ClassCode, 2, identity.ClassCode & 0xFFFF);
        Config.Define(PciRegister.ClassCode + 2, 1, identity.ClassCode >> 16);
        Config.Define(PciRegister.HeaderType, 1, identity.MultiFunction ? PciRegister.MultiFunction : 0u);
        Config.Define(PciRegister.SubsystemVendorId, 2, identity.SubsystemVendorId);
        Config.Define(PciRegister.SubsystemId, 2, identity.SubsystemId);
    }

    public PciConfigSpace Config { get; } = new();

    /// <summary>Device number on bus 0.</summary>
    [NotState("Wiring.")]
    public int Slot { get; private set; }

    [NotState("Wiring.")]
    public int Function { get; private set; }

    /// <summary>MSI-X, where the function has it.</summary>
    public MsixCapability? Msix { get; private set; }

    /// <summary>Whether the guest lets the function access memory and send messages.</summary>
    public bool IsBusMaster => (Command & PciCommand.BusMaster) != 0;

    /// <summary>Whether the function asks for service by its interrupt pin, seen or masked.</summary>
    protected bool InterruptLevel => _interrupt;

    private ushort Command => (ushort)Config.Read(PciRegister.Command, 2);

    internal IReadOnlyList<PciBar> Bars => _bars;

    internal string StateName => string.Create(CultureInfo.InvariantCulture, $"{Slot:x2}.{Function}");

    internal void AttachTo(PciBus bus, int slot, int function)
    {
        _bus = bus;
        Slot = slot;
        Function = function;
        Msix?.Attach(bus.Msi);
    }

    internal uint ReadConfig(int offset, int size)
    {
        OnConfigRead(offset, size);
        return Config.Read(offset, size);
    }

    internal void WriteConfig(int offset, int size, uint value)
    {
        ushort before = Command;
        Config.Write(offset, size, value);
        ApplyConfig();
        Msix?.ConfigWritten();
        OnConfigWritten(offset, size);
        if (IsBusMaster && (before & PciCommand.BusMaster) == 0)
        {
            OnBusMasterEnabled();
        }
    }

    internal void Reset()
    {
        SetInterrupt(false);
        Config.Reset();
        Msix?.Reset();
        ApplyConfig();
        ResetDevice();
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        uint id = Identifier();
        visitor.Value("id", ref id);
        if (id != Identifier() && !WasSavedAs((ushort)(id >> 16), (ushort)id))
        {
            throw visitor.Refused($"Saved state has another device at PCI {StateName} ({id:x8}) than this machine ({Identifier():x8}).");
        }

        Config.Describe(visitor);
        visitor.Value("interrupt", ref _interrupt);
        if (Msix is not null)
        {
            visitor.Part("msix", Msix);
        }

        if (visitor.IsLoading)
        {
            ApplyConfig();
        }

        DescribeDevice(visitor);
    }

    protected abstract void ResetDevice();

    /// <summary>Shows what the kind of device has beside configuration space, in the function's own section.</summary>
    protected virtual void DescribeDevice(StateVisitor visitor)
    {
    }

    /// <summary>Whether earlier versions saved this function under another identity.</summary>
    protected virtual bool WasSavedAs(ushort vendorId, ushort deviceId) => false;

    /// <summary>Before the guest reads configuration space.</summary>
    protected virtual void OnConfigRead(int offset, int size)
    {
    }

    /// <summary>After the guest wrote configuration space.</summary>
    protected virtual void OnConfigWritten(int offset, int size)
    {
    }

    /// <summary>After the guest let the function access memory.</summary>
    protected virtual void OnBusMasterEnabled()
    {
    }

    protected void AddMemoryBar(int index, uint size, IMmioHandler handler, bool isPrefetchable = false) =>
        AddBar(new PciBar(index, size, handler, null), isPrefetchable ? PciRegister.BarPrefetchable : 0);

    protected void AddPortBar(int index, uint size, IPortHandler handler) => AddBar(new PciBar(index, size, null, handler), PciRegister.BarIoSpace);

    /// <summary>Adds an expansion ROM (PCI 3.0, 6.2.5.2): seen where its own register says, once the register's bit 0 and the memory space are on.</summary>
    protected void AddRom(uint size, IMmioHandler handler)
    {
        _rom = new PciBar(PciBar.RomIndex, size, handler, null);
        Config.Define(PciRegister.RomBase, 4, 0, ~(size - 1) | PciRegister.RomEnable);
    }

    protected void AddInterruptPin(int pin)
    {
        Config.Define(PciRegister.InterruptPin, 1, (uint)pin);
        Config.Define(PciRegister.InterruptLine, 1, 0xFF, 0xFF);
    }

    /// <summary>Sets the bus master bit for a driver that does not know of it.</summary>
    protected void EnableBusMaster() => WriteConfig(PciRegister.Command, 2, Command | (uint)PciCommand.BusMaster);

    /// <summary>Adds MSI-X with table and pending bits in a memory BAR of their own.</summary>
    protected MsixCapability AddMsix(int barIndex, int vectors)
    {
        Msix = new MsixCapability(this, barIndex, vectors);
        AddMemoryBar(barIndex, MsixCapability.BarSize, Msix);
        return Msix;
    }

    /// <summary>Drives the interrupt pin; it is seen by the machine unless the guest disabled it or uses MSI-X.</summary>
    protected void SetInterrupt(bool asserted)
    {
        _interrupt = asserted;
        ApplyInterrupt();
    }

    private uint Identifier() => ((uint)_identity.VendorId << 16) | _identity.DeviceId;

    private void AddBar(PciBar bar, uint kind)
    {
        bool sound = bar.Index is >= 0 and < PciRegister.BarCount
            && BitOperations.IsPow2(bar.Size)
            && (bar.IsIo ? bar.Size is >= 4 and <= 256 : bar.Size is >= 16 and <= 1u << 28)
            && !_bars.Exists(other => other.Index == bar.Index);
        if (!sound)
        {
            throw new ArgumentException($"BAR {bar.Index} of {bar.Size} bytes cannot be.", nameof(bar));
        }

        _bars.Add(bar);
        Config.Define(bar.Register, 4, kind, ~(bar.Size - 1));
    }

    private void ApplyConfig()
    {
        if (_bus is null)
        {
            return;
        }

        ushort command = Command;
        foreach (PciBar bar in _bars)
        {
            bool decode = (command & (bar.IsIo ? PciCommand.IoSpace : PciCommand.MemorySpace)) != 0;
            bar.Update(_bus.IoBus, Config.Read(bar.Register, 4), decode);
        }

        if (_rom is not null)
        {
            uint register = Config.Read(PciRegister.RomBase, 4);
            _rom.Update(_bus.IoBus, register, (command & PciCommand.MemorySpace) != 0 && (register & PciRegister.RomEnable) != 0);
        }

        ApplyInterrupt();
    }

    private void ApplyInterrupt()
    {
        int pin = (int)Config.Read(PciRegister.InterruptPin, 1);
        if (pin == 0)
        {
            return;
        }

        uint status = Config.Read(PciRegister.Status, 2) & ~(uint)PciStatus.Interrupt;
        Config.Set(PciRegister.Status, 2, status | (_interrupt ? PciStatus.Interrupt : 0u));
        bool visible = _interrupt && (Command & PciCommand.InterruptDisable) == 0 && Msix is not { IsEnabled: true };
        _bus?.SetPin(this, pin, visible);
    }
}
