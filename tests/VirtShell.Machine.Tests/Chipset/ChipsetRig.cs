using System;
using System.Collections.Generic;
using VirtShell.Machine.Acpi;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Interrupts;
using VirtShell.Machine.Legacy;
using VirtShell.Machine.Pci;
using VirtShell.Machine.Serial;
using VirtShell.Machine.Timers;
using VirtShell.State;

namespace VirtShell.Machine.Tests.Chipset;

/// <summary>The chipset without a processor: time moves when a test says so, and what would reach the processor is noted.</summary>
internal sealed class ChipsetRig : IProcessorPins, IStateful
{
    // The first so many devices are the interrupt controllers.
    private const int InterruptDevices = 4;

    private readonly List<IDevice> _devices;
    private long _retired;

    public ChipsetRig(bool isPaced = true)
    {
        Clock = new MachineClock(() => _retired);
        Interrupts = new InterruptRouter(Bus, Clock, this);
        Pit = new Pit8254(Bus, Clock, Interrupts.IsaLine(0));
        Rtc = new RtcCmos(Bus, Clock, Interrupts.IsaLine(8), new DateTimeOffset(2026, 1, 31, 23, 59, 57, TimeSpan.Zero).ToUnixTimeSeconds(), 0x4000_0000, 0x1_0000_0000);
        Com1 = new Uart16550("com1", Bus, Clock, Uart16550.Com1Port, Interrupts.IsaLine(4), isPaced) { Output = Sent.Add };
        A20Gate a20 = new(open => A20 = open);
        Keyboard = new KeyboardController(Bus, Interrupts.IsaLine(1), Interrupts.IsaLine(12), a20, () => Resets++);
        Ports = new SystemPorts(Bus, a20, () => Resets++, ExitCodes.Add, DebugOutput.Add);
        CrtController display = new(Bus);
        Power = new AcpiPm(Bus, Clock, Interrupts.IsaLine(9), () => PowerOffs++);
        PciBus pci = new(Bus, Interrupts, Interrupts);
        PiixChipset.Attach(pci, AcpiPm.Base).PowerManagementMoved = Power.MoveTo;
        _devices = [Interrupts, Interrupts.Pic, Interrupts.IoApic, Interrupts.LocalApic, Pit, Rtc, Com1, Keyboard, Ports, display, Power, pci];
        pci.Reset();
    }

    public IoBus Bus { get; } = new();

    public MachineClock Clock { get; }

    public InterruptRouter Interrupts { get; }

    public Pit8254 Pit { get; }

    public RtcCmos Rtc { get; }

    public Uart16550 Com1 { get; }

    public KeyboardController Keyboard { get; }

    public SystemPorts Ports { get; }

    public AcpiPm Power { get; }

    public List<byte> Sent { get; } = [];

    public List<byte> DebugOutput { get; } = [];

    public List<int> ExitCodes { get; } = [];

    public bool Intr { get; private set; }

    public int Nmis { get; private set; }

    public int Inits { get; private set; }

    public int Resets { get; private set; }

    public int PowerOffs { get; private set; }

    public bool A20 { get; private set; }

    public void SetInterruptRequest(bool asserted) => Intr = asserted;

    public void RaiseNmi() => Nmis++;

    public void RaiseInit() => Inits++;

    public byte In(int port) => (byte)Bus.ReadPort((ushort)port, 1);

    public void Out(int port, int value) => Bus.WritePort((ushort)port, 1, (uint)value);

    public uint Mmio(ulong address) => (uint)Bus.ReadMmio(address, 4);

    public void Mmio(ulong address, uint value) => Bus.WriteMmio(address, 4, value);

    /// <summary>Lets guest time pass, firing events at their times.</summary>
    public void Advance(long nanoseconds)
    {
        long end = Clock.Now + nanoseconds;
        while (Clock.NextDue <= end)
        {
            _retired += Math.Max(0, Clock.NextDue - Clock.Now);
            Clock.FireNext();
        }

        _retired += end - Clock.Now;
    }

    /// <summary>Programs the 8259s as Linux does (vectors 30h and 38h) with the given masks, and opens virtual wire.</summary>
    public void UsePic(int masterMask = 0, int slaveMask = 0)
    {
        Interrupts.LocalApic.InitializeAsFirmware();
        foreach ((int port, int value) in new[]
        {
            (0x20, 0x11), (0x21, 0x30), (0x21, 0x04), (0x21, 0x01),
            (0xA0, 0x11), (0xA1, 0x38), (0xA1, 0x02), (0xA1, 0x01),
            (0x21, masterMask), (0xA1, slaveMask),
        })
        {
            Out(port, value);
        }
    }

    /// <summary>Saves this rig and loads the state into a new one.</summary>
    public ChipsetRig Copy()
    {
        ChipsetRig copy = new();
        copy.Load(this.Save());
        copy.Interrupts.Resynchronize();
        return copy;
    }

    /// <summary>The whole saved state as bytes, for comparing.</summary>
    public byte[] Snapshot() => this.Save();

    public void Describe(StateVisitor visitor)
    {
        visitor.Value("retired", ref _retired);
        visitor.Part("clock", Clock);
        visitor.Parts(_devices, static device => device.Name, last: InterruptDevices);
    }
}
