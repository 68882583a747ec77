using System;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Interrupts;

/// <summary>
/// The 82093AA I/O APIC (Intel datasheet 290566): 24 inputs at FEC00000h. Inputs are logical (asserted or not), so the
/// polarity bit is kept but changes nothing.
/// </summary>
internal sealed class IoApic : IDevice, IMmioHandler
{
    public const ulong BaseAddress = 0xFEC0_0000;
    public const ulong Length = 0x1000;
    public const int PinCount = 24;
    public const byte Id = 1;

    // Memory-mapped registers (3.1).
    private const ulong IoRegSel = 0x00;
    private const ulong IoWin = 0x10;

    // Indirect registers (3.2).
    private const byte IoApicId = 0x00;
    private const byte IoApicVer = 0x01;
    private const byte IoApicArb = 0x02;
    private const byte IoRedTbl = 0x10;
    private const uint Version = 0x11 | ((PinCount - 1) << 16);

    // Redirection table entry (3.2.4).
    private const ulong RemoteIrr = 1 << 14;
    private const ulong LevelTriggered = 1 << 15;
    private const ulong Masked = 1 << 16;
    private const ulong Writable = 0xFF00_0000_0001_AFFF;

    // Runtime glue.
    private readonly ApicMessageHandler _deliver;

    // Saved state.
    private readonly ulong[] _entries = new ulong[PinCount];
    private uint _lines;
    private byte _select;
    private uint _id;

    /// <param name="bus">Where the registers are claimed.</param>
    /// <param name="deliver">Sends a message to the local APICs.</param>
    public IoApic(IoBus bus, ApicMessageHandler deliver)
    {
        ArgumentNullException.ThrowIfNull(bus);
        _deliver = deliver;
        bus.MapMmio(BaseAddress, Length, this);
        Reset();
    }

    public string Name => "ioapic";

    /// <summary>Whether an unmasked input would raise NMI, so that a halted processor may still wake with interrupts off.</summary>
    public bool CanRaiseNmi
    {
        get
        {
            foreach (ulong entry in _entries)
            {
                if ((entry & Masked) == 0 && (ApicDeliveryMode)((entry >> 8) & 7) == ApicDeliveryMode.Nmi)
                {
                    return true;
                }
            }

            return false;
        }
    }

    public void Reset()
    {
        Array.Fill(_entries, Masked);
        _lines = 0;
        _select = 0;
        _id = (uint)Id << 24;
    }

    /// <summary>Sets an input, 0 to 23.</summary>
    public void SetPin(int pin, bool asserted)
    {
        if ((uint)pin >= PinCount)
        {
            return;
        }

        uint bit = 1u << pin;
        bool rising = asserted && (_lines & bit) == 0;
        _lines = asserted ? _lines | bit : _lines & ~bit;
        if ((_entries[pin] & LevelTriggered) != 0)
        {
            ServiceLevel(pin);
        }
        else if (rising && (_entries[pin] & Masked) == 0)
        {
            // Edges on a masked input are lost (3.2.4, Interrupt Mask).
            Send(_entries[pin]);
        }
    }

    /// <summary>The EOI message of a local APIC for a level-triggered vector.</summary>
    public void EndOfInterrupt(byte vector)
    {
        for (int pin = 0; pin < PinCount; pin++)
        {
            ulong entry = _entries[pin];
            if ((entry & LevelTriggered) != 0 && (entry & RemoteIrr) != 0 && (byte)entry == vector)
            {
                _entries[pin] = entry & ~RemoteIrr;
                ServiceLevel(pin);
            }
        }
    }

    public ulong ReadMmio(ulong offset, int size)
    {
        // Registers are 32 bits wide; narrower accesses see the part that they address.
        int shift = (int)(offset & 3) * 8;
        return (offset & ~3UL) switch
        {
            IoRegSel => (ulong)_select >> shift,
            IoWin => (ulong)ReadRegister() >> shift,
            _ => 0,
        };
    }

    public void WriteMmio(ulong offset, int size, ulong value)
    {
        switch (offset)
        {
            case IoRegSel:
                _select = (byte)value;
                break;
            case IoWin when size == 4:
                // 3.0: the data register is written as a doubleword; a part of it would have to be the whole.
                WriteRegister((uint)value);
                break;
            default:
                break;
        }
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        for (int pin = 0; pin < PinCount; pin++)
        {
            visitor.Value($"entry-{pin}", ref _entries[pin]);
        }

        visitor.Value("lines", ref _lines);
        visitor.Value("select", ref _select);
        visitor.Value("id", ref _id);
    }

    private uint ReadRegister()
    {
        switch (_select)
        {
            case IoApicId:
            case IoApicArb:
                return _id;
            case IoApicVer:
                return Version;
            default:
                int index = _select - IoRedTbl;
                if ((uint)index >= 2 * PinCount)
                {
                    return 0;
                }

                ulong entry = _entries[index >> 1];
                return (uint)((index & 1) == 0 ? entry : entry >> 32);
        }
    }

    private void WriteRegister(uint value)
    {
        if (_select == IoApicId)
        {
            _id = value & 0x0F00_0000;
            return;
        }

        int index = _select - IoRedTbl;
        if ((uint)index >= 2 * PinCount)
        {
            return;
        }

        int pin = index >> 1;
        ulong entry = _entries[pin];
        ulong written = (index & 1) == 0 ? (entry & 0xFFFF_FFFF_0000_0000) | value : (entry & 0xFFFF_FFFF) | ((ulong)value << 32);
        written = (written & Writable) | (entry & RemoteIrr);
        if ((written & LevelTriggered) == 0)
        {
            // Drivers for parts without an EOI register clear Remote IRR by switching to edge and back.
            written &= ~RemoteIrr;
        }

        _entries[pin] = written;
        ServiceLevel(pin);
    }

    private void ServiceLevel(int pin)
    {
        ulong entry = _entries[pin];
        if ((_lines & (1u << pin)) != 0 && (entry & (LevelTriggered | Masked | RemoteIrr)) == LevelTriggered)
        {
            _entries[pin] = entry | RemoteIrr;
            if (!Send(entry))
            {
                _entries[pin] &= ~RemoteIrr;
            }
        }
    }

    private bool Send(ulong entry) => _deliver(new ApicMessage(
        Destination: (uint)(entry >> 56),
        IsLogical: (entry & (1 << 11)) != 0,
        Mode: (ApicDeliveryMode)((entry >> 8) & 7),
        Vector: (byte)entry,
        IsLevel: (entry & LevelTriggered) != 0));
}
