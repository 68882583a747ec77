namespace VirtShell.Machine.Pci;

/// <summary>Offsets in a type 0 configuration header and the bits of its registers (PCI Local Bus Specification 3.0, 6.1 and 6.2).</summary>
internal static class PciRegister
{
    public const int VendorId = 0x00;
    public const int DeviceId = 0x02;
    public const int Command = 0x04;
    public const int Status = 0x06;
    public const int RevisionId = 0x08;
    public const int ClassCode = 0x09;
    public const int HeaderType = 0x0E;
    public const int Bar0 = 0x10;
    public const int SubsystemVendorId = 0x2C;
    public const int SubsystemId = 0x2E;
    public const int RomBase = 0x30;
    public const int CapabilitiesPointer = 0x34;
    public const int InterruptLine = 0x3C;
    public const int InterruptPin = 0x3D;

    /// <summary>Registers from here on belong to the device and its capabilities.</summary>
    public const int DeviceSpecific = 0x40;

    /// <summary>Base address registers of a type 0 header.</summary>
    public const int BarCount = 6;

    /// <summary>HeaderType bit 7: the device has several functions.</summary>
    public const byte MultiFunction = 0x80;

    /// <summary>A base address register's bit 0: it decodes I/O space.</summary>
    public const uint BarIoSpace = 1;

    /// <summary>A base address register's bit 3: reads of the memory have no effects.</summary>
    public const uint BarPrefetchable = 8;

    /// <summary>The expansion ROM register's bit 0: the ROM is seen.</summary>
    public const uint RomEnable = 1;
}

/// <summary>Bits of the Command register (PCI 3.0, 6.2.2).</summary>
internal static class PciCommand
{
    public const ushort IoSpace = 1 << 0;
    public const ushort MemorySpace = 1 << 1;
    public const ushort BusMaster = 1 << 2;
    public const ushort ParityErrorResponse = 1 << 6;
    public const ushort SerrEnable = 1 << 8;
    public const ushort InterruptDisable = 1 << 10;
    public const ushort Writable = IoSpace | MemorySpace | BusMaster | ParityErrorResponse | SerrEnable | InterruptDisable;
}

/// <summary>Bits of the Status register (PCI 3.0, 6.2.3).</summary>
internal static class PciStatus
{
    public const ushort Interrupt = 1 << 3;
    public const ushort CapabilitiesList = 1 << 4;

    /// <summary>Error bits, cleared by writing ones.</summary>
    public const ushort WriteOneToClear = 0xF900;
}

/// <summary>Capability ids (PCI 3.0, appendix H).</summary>
internal static class PciCapabilityId
{
    public const byte VendorSpecific = 0x09;
    public const byte Msix = 0x11;
}
