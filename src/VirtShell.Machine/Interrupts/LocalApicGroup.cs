using System;
using System.Collections.Generic;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Interrupts;

/// <summary>
/// The local APICs of all processors, and the bus between them: it finds whom a message is for, and shows each processor its own
/// registers where both have theirs at one address.
/// </summary>
internal sealed class LocalApicGroup : IDevice
{
    private readonly IoBus _bus;
    private readonly LocalApic[] _apics;
    [NotState("Follows from the base registers.")]
    private readonly Dictionary<ulong, Window> _windows = [];

    /// <param name="bus">Where the xAPIC pages are claimed.</param>
    /// <param name="clock">What the timers count by.</param>
    /// <param name="pins">The processors', one local APIC for each.</param>
    /// <param name="changed">Called with a processor's number when what its local APIC requests may have changed.</param>
    public LocalApicGroup(IoBus bus, MachineClock clock, IReadOnlyList<IProcessorPins> pins, Action<int> changed)
    {
        ArgumentNullException.ThrowIfNull(bus);
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(pins);
        ArgumentNullException.ThrowIfNull(changed);
        _bus = bus;

        // While they are built they look at no other.
        _apics = [];
        LocalApic[] apics = new LocalApic[pins.Count];
        for (int i = 0; i < apics.Length; i++)
        {
            int number = i;
            apics[i] = new LocalApic((byte)i, this, clock, pins[i], () => changed(number));
        }

        _apics = apics;
    }

    public string Name => "lapic";

    public int Count => _apics.Length;

    /// <summary>The number of the processor whose accesses reach the bus now.</summary>
    [NotState("Within a run.")]
    internal int Running { get; set; }

    /// <summary>Takes the EOI of level-triggered vectors.</summary>
    internal Action<byte>? EoiBroadcast
    {
        set
        {
            foreach (LocalApic apic in _apics)
            {
                apic.EoiBroadcast = value;
            }
        }
    }

    public LocalApic this[int processor] => _apics[processor];

    public void Reset()
    {
        foreach (LocalApic apic in _apics)
        {
            apic.Reset();
        }
    }

    /// <summary>
    /// Delivers a message to whom it is addressed: to all of them, but of lowest priority to the one with the least to do; where several
    /// have, to the first. False where nobody took it.
    /// </summary>
    /// <param name="message">The message.</param>
    /// <param name="wide">Whether its destination has 32 bits, as from an APIC in x2APIC mode.</param>
    public bool Deliver(ApicMessage message, bool wide = false)
    {
        bool isTaken = false;
        LocalApic? idlest = null;
        foreach (LocalApic apic in _apics)
        {
            if (!apic.IsAddressed(message, wide))
            {
                continue;
            }

            if (message.Mode != ApicDeliveryMode.LowestPriority)
            {
                isTaken |= apic.Take(message.Mode, message.Vector, message.IsLevel);
            }
            else if (idlest is null || apic.ProcessorPriority < idlest.ProcessorPriority)
            {
                idlest = apic;
            }
        }

        return isTaken || (idlest?.Take(message.Mode, message.Vector, message.IsLevel) ?? false);
    }

    /// <summary>The first processor's state is the section's own, as when there was no other; the others follow.</summary>
    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        _apics[0].Describe(visitor);
        for (int i = 1; i < _apics.Length; i++)
        {
            visitor.Part($"lapic-{i}", _apics[i]);
        }
    }

    internal void SendToAll(ApicDeliveryMode mode, byte vector, LocalApic? except)
    {
        foreach (LocalApic apic in _apics)
        {
            if (apic != except && apic.IsEnabled)
            {
                apic.Take(mode, vector, level: false);
            }
        }
    }

    /// <summary>A processor has its registers at another address. The bus has one claim for each address, however many have theirs there.</summary>
    internal void WindowMoved(ulong? from, ulong? to)
    {
        if (from is { } old && --_windows[old].Users == 0)
        {
            _bus.UnmapMmio(old, LocalApic.Length, _windows[old]);
            _windows.Remove(old);
        }

        if (to is { } next)
        {
            if (!_windows.TryGetValue(next, out Window? window))
            {
                window = new Window(this, next);
                _windows.Add(next, window);
                _bus.MapMmio(next, LocalApic.Length, window);
            }

            window.Users++;
        }
    }

    private LocalApic? Own(ulong address) => _apics[Running] is { } apic && apic.Window == address ? apic : null;

    // The page at an address: the running processor's, where that has its registers there.
    private sealed class Window(LocalApicGroup group, ulong address) : IMmioHandler
    {
        /// <summary>How many have their registers there.</summary>
        [NotState("Follows from the base registers.")]
        public int Users { get; set; }

        public ulong ReadMmio(ulong offset, int size) => group.Own(address) is { } apic ? apic.ReadMmio(offset) : ulong.MaxValue;

        // 11.4.1: registers are written as aligned doublewords; what anything else does is undefined, and nothing here.
        public void WriteMmio(ulong offset, int size, ulong value)
        {
            if (size == 4)
            {
                group.Own(address)?.WriteMmio(offset, value);
            }
        }
    }
}
