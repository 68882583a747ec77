namespace VirtShell.Machine.Acpi;

/// <summary>Interrupt controller structures of the MADT (ACPI 6.4, 5.2.12). The first byte is the type, by which the table is ordered.</summary>
internal static class MadtEntry
{
    /// <summary>Interrupt flags: polarity and trigger mode as the bus has them.</summary>
    public const ushort BusDefault = 0;

    /// <summary>Interrupt flags: active high, level-triggered.</summary>
    public const ushort ActiveHighLevel = 0x0D;

    private const byte TypeLocalApic = 0;
    private const byte TypeIoApic = 1;
    private const byte TypeSourceOverride = 2;
    private const byte TypeLocalApicNmi = 4;
    private const byte AllProcessors = 0xFF;

    public static byte[] LocalApic(byte id) => [TypeLocalApic, 8, 0, id, 1, 0, 0, 0];

    public static byte[] IoApic(byte id, uint address) =>
        [TypeIoApic, 12, id, 0, (byte)address, (byte)(address >> 8), (byte)(address >> 16), (byte)(address >> 24), 0, 0, 0, 0];

    public static byte[] SourceOverride(byte irq, byte pin, ushort flags) => [TypeSourceOverride, 10, 0, irq, pin, 0, 0, 0, (byte)flags, (byte)(flags >> 8)];

    public static byte[] LocalApicNmi(byte lint) => [TypeLocalApicNmi, 6, AllProcessors, 0, 0, lint];
}
