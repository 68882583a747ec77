using System;
using System.Collections.Generic;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Interrupts;

/// <summary>
/// Wires interrupt sources to the controllers and the controllers to the processors. ISA IRQs reach the 8259s and the
/// I/O APIC pin of the same number (IRQ 0 pin 2); PCI pins are swizzled onto four PIRQ lines, which reach I/O APIC pins
/// 16 to 19 and, as PIRQRC routes them, the 8259s.
/// </summary>
internal sealed class InterruptRouter : IDevice, IMsiSink, IPciInterruptSink
{
    /// <summary>I/O APIC pin of PIRQA#; the others follow.</summary>
    public const int FirstPirqPin = 16;

    public const int PirqCount = 4;

    /// <summary>I/O APIC pin of IRQ 0.</summary>
    public const int TimerPin = 2;

    private const int SlotCount = 32;
    private const int IrqCount = 16;
    private const byte PirqDisabled = 0x80;
    private const ulong MsiAddressBits = 0xF_FFFF;
    private const ulong MsiAddress = 0xFEE0_0000;

    // Runtime glue.
    private readonly IReadOnlyList<IProcessorPins> _pins;
    [NotState("Follows from the controllers.")]
    private readonly bool[] _requested;

    [NotState("The event timer tells as it loads.")]
    private bool _legacyReplaced;
    private readonly int[] _isaSources = new int[IrqCount];

    // Saved state: who asserts what.
    [NotState("Of lines that several parts drive it is; of others it follows from them.")]
    private readonly uint[] _isaLevels = new uint[IrqCount];
    private readonly uint[] _pirqSlots = new uint[PirqCount];
    private readonly byte[] _pirqRoutes = new byte[PirqCount];
    private uint _isaIrqs;

    /// <param name="pins">The processors'.</param>
    public InterruptRouter(IReadOnlyList<IProcessorPins> pins)
    {
        ArgumentNullException.ThrowIfNull(pins);
        _pins = pins;
        _requested = new bool[pins.Count];
        Reset();
    }

    public string Name => "interrupt-router";

    public Pic8259Pair Pic { get; private set; } = null!;

    public LocalApicGroup LocalApics { get; private set; } = null!;

    /// <summary>The first processor's.</summary>
    public LocalApic LocalApic => LocalApics[LocalApic.FirstId];

    public IoApic IoApic { get; private set; } = null!;

    /// <summary>Puts a controller in its place. All three are there before the first interrupt.</summary>
    public Pic8259Pair Connect(Pic8259Pair pic) => Pic = pic;

    /// <inheritdoc cref="Connect(Pic8259Pair)"/>
    public IoApic Connect(IoApic ioApic) => IoApic = ioApic;

    /// <inheritdoc cref="Connect(Pic8259Pair)"/>
    public LocalApicGroup Connect(LocalApicGroup localApics)
    {
        ArgumentNullException.ThrowIfNull(localApics);
        LocalApics = localApics;
        localApics.EoiBroadcast = IoApic.EndOfInterrupt;
        return localApics;
    }

    /// <summary>Clears sources and routes; the controllers are devices of their own.</summary>
    public void Reset()
    {
        Array.Clear(_pirqSlots);
        Array.Fill(_pirqRoutes, PirqDisabled);
        Array.Clear(_isaLevels);
        _legacyReplaced = false;
        _isaIrqs = 0;
        Array.Clear(_requested);
        foreach (IProcessorPins pins in _pins)
        {
            pins.SetInterruptRequest(false);
        }
    }

    /// <summary>Gives the line of an ISA IRQ to a device; it is high while any of those asserts it that have it.</summary>
    public Action<bool> IsaLine(int irq)
    {
        uint source = 1u << _isaSources[irq]++;
        return asserted => SetIsaSource(irq, source, asserted);
    }

    /// <summary>Whether the event timer drives IRQ 0 and 8 in the place of those that have them.</summary>
    internal void SetLegacyReplacement(bool isReplaced)
    {
        if (_legacyReplaced == isReplaced)
        {
            return;
        }

        _legacyReplaced = isReplaced;
        foreach (int irq in (ReadOnlySpan<int>)[0, 8])
        {
            SetIsaIrq(irq, !isReplaced && _isaLevels[irq] != 0);
        }
    }

    /// <summary>Sets the level of IRQ 0 or 8 for the event timer.</summary>
    internal void SetReplacedIrq(int irq, bool asserted) => SetIsaIrq(irq, asserted);

    /// <summary>Sets the level of an ISA IRQ, 0 to 15.</summary>
    public void SetIsaIrq(int irq, bool asserted)
    {
        if ((uint)irq >= IrqCount)
        {
            return;
        }

        uint bit = 1u << irq;
        _isaIrqs = asserted ? _isaIrqs | bit : _isaIrqs & ~bit;
        Pic.SetIrq(irq, IsPicInputHigh(irq));
        IoApic.SetPin(irq == 0 ? TimerPin : irq, asserted);
    }

    public void SetPciInterrupt(int slot, int pin, bool asserted)
    {
        if ((uint)slot >= SlotCount || pin is < 1 or > 4)
        {
            return;
        }

        int pirq = PirqOf(slot, pin);
        uint bit = 1u << slot;
        _pirqSlots[pirq] = asserted ? _pirqSlots[pirq] | bit : _pirqSlots[pirq] & ~bit;
        UpdatePirq(pirq);
    }

    public int LegacyIrqOf(int slot, int pin) => Math.Max(0, RouteOf(PirqOf(slot, pin)));

    /// <summary>The I/O APIC pin that a slot's INTx pin (1 to 4) reaches.</summary>
    public static int IoApicPinOf(int slot, int pin) => FirstPirqPin + PirqOf(slot, pin);

    public void SetPirqRoute(int pirq, byte value)
    {
        if ((uint)pirq >= PirqCount || _pirqRoutes[pirq] == value)
        {
            return;
        }

        int before = RouteOf(pirq);
        _pirqRoutes[pirq] = value;
        if (before >= 0)
        {
            Pic.SetIrq(before, IsPicInputHigh(before));
        }

        UpdatePirq(pirq);
    }

    public void DeliverMsi(ulong address, uint data)
    {
        if ((address & ~MsiAddressBits) != MsiAddress)
        {
            return;
        }

        LocalApics.Deliver(new ApicMessage(
            Destination: (uint)(address >> 12) & 0xFF,
            IsLogical: (address & 4) != 0,
            Mode: (ApicDeliveryMode)((data >> 8) & 7),
            Vector: (byte)data,
            IsLevel: (data & 0x8000) != 0));
    }

    /// <summary>A processor's INTA: its local APIC first, then the 8259s where they reach it; -1 where nothing requests.</summary>
    public int Acknowledge(int processor = 0)
    {
        int vector = LocalApics[processor].Acknowledge();
        if (vector < 0 && IsPicRequesting(processor))
        {
            vector = Pic.Acknowledge();
        }

        UpdateProcessor(processor);
        return vector;
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        for (int i = 0; i < PirqCount; i++)
        {
            visitor.Value($"pirq-slots-{i}", ref _pirqSlots[i]);
            visitor.Value($"pirq-route-{i}", ref _pirqRoutes[i]);
        }

        visitor.Value("isa-irqs", ref _isaIrqs);
        for (int irq = 0; irq < IrqCount; irq++)
        {
            if (_isaSources[irq] > 1)
            {
                visitor.Value($"isa-sources-{irq}", ref _isaLevels[irq]);
            }
        }
    }

    /// <summary>Sets each processor's INTR again from the controllers, after state was loaded.</summary>
    internal void Resynchronize()
    {
        for (int i = 0; i < _pins.Count; i++)
        {
            _requested[i] = !IsRequesting(i);
            UpdateProcessor(i);
        }
    }

    private void SetIsaSource(int irq, uint source, bool asserted)
    {
        _isaLevels[irq] = asserted ? _isaLevels[irq] | source : _isaLevels[irq] & ~source;
        if (!_legacyReplaced || irq is not (0 or 8))
        {
            SetIsaIrq(irq, _isaLevels[irq] != 0);
        }
    }

    // As PC boards wire it: pin and slot number rotate over the four lines.
    internal static int PirqOf(int slot, int pin) => (slot + pin - 1) & 3;

    private bool IsRequesting(int processor) => LocalApics[processor].IsRequesting || IsPicRequesting(processor);

    // The 8259s are wired to the first processor alone.
    private bool IsPicRequesting(int processor) => processor == LocalApic.FirstId && LocalApic.PassesPicInterrupts && Pic.IsRequesting;

    private int RouteOf(int pirq)
    {
        byte route = _pirqRoutes[pirq];
        return (route & PirqDisabled) == 0 && (route & 0xF) is int irq and >= 3 and not 8 and not 13 ? irq : -1;
    }

    private void UpdatePirq(int pirq)
    {
        IoApic.SetPin(FirstPirqPin + pirq, _pirqSlots[pirq] != 0);
        int irq = RouteOf(pirq);
        if (irq >= 0)
        {
            Pic.SetIrq(irq, IsPicInputHigh(irq));
        }
    }

    private bool IsPicInputHigh(int irq)
    {
        if ((_isaIrqs & (1u << irq)) != 0)
        {
            return true;
        }

        for (int pirq = 0; pirq < PirqCount; pirq++)
        {
            if (_pirqSlots[pirq] != 0 && RouteOf(pirq) == irq)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Takes the output of the 8259s, which is LINT0 of the first local APIC.</summary>
    internal void PicOutputChanged(bool asserted)
    {
        LocalApics?[LocalApic.FirstId].SetLint0(asserted);
        UpdateProcessor(LocalApic.FirstId);
    }

    /// <summary>Takes messages of I/O APICs to the local APICs.</summary>
    internal bool Deliver(ApicMessage message) => LocalApics.Deliver(message);

    /// <summary>Looks again at a processor's controllers, whose requests may have changed.</summary>
    internal void UpdateProcessor(int processor)
    {
        // Controllers come here while they are built, one after another; the local APICs are the last.
        if (LocalApics is null)
        {
            return;
        }

        bool requested = IsRequesting(processor);
        if (requested != _requested[processor])
        {
            _requested[processor] = requested;
            _pins[processor].SetInterruptRequest(requested);
        }
    }
}
