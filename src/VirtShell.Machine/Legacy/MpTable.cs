using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;
using VirtShell.Machine.Acpi;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Interrupts;
using VirtShell.Machine.Pci;

namespace VirtShell.Machine.Legacy;

/// <summary>
/// The tables of the MultiProcessor Specification 1.4 (chapter 4), for systems that know no ACPI: floating pointer and
/// configuration table, which say what the MADT says.
/// </summary>
internal static class MpTable
{
    /// <summary>Where systems look for the floating pointer: the BIOS area.</summary>
    public const uint Address = 0xF_0000;

    private const int PointerLength = 16;
    private const int HeaderLength = 44;
    private const byte Revision14 = 4;

    // Entry types (4.3).
    private const byte Processor = 0;
    private const byte Bus = 1;
    private const byte IoApicEntry = 2;
    private const byte IoInterrupt = 3;
    private const byte LocalInterrupt = 4;

    // Interrupt types (table 4-10).
    private const byte Vectored = 0;
    private const byte Nmi = 1;
    private const byte ExtInt = 3;

    private const byte PciBusId = 0;
    private const byte IsaBusId = 1;
    private const byte Enabled = 0x01;
    private const byte Bootstrap = 0x02;
    private const byte LocalApicVersion = 0x14;
    private const byte IoApicVersion = 0x11;
    private const uint FpuAndApic = 0x201;
    private const byte AllLocalApics = 0xFF;
    private const byte ActiveHighLevel = 0x0D;
    private const int IrqCount = 16;
    private const int CascadeIrq = 2;
    private const byte TimerPin = 2;

    /// <summary>Builds floating pointer and table for placing at <see cref="Address"/>.</summary>
    /// <param name="signature">The processor's, as CPUID gives it.</param>
    /// <param name="board">Of its PCI functions those with an interrupt pin are told.</param>
    public static byte[] Build(uint signature, Board board)
    {
        List<byte> entries = [];
        int count = 0;
        void Add(params ReadOnlySpan<byte> entry)
        {
            entries.AddRange(entry);
            count++;
        }

        byte[] processor = new byte[20];
        processor[0] = Processor;
        processor[1] = LocalApic.FirstId;
        processor[2] = LocalApicVersion;
        processor[3] = Enabled | Bootstrap;
        BinaryPrimitives.WriteUInt32LittleEndian(processor.AsSpan(4), signature);
        BinaryPrimitives.WriteUInt32LittleEndian(processor.AsSpan(8), FpuAndApic);
        Add(processor);
        Add([Bus, PciBusId, .. "PCI   "u8]);
        Add([Bus, IsaBusId, .. "ISA   "u8]);
        byte[] ioApic = [IoApicEntry, IoApic.Id, IoApicVersion, Enabled, 0, 0, 0, 0];
        BinaryPrimitives.WriteUInt32LittleEndian(ioApic.AsSpan(4), (uint)IoApic.BaseAddress);
        Add(ioApic);
        for (int irq = 0; irq < IrqCount; irq++)
        {
            if (irq != CascadeIrq)
            {
                byte flags = irq == AcpiPm.SciIrq && board.Find<AcpiPm>() is not null ? ActiveHighLevel : (byte)0;
                Add(IoInterrupt, Vectored, flags, 0, IsaBusId, (byte)irq, IoApic.Id, irq == 0 ? TimerPin : (byte)irq);
            }
        }

        HashSet<(int Slot, int Pin)> seen = [];
        foreach (PciDevice function in board.Pci.Functions())
        {
            int pin = (int)function.Config.Read(PciRegister.InterruptPin, 1);
            if (pin is >= 1 and <= 4 && seen.Add((function.Slot, pin)))
            {
                Add(IoInterrupt, Vectored, 0, 0, PciBusId, (byte)((function.Slot << 2) | (pin - 1)), IoApic.Id, (byte)InterruptRouter.IoApicPinOf(function.Slot, pin));
            }
        }

        Add(LocalInterrupt, ExtInt, 0, 0, IsaBusId, 0, AllLocalApics, 0);
        Add(LocalInterrupt, Nmi, 0, 0, IsaBusId, 0, AllLocalApics, 1);

        byte[] image = new byte[PointerLength + HeaderLength + entries.Count];
        Span<byte> pointer = image.AsSpan(0, PointerLength);
        Encoding.ASCII.GetBytes("_MP_", pointer);
        BinaryPrimitives.WriteUInt32LittleEndian(pointer[4..], Address + PointerLength);
        pointer[8] = 1;
        pointer[9] = Revision14;
        pointer[10] = AcpiTables.Checksum(pointer);
        Span<byte> table = image.AsSpan(PointerLength);
        Encoding.ASCII.GetBytes("PCMP", table);
        BinaryPrimitives.WriteUInt16LittleEndian(table[4..], (ushort)table.Length);
        table[6] = Revision14;
        Encoding.ASCII.GetBytes("VTSHLL  VIRTSHELL   ", table[8..]);
        BinaryPrimitives.WriteUInt16LittleEndian(table[34..], (ushort)count);
        BinaryPrimitives.WriteUInt32LittleEndian(table[36..], (uint)LocalApic.DefaultBase);
        entries.CopyTo(table[HeaderLength..]);
        table[7] = AcpiTables.Checksum(table);
        return image;
    }
}
