using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>Devices that are told to read and write where they should not.</summary>
internal static class DmaAttacks
{
    private const int Slot = AttackCode.RngSlot;
    private const byte MovEaxImmediate = 0xB8;
    private const byte Return = 0xC3;

    /// <summary>Starts of ranges that are not RAM, and ends of the address space.</summary>
    private static readonly ulong[] s_nowhere =
    [
        0xA_0000, 0xE_0000, 0xF_FFF0, 0xC000_0000, 0xFEC0_0000, 0xFEE0_0000, AttackCode.Registers(Slot), AttackCode.Msix(Slot),
        0xFFFF_FFF0, 0x1_0000_0000, 0x7FFF_FFFF_FFFF_F000, ulong.MaxValue - 4095, ulong.MaxValue,
    ];

    public static readonly Attack[] All =
    [
        new("dma-past-ram", "A device writes across the end of RAM, behind it, and at the end of every GiB", AttackEnd.PowerOff, PastRam),
        new("dma-not-ram", "A device writes to ROM, the interrupt controllers, its own registers and the top of the address space", AttackEnd.PowerOff, a => NotRam(a, write: true)),
        new("dma-read-not-ram", "A device prints what it reads from there", AttackEnd.PowerOff, a => NotRam(a, write: false)),
        new("dma-code", "A device writes into the instruction that is about to run, for ever", AttackEnd.Never, OwnCode),
        new("dma-page-tables", "A device writes random page table entries, which are then used", AttackEnd.Never, PageTables),
        new("dma-rings", "A device's buffer is its own descriptor table, and its own rings", AttackEnd.Never, OwnRings),
        new("dma-gates", "A device writes random gates and descriptors, which are then used", AttackEnd.Never, Gates),
        new("dma-all-ram", "A device writes over all of RAM, the guest's code included", AttackEnd.Any, AllRam),
    ];

    private static void PastRam(AttackCode a)
    {
        var c = a.C;
        a.StartDevice(Slot);
        foreach (var back in (ReadOnlySpan<int>)[1, 8, 4095, 0, -1, -4096])
        {
            a.RestartDevice(Slot);
            a.ClearRings();
            a.SetQueue(Slot, 0);
            a.SetRunning(Slot);
            a.Descriptor(AttackLayout.Descriptors, 0, 0, 4096, AttackCode.FlagWrite);
            c.mov(eax, __dword_ptr[AttackLayout.RamEnd]);
            c.sub(eax, back);
            c.mov(__dword_ptr[AttackLayout.Descriptors], eax);
            a.MakeAvailable();
            a.Notify(Slot, 0);
            a.FoldStatus(Slot);
        }

        for (var gib = 1UL; gib <= 5; gib++)
        {
            a.OneRequest(Slot, 0, (gib << 30) - 8, 4096, AttackCode.FlagWrite);
        }

        a.Finish();
    }

    private static void NotRam(AttackCode a, bool write)
    {
        var (slot, queue, flags) = write ? (Slot, 0, AttackCode.FlagWrite) : (AttackCode.ConsoleSlot, 1, 0);
        a.StartDevice(slot);
        foreach (var address in s_nowhere)
        {
            foreach (var length in (ReadOnlySpan<uint>)[1, 16, 4096, 0xFFFF_FFFF])
            {
                a.OneRequest(slot, queue, address, length, flags);
            }
        }

        a.Finish();
    }

    private static void OwnCode(AttackCode a)
    {
        a.Plant(AttackLayout.Work, MovEaxImmediate, 0, 0, 0, 0, Return);
        a.StartDevice(Slot);
        a.Forever(() =>
        {
            a.OneRequest(Slot, 0, AttackLayout.Work + 1, 4, AttackCode.FlagWrite);
            a.CallTo(AttackLayout.Work);
            a.Fold();
        });
    }

    private static void PageTables(AttackCode a)
    {
        const uint Victim = AttackLayout.Work;
        a.Paging();
        a.StartDevice(Slot);
        a.Forever(() =>
        {
            a.OneRequest(Slot, 0, AttackCode.Entry(Victim), 4, AttackCode.FlagWrite);

            // Whatever it maps is only read.
            a.C.or(__dword_ptr[AttackCode.Entry(Victim)], 1);
            a.C.invlpg(__[Victim]);
            a.Guarded(() => a.C.mov(eax, __dword_ptr[Victim + 0x10]));
            a.Guarded(() => a.C.mov(eax, __dword_ptr[Victim + 0xFFD]));
        });
    }

    private static void OwnRings(AttackCode a)
    {
        a.StartDevice(Slot);
        a.Forever(() =>
        {
            foreach (var target in (ReadOnlySpan<uint>)[AttackLayout.Descriptors, AttackLayout.Available, AttackLayout.Used])
            {
                a.OneRequest(Slot, 0, target, 1024, AttackCode.FlagWrite);
                a.Notify(Slot, 0);
                a.Notify(Slot, 0);
                a.FoldStatus(Slot);
            }
        });
    }

    private static void Gates(AttackCode a)
    {
        const uint Gate = 0x90;
        const uint Gdt = AttackLayout.Work;
        var c = a.C;

        // A copy of the descriptors, with room for random ones behind them.
        c.sgdt(__[AttackLayout.Pointer]);
        c.mov(esi, __dword_ptr[AttackLayout.Pointer + 2]);
        c.mov(edi, Gdt);
        c.mov(ecx, 14);
        c.rep.movsd();
        a.Code.LoadTable(Gdt, 0xFF, isIdt: false);
        a.StartDevice(Slot);
        a.Forever(() =>
        {
            a.OneRequest(Slot, 0, Layout.Idt + (Gate * 8), 8, AttackCode.FlagWrite);

            // Never present with a selector of ours: a random handler could do anything.
            c.and(__dword_ptr[Layout.Idt + (Gate * 8)], 0xFFFF);
            a.Guarded(() => c.@int((byte)Gate));
            a.OneRequest(Slot, 0, Gdt + 0x40, 0x80, AttackCode.FlagWrite);
            for (var selector = 0x40; selector < 0xC0; selector += 0x10)
            {
                var loaded = selector;
                a.Guarded(() =>
                {
                    c.mov(eax, loaded);
                    c.mov(fs, ax);
                    c.lar(eax, eax);
                    c.mov(eax, __dword_ptr.fs[0x1000]);
                });
            }
        });
    }

    private static void AllRam(AttackCode a)
    {
        a.StartDevice(Slot);
        a.Forever(() =>
        {
            a.Random();
            a.RestartDevice(Slot);
            a.ClearRings();
            a.SetQueue(Slot, 0);
            a.SetRunning(Slot);
            a.C.and(eax, (int)AttackLayout.MemoryEnd - 1);
            a.Descriptor(AttackLayout.Descriptors, 0, 0, 4096, AttackCode.FlagWrite);
            a.C.mov(__dword_ptr[AttackLayout.Descriptors], eax);
            a.MakeAvailable();
            a.Notify(Slot, 0);
        });
    }
}
