using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Interrupts;

namespace VirtShell.Machine.Acpi;

/// <summary>This machine's DSDT: soft off, the PCI host bridge with its windows and interrupt routing, and the ISA devices that the parts tell of.</summary>
internal static class Dsdt
{
    private const int SlotCount = 32;
    private const int PinCount = 4;

    /// <param name="pciMemoryStart">Where the PCI memory window below the I/O APIC begins.</param>
    /// <param name="interrupts">Gives the 8259 inputs that PCI pins reach.</param>
    /// <param name="parts">The parts that are there.</param>
    public static byte[] Build(uint pciMemoryStart, InterruptRouter interrupts, IReadOnlyList<PartRow> parts)
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
            pci.Device("ISA", isa => WriteIsaDevices(isa, parts));
        }));
        return aml.ToArray();
    }

    private static void Routes(AmlWriter package, Func<int, int, int> lineOf)
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

    private static void WriteIsaDevices(AmlWriter isa, IReadOnlyList<PartRow> parts)
    {
        isa.Name("_ADR", 0x0001_0000);
        foreach ((IsaEntry entry, PartRow row) in parts.SelectMany(row => row.Isa.Select(entry => (entry, row))).OrderBy(both => both.entry.Place))
        {
            entry.Write(isa, row);
        }

        // Ports of the board itself, so that nothing else is placed on them.
        ResourceTemplate reserved = new();
        foreach (Claim claim in parts.SelectMany(row => row.Claims).Where(claim => claim.IsReserved).OrderBy(claim => claim.First))
        {
            reserved.Io((ushort)claim.First, claim.Count);
        }

        new IsaEntry("BRD", "PNP0C02", 0, int.MaxValue, []).Write(isa, reserved);
    }
}
