using VirtShell.Machine.Interrupts;
using VirtShell.Machine.Legacy;
using VirtShell.Machine.Serial;
using VirtShell.Machine.Timers;

namespace VirtShell.Machine.Acpi;

/// <summary>This machine's DSDT: soft off, the PCI host bridge with its windows and interrupt routing, and the ISA devices.</summary>
internal static class Dsdt
{
    private const int SlotCount = 32;
    private const int PinCount = 4;
    private const byte Present = 0x0F;

    /// <param name="pciMemoryStart">Where the PCI memory window below the I/O APIC begins.</param>
    /// <param name="interrupts">Gives the 8259 inputs that PCI pins reach.</param>
    public static byte[] Build(uint pciMemoryStart, InterruptRouter interrupts)
    {
        AmlWriter aml = new();
        aml.NamePackage("_S5", 4, p =>
        {
            p.Integer(AcpiPm.SoftOffType);
            p.Integer(AcpiPm.SoftOffType);
            p.Integer(0);
            p.Integer(0);
        });

        // The system says by _PIC whether it uses the I/O APIC.
        aml.Name("PICF", 0);
        aml.Method("_PIC", 1, m => m.StoreArgument0("PICF"));
        aml.Scope("_SB", sb => sb.Device("PCI0", pci =>
        {
            pci.NameId("_HID", "PNP0A03");
            pci.Name("_UID", 0);
            pci.NameBuffer("_CRS", new ResourceTemplate()
                .BusNumbers(0, 0xFF)
                .Io(0xCF8, 8)
                .IoWindow(0, 0xCF7)
                .IoWindow(0xD00, 0xFFFF)
                .MemoryWindow(0xA_0000, 0xB_FFFF, cacheable: true)
                .MemoryWindow(pciMemoryStart, (uint)IoApic.BaseAddress - 1, cacheable: false)
                .ToArray());
            pci.NamePackage("PRTA", SlotCount * PinCount, p => Routes(p, InterruptRouter.IoApicPinOf));
            pci.NamePackage("PRTP", SlotCount * PinCount, p => Routes(p, interrupts.LegacyIrqOf));
            pci.Method("_PRT", 0, m =>
            {
                m.If("PICF", then => then.Return("PRTA"));
                m.Return("PRTP");
            });
            pci.Device("ISA", WriteIsaDevices);
        }));
        return aml.ToArray();
    }

    private static void Routes(AmlWriter package, System.Func<int, int, int> lineOf)
    {
        for (int slot = 0; slot < SlotCount; slot++)
        {
            for (int pin = 0; pin < PinCount; pin++)
            {
                uint address = ((uint)slot << 16) | 0xFFFF;
                uint number = (uint)pin;
                uint line = (uint)lineOf(slot, pin + 1);
                package.PackageTerm(4, entry =>
                {
                    entry.Integer(address);
                    entry.Integer(number);
                    entry.Integer(0);
                    entry.Integer(line);
                });
            }
        }
    }

    private static void WriteIsaDevices(AmlWriter isa)
    {
        isa.Name("_ADR", 0x0001_0000);
        Device(isa, "COM1", "PNP0501", 1, new ResourceTemplate().Io(Uart16550.Com1Port, 8).Irq(Uart16550.Com1Irq));
        Device(isa, "COM2", "PNP0501", 2, new ResourceTemplate().Io(Uart16550.Com2Port, 8).Irq(Uart16550.Com2Irq));
        Device(isa, "KBD", "PNP0303", 0, new ResourceTemplate().Io(KeyboardController.DataPort, 1).Io(KeyboardController.CommandPort, 1).Irq(1));
        Device(isa, "MOU", "PNP0F13", 0, new ResourceTemplate().Irq(12));
        Device(isa, "RTC", "PNP0B00", 0, new ResourceTemplate().Io(RtcCmos.IndexPort, 2).Irq(8));

        // Ports of the board itself, so that nothing else is placed on them.
        Device(isa, "BRD", "PNP0C02", 0, new ResourceTemplate()
            .Io(SystemPorts.PagePort, 16)
            .Io(SystemPorts.ControlPortA, 1)
            .Io(AcpiPm.SmiCommandPort, 2)
            .Io(Pic8259Pair.ElcrPort, 2)
            .Io(AcpiPm.Base, AcpiPm.PortCount));
    }

    private static void Device(AmlWriter parent, string name, string id, ulong uid, ResourceTemplate resources) => parent.Device(name, d =>
    {
        d.NameId("_HID", id);
        d.Name("_UID", uid);
        d.Name("_STA", Present);
        d.NameBuffer("_CRS", resources.ToArray());
    });
}
