namespace VirtShell.Machine.Boards;

/// <summary>What a claim is on.</summary>
public enum ClaimKind
{
    /// <summary>I/O ports.</summary>
    Ports,

    /// <summary>Physical addresses, answered by the part and not by RAM.</summary>
    Memory,

    /// <summary>An ISA interrupt, 0 to 15.</summary>
    Irq,

    /// <summary>A channel of the DMA controllers, 0 to 7.</summary>
    Dma,

    /// <summary>Functions of PCI bus 0.</summary>
    Pci,
}

/// <summary>A named range of something on the board that one part has for itself.</summary>
public readonly record struct Claim
{
    private const int FunctionsPerSlot = 8;

    private Claim(ClaimKind kind, string name, ulong first, ulong last)
    {
        Kind = kind;
        Name = name;
        First = first;
        Last = last;
    }

    public ClaimKind Kind { get; }

    /// <summary>What the range is to its part, such as "registers"; unique within the part.</summary>
    public string Name { get; }

    /// <summary>The first port, address, IRQ or channel; of PCI, slot times 8 plus function.</summary>
    public ulong First { get; }

    /// <summary>The last of the range, itself included.</summary>
    public ulong Last { get; }

    /// <summary>Whether ACPI tells the ports as the board's own (PNP0C02), so that systems place nothing there.</summary>
    public bool IsReserved { get; private init; }

    /// <summary>Whether the line is driven by any of several parts that say so, as COM1 and COM3 do on a PC.</summary>
    public bool IsShared { get; private init; }

    /// <summary>How many ports, slots or bytes.</summary>
    internal int Count => (int)(Last - First + 1);

    internal int Slot => (int)First / FunctionsPerSlot;

    internal int SlotCount => (Count + FunctionsPerSlot - 1) / FunctionsPerSlot;

    internal int Function => (int)First % FunctionsPerSlot;

    public static Claim Ports(string name, ushort first, int count = 1, bool isReserved = false) => new(ClaimKind.Ports, name, first, first + (ulong)count - 1) { IsReserved = isReserved };

    public static Claim Memory(string name, ulong first, ulong length) => new(ClaimKind.Memory, name, first, first + length - 1);

    public static Claim Irq(string name, int irq, bool isShared = false) => new(ClaimKind.Irq, name, (ulong)irq, (ulong)irq) { IsShared = isShared };

    public static Claim Dma(string name, int channel) => new(ClaimKind.Dma, name, (ulong)channel, (ulong)channel);

    /// <summary>One function of PCI bus 0.</summary>
    public static Claim PciFunction(string name, int slot, int function)
    {
        ulong number = (ulong)((slot * FunctionsPerSlot) + function);
        return new(ClaimKind.Pci, name, number, number);
    }

    /// <summary>Whole slots of PCI bus 0, with all their functions.</summary>
    public static Claim PciSlots(string name, int first, int count) =>
        new(ClaimKind.Pci, name, (ulong)(first * FunctionsPerSlot), (ulong)((first + count) * FunctionsPerSlot) - 1);

    /// <summary>Whether both take a port, address, IRQ, channel or function that they do not share.</summary>
    public bool Overlaps(Claim other) => Kind == other.Kind && !(IsShared && other.IsShared) && First <= other.Last && other.First <= Last;

    /// <summary>The range for people: "ports 3F8h–3FFh", "IRQ 4", "PCI 05.0".</summary>
    public override string ToString() => Kind switch
    {
        ClaimKind.Ports => First == Last ? $"port {First:X}h" : $"ports {First:X}h–{Last:X}h",
        ClaimKind.Memory => $"addresses {First:X}h–{Last:X}h",
        ClaimKind.Irq => $"IRQ {First}",
        ClaimKind.Dma => $"DMA channel {First}",
        _ => First == Last ? $"PCI {FunctionName(First)}" : $"PCI {FunctionName(First)}–{FunctionName(Last)}",
    };

    private static string FunctionName(ulong number) => $"{number / FunctionsPerSlot:x2}.{number % FunctionsPerSlot}";
}
