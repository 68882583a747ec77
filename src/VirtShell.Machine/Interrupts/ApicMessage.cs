namespace VirtShell.Machine.Interrupts;

/// <summary>Delivery modes of an interrupt message (Intel SDM 3A, table 11-3).</summary>
public enum ApicDeliveryMode : byte
{
    Fixed = 0,
    LowestPriority = 1,
    Smi = 2,
    Nmi = 4,
    Init = 5,
    StartUp = 6,
    ExtInt = 7,
}

/// <summary>An interrupt message on its way to the local APICs.</summary>
/// <param name="Destination">Physical or logical destination; 8 bits from I/O APIC and MSI.</param>
/// <param name="IsLogical">Whether the destination is logical.</param>
/// <param name="Mode">What the message asks for.</param>
/// <param name="Vector">The vector of Fixed and LowestPriority.</param>
/// <param name="IsLevel">Whether the EOI must be broadcast.</param>
internal readonly record struct ApicMessage(uint Destination, bool IsLogical, ApicDeliveryMode Mode, byte Vector, bool IsLevel);

/// <summary>Delivers a message; false where no local APIC took it.</summary>
internal delegate bool ApicMessageHandler(ApicMessage message);
