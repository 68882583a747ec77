using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>Base address registers, configuration space, and MSI-X.</summary>
internal static class PciAttacks
{
    private const int Slot = AttackCode.RngSlot;
    private const int Console = AttackCode.ConsoleSlot;
    private const int MsixControl = 0x40;
    private const byte Return = 0xC3;

    public static readonly Attack[] All =
    [
        new("bar-over-ram", "A device's registers over RAM, over its own rings, and over code that then runs", AttackEnd.Never, OverRam),
        new("bar-overlap", "The registers of two devices at one address, taken away in turn", AttackEnd.Never, Overlap),
        new("bar-over-apic", "Registers over both interrupt controllers and at the top of memory", AttackEnd.Never, OverApic),
        new("bar-toggle", "Registers that move, come and go between one access and the next", AttackEnd.Never, Toggle),
        new("pci-storm", "Random writes to every register of every function of every bus", AttackEnd.Never, Storm),
        new("msix-messages", "Messages to random addresses with random data, one for each request", AttackEnd.Never, Messages),
        new("msix-masks", "Masks that come and go while vectors wait, and vectors that are not there", AttackEnd.Never, Masks),
        new("msix-table", "The table and the pending bits written in every width", AttackEnd.Never, Table),
    ];

    private static void OverRam(AttackCode a)
    {
        const uint Routine = AttackLayout.Work + 0x800;
        a.StartDevice(Slot);
        a.Plant(Routine, Return);
        a.Forever(() =>
        {
            foreach (var place in (ReadOnlySpan<uint>)[AttackLayout.Work, AttackLayout.Descriptors & ~0x3FFFu, 0x1000_0000 - 0x4000, 0x4000])
            {
                a.PciWrite(Slot, AttackCode.PciBar4, place);
                a.C.mov(__dword_ptr[place + AttackCode.FeatureSelect], -1);
                a.C.mov(eax, __dword_ptr[place]);
                a.Fold();
                a.Guarded(() => a.CallTo(Routine));
                a.C.mov(__word_ptr[place + AttackCode.Notification], 0);
                a.PciWrite(Slot, AttackCode.PciBar4, AttackCode.Registers(Slot));
                a.Plant(Routine, Return);
                a.Guarded(() => a.CallTo(Routine));
                a.C.mov(eax, __dword_ptr[place]);
                a.Fold();
            }
        });
    }

    private static void Overlap(AttackCode a)
    {
        const uint Place = 0xE100_0000;
        a.StartDevice(Slot);
        a.StartDevice(Console);
        a.Forever(() =>
        {
            foreach (var (first, second) in (ReadOnlySpan<(int, int)>)[(Slot, Console), (Console, Slot), (Slot, Slot)])
            {
                a.PciWrite(first, AttackCode.PciBar4, Place);
                a.PciWrite(second, AttackCode.PciBar4, Place);
                a.PciWrite(first, AttackCode.PciBar1, Place + 0x1000);
                Touch(a, Place);
                a.PciWrite(first, AttackCode.PciCommand, 0);
                Touch(a, Place);
                a.PciWrite(second, AttackCode.PciBar4, 0xE200_0000);
                Touch(a, Place);
                a.PciWrite(first, AttackCode.PciCommand, AttackCode.MemoryAndMaster);
                Touch(a, Place);
            }
        });
    }

    private static void OverApic(AttackCode a)
    {
        a.StartDevice(Slot);
        a.Forever(() =>
        {
            foreach (var place in (ReadOnlySpan<uint>)[0xFEE0_0000, 0xFEC0_0000, 0xFEDF_C000, 0xFFFF_C000, 0xFFFF_FFFF])
            {
                a.PciWrite(Slot, AttackCode.PciBar4, place);
                a.PciWrite(Slot, AttackCode.PciBar1, place);
                Touch(a, place & ~0x3FFFu);
                Touch(a, 0xFEE0_0000);
                Touch(a, 0xFEC0_0000);
            }

            a.PciWrite(Slot, AttackCode.PciBar4, AttackCode.Registers(Slot));
            a.PciWrite(Slot, AttackCode.PciBar1, AttackCode.Msix(Slot));
        });
    }

    private static void Toggle(AttackCode a)
    {
        a.StartDevice(Slot);
        a.C.mov(ebx, 0xC000_0000);
        a.Forever(() =>
        {
            a.PciSelect(Slot, AttackCode.PciBar4);
            a.C.mov(edx, AttackCode.PciData);
            a.C.mov(eax, ebx);
            a.C.@out(dx, eax);
            a.C.mov(eax, __dword_ptr[ebx]);
            a.Fold();
            a.PciWrite(Slot, AttackCode.PciCommand, 0);
            a.C.mov(eax, __dword_ptr[ebx]);
            a.Fold();
            a.PciWrite(Slot, AttackCode.PciCommand, 0xFFFF);
            a.C.mov(__dword_ptr[ebx], eax);
            a.C.add(ebx, 0x4000);
            a.C.and(ebx, 0x3DFF_FFFF);
            a.C.or(ebx, unchecked((int)0xC000_0000));
        });
    }

    private static void Storm(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            a.Random();
            c.or(eax, unchecked((int)0x8000_0000));
            c.test(eax, 0x10_0000);
            var anyBus = a.Code.NewSpot();
            c.je(anyBus.Label);
            c.and(eax, unchecked((int)0x8000_FFFF)); // every other one on bus 0, where the devices are
            a.Code.Place(anyBus);
            c.mov(edx, AttackCode.PciAddress);
            c.@out(dx, eax);
            a.Random();
            c.mov(edx, AttackCode.PciData);
            c.@out(dx, eax);
            c.@in(eax, dx);
            c.inc(edx);
            c.@out(dx, ax);
            c.@in(ax, dx);
            c.@out(dx, al);
            c.@in(al, dx);
            a.Fold();
        });
    }

    private static void Messages(AttackCode a)
    {
        Enable(a);
        a.Forever(() =>
        {
            for (var entry = 0u; entry < 2; entry++)
            {
                var at = AttackCode.Msix(Slot) + (entry * 16);
                a.Random();
                a.C.mov(__dword_ptr[at], eax);
                a.Random();
                a.C.mov(__dword_ptr[at + 4], eax);
                a.Random();
                a.C.mov(__dword_ptr[at + 8], eax);
                a.C.mov(__dword_ptr[at + 12], 0);
                Request(a);
                a.C.mov(__dword_ptr[at + 4], 0);
                a.C.mov(__dword_ptr[at + 3], 0xFE);

                // Anything to the local APIC but INIT and start-up, which would end the machine.
                a.C.and(__dword_ptr[at + 8], 0xF4FF);
                Request(a);
                a.C.mov(__dword_ptr[at], 0xFEE0_0000);
                Request(a);
            }

            a.C.sti();
            a.C.nop();
            a.C.cli();
        });
    }

    private static void Masks(AttackCode a)
    {
        Enable(a);
        a.C.mov(__dword_ptr[AttackCode.Msix(Slot)], 0xFEE0_0000);
        a.C.mov(__dword_ptr[AttackCode.Msix(Slot) + 8], 0x61);
        a.C.sti();
        a.Forever(() =>
        {
            foreach (var vector in (ReadOnlySpan<int>)[0, 1, 2, 63, 64, 0x7FFF, 0xFFFF])
            {
                a.C.mov(__word_ptr[AttackCode.Registers(Slot) + AttackCode.QueueVector], (short)vector);
                a.C.mov(__dword_ptr[AttackCode.Msix(Slot) + 12], 1);
                Request(a);
                a.C.mov(__dword_ptr[AttackCode.Msix(Slot) + 12], 0);
                Control(a, 0xC000_0000);
                Request(a);
                Control(a, 0x8000_0000);
                Control(a, 0);
                Request(a);
                Control(a, 0x8000_0000);
            }
        });
    }

    private static void Table(AttackCode a)
    {
        Enable(a);
        var c = a.C;
        a.Forever(() =>
        {
            c.mov(ebx, AttackCode.Msix(Slot));
            var next = a.Code.Here();
            a.Random();
            c.mov(__dword_ptr[ebx], eax);
            c.mov(__word_ptr[ebx + 1], ax);
            c.mov(__byte_ptr[ebx + 3], al);
            c.movq(mm0, __qword_ptr[ebx]);
            c.movq(__qword_ptr[ebx + 4], mm0);
            c.mov(eax, __dword_ptr[ebx]);
            a.Fold();
            c.add(ebx, 8);
            c.cmp(ebx, AttackCode.Msix(Slot) + 0x1000);
            c.jb(next.Label);
            c.emms();
        });
    }

    /// <summary>Starts the device with MSI-X on. Its capability is the device's first.</summary>
    private static void Enable(AttackCode a)
    {
        a.StartDevice(Slot);
        Control(a, 0x8000_0000);
        a.ClearRings();
        a.SetQueue(Slot, 0);
        a.C.mov(__word_ptr[AttackCode.Registers(Slot) + AttackCode.QueueVector], 0);
        a.SetRunning(Slot);
        a.Descriptor(AttackLayout.Descriptors, 0, AttackLayout.Buffer, 16, AttackCode.FlagWrite);
        a.C.mov(__dword_ptr[AttackLayout.Available], 0);
    }

    private static void Control(AttackCode a, uint value) => a.PciWrite(Slot, MsixControl, value);

    private static void Request(AttackCode a)
    {
        a.C.inc(__word_ptr[AttackLayout.Available + 2]);
        a.Notify(Slot, 0);
    }

    /// <summary>Reads and writes that do no more than be answered. Changes EAX.</summary>
    private static void Touch(AttackCode a, uint place)
    {
        foreach (var offset in (ReadOnlySpan<uint>)[0, 0x14, 0x1000, 0x3000])
        {
            a.C.mov(eax, __dword_ptr[place + offset]);
            a.Fold();
            a.C.mov(__word_ptr[place + offset], ax);
        }
    }
}
