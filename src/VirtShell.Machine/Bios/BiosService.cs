namespace VirtShell.Machine.Bios;

/// <summary>What a call out of the ROM asks for.</summary>
internal enum BiosService
{
    None,

    /// <summary>The way through the reset vector.</summary>
    Post,

    /// <summary>Whether an option ROM at BX is whole.</summary>
    OptionRom,
    Video,
    Equipment,
    BaseMemory,
    Disk,
    Serial,
    System,
    Keyboard,
    Printer,

    /// <summary>INT 18h: the next thing that can be booted.</summary>
    BootNext,

    /// <summary>INT 19h.</summary>
    Boot,
    Time,
    PrintScreen,

    /// <summary>IRQ 0.</summary>
    Tick,

    /// <summary>IRQ 1, scan code in AL.</summary>
    Key,

    /// <summary>IRQ 8, register C in AL.</summary>
    ClockEvent,

    /// <summary>IRQ 12, byte in AL.</summary>
    MouseByte,

    /// <summary>The 32-bit service directory.</summary>
    Directory32,

    /// <summary>The 32-bit entry of the PCI BIOS.</summary>
    Pci32,

    /// <summary>The 32-bit and 16-bit protected-mode entries of APM.</summary>
    Apm32,
}
