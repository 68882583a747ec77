namespace VirtShell.Machine.Bus;

/// <summary>Takes the level of the PCI slots' INTx pins; several devices may share the line behind.</summary>
internal interface IPciInterruptSink
{
    /// <param name="slot">PCI device number on bus 0, 0 to 31.</param>
    /// <param name="pin">1 for INTA# to 4 for INTD#, as in the Interrupt Pin register.</param>
    /// <param name="asserted">Whether the device asks for service.</param>
    void SetPciInterrupt(int slot, int pin, bool asserted);

    /// <summary>The ISA IRQ that a slot's pin reaches through the 8259s, as firmware puts it into the Interrupt Line register.</summary>
    int LegacyIrqOf(int slot, int pin);

    /// <summary>PIIX3 PIRQRC[A:D] (config offsets 60h–63h): bits 3:0 the ISA IRQ, bit 7 set for none.</summary>
    void SetPirqRoute(int pirq, byte value);
}
