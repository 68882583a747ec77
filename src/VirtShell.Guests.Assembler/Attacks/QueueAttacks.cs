using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>Virtqueues that make no sense, and ones that make too much work.</summary>
internal static class QueueAttacks
{
    private const int Slot = AttackCode.RngSlot;
    private const int Console = AttackCode.ConsoleSlot;
    private const uint Table = AttackLayout.Descriptors;

    public static readonly Attack[] All =
    [
        new("queue-circle", "Descriptor chains that lead to themselves, in circles, and out of their table", AttackEnd.Never, Circle),
        new("queue-indirect", "Indirect tables within indirect tables, empty, odd, endless and outside of RAM", AttackEnd.Never, Indirect),
        new("queue-lengths", "Buffers of length 0 and FFFFFFFFh, whole chains of them, and buffers that wrap around 2^64", AttackEnd.Never, Lengths),
        new("queue-in-mmio", "Rings in device registers, in ROM, behind RAM, and at the top of the address space", AttackEnd.Never, InMmio),
        new("queue-index", "An available index that jumps, and heads outside of the table", AttackEnd.Never, Index),
        new("queue-random", "Rings of random bytes, with every feature accepted", AttackEnd.Never, RandomRings),
        new("queue-notify", "Notifications without end, of queues that are not there too", AttackEnd.Never, Notifications),
        new("queue-reset", "The device is reset while it holds a full queue", AttackEnd.Never, Reset) { IsHeavy = true },
        new("queue-registers", "Random values in every common register, in all widths", AttackEnd.Never, Registers),
        new("queue-window", "The window in configuration space, with random places and lengths", AttackEnd.Never, Window),
        new("console-flood", "64 requests of 64 KiB to the console with each notification", AttackEnd.Never, ConsoleFlood) { IsHeavy = true },
        new("console-emergency", "The console's emergency write, for ever", AttackEnd.Never, Emergency),
        new("console-input", "Receive buffers of every kind, and notifications for them", AttackEnd.Never, Input),
        new("rng-flood", "64 requests of 4 KiB of entropy with each notification", AttackEnd.Never, RngFlood) { IsHeavy = true },
    ];

    private static void Circle(AttackCode a)
    {
        const int Both = AttackCode.FlagNext | AttackCode.FlagWrite;
        a.StartDevice(Slot);
        a.Forever(() =>
        {
            foreach (var next in (ReadOnlySpan<int>)[0, 1, 63, 64, 0xFFFF])
            {
                Begin(a, 0);
                a.Descriptor(Table, 0, AttackLayout.Buffer, 16, Both, next);
                a.Descriptor(Table, 1, AttackLayout.Buffer, 16, Both, 0);
                a.Descriptor(Table, 63, AttackLayout.Buffer, 16, Both, 63);
                Send(a);
            }
        });
    }

    private static void Indirect(AttackCode a)
    {
        ReadOnlySpan<(ulong Address, uint Length, int Flags)> tables =
        [
            (AttackLayout.Indirect, 16, 0),
            (AttackLayout.Indirect, 0, 0),
            (AttackLayout.Indirect, 17, 0),
            (AttackLayout.Indirect, 0xFFFF_FFF0, 0),
            (AttackLayout.Indirect, 16 * 1024, 0),
            (AttackLayout.Indirect, 16 * 1025, 0),
            (AttackLayout.Indirect, 32, AttackCode.FlagNext),
            (Table, 16, 0),
            (ulong.MaxValue, 16, 0),
            (ulong.MaxValue - 15, 32, 0),
            (0xFEE0_0000, 32, 0),
        ];
        a.StartDevice(Slot);
        var start = a.Code.Here();
        foreach (var (address, length, flags) in tables)
        {
            Begin(a, AttackCode.FeatureIndirect);
            a.Descriptor(Table, 0, address, length, AttackCode.FlagIndirect | flags, 1);
            a.Descriptor(AttackLayout.Indirect, 0, AttackLayout.Indirect, 16, AttackCode.FlagIndirect);
            Send(a);
            a.Descriptor(AttackLayout.Indirect, 0, AttackLayout.Buffer, 1, AttackCode.FlagWrite | AttackCode.FlagNext, 0);
            Send(a);
        }

        a.C.jmp(start.Label);
    }

    private static void Lengths(AttackCode a)
    {
        ReadOnlySpan<(ulong Address, uint Length)> buffers =
        [
            (AttackLayout.Buffer, 0),
            (AttackLayout.Buffer, 0xFFFF_FFFF),
            (0, 0xFFFF_FFFF),
            (0xFFFF_FFFF, 0xFFFF_FFFF),
            (ulong.MaxValue, 1),
            (ulong.MaxValue, 2),
            (ulong.MaxValue - 0xFFFF_FFFE, 0xFFFF_FFFF),
            (1UL << 63, 0x8000_0000),
        ];
        a.StartDevice(Slot);
        a.StartDevice(Console);
        var start = a.Code.Here();
        foreach (var (address, length) in buffers)
        {
            foreach (var (slot, queue, flag) in (ReadOnlySpan<(int, int, int)>)[(Slot, 0, AttackCode.FlagWrite), (Console, 1, 0), (Console, 0, AttackCode.FlagWrite), (Console, 1, AttackCode.FlagWrite)])
            {
                a.OneRequest(slot, queue, address, length, flag);
                a.RestartDevice(slot);
                a.ClearRings();
                a.SetQueue(slot, queue);
                a.SetRunning(slot);
                for (var i = 0; i < 8; i++)
                {
                    a.Descriptor(Table, i, address, length, flag | AttackCode.FlagNext, i + 1);
                }

                a.MakeAvailable();
                a.Notify(slot, queue);
                a.FoldStatus(slot);
            }
        }

        a.C.jmp(start.Label);
    }

    private static void InMmio(AttackCode a)
    {
        ReadOnlySpan<ulong> places =
        [
            AttackCode.Registers(Slot), AttackCode.Msix(Slot), 0xFEE0_0000, 0xFEC0_0000, 0xE_0000, 0xA_0000, 0xC000_0000, 0x1_0000_0000,
            ulong.MaxValue - 15, ulong.MaxValue - 4095, AttackLayout.MemoryEnd - 16, 0, 1, 2,
        ];
        a.StartDevice(Slot);
        a.Descriptor(Table, 0, AttackLayout.Buffer, 16, AttackCode.FlagWrite);
        var start = a.Code.Here();
        foreach (var place in places)
        {
            for (var part = 0; part < 4; part++)
            {
                a.RestartDevice(Slot, AttackCode.FeatureEventIndex);
                a.ClearRings();
                a.SetQueue(Slot, 0, part is 0 or 3 ? place : Table, part is 1 or 3 ? place : AttackLayout.Available, part is 2 or 3 ? place : AttackLayout.Used);
                a.SetRunning(Slot);
                a.MakeAvailable();
                a.Notify(Slot, 0);
                a.FoldStatus(Slot);
            }
        }

        a.C.jmp(start.Label);
    }

    private static void Index(AttackCode a)
    {
        a.StartDevice(Slot);
        a.Descriptor(Table, 0, AttackLayout.Buffer, 16, AttackCode.FlagWrite);
        var start = a.Code.Here();
        foreach (var (head, index) in (ReadOnlySpan<(int, int)>)[(0, 64), (0, 65), (0, 0x8000), (0, 0xFFFF), (64, 1), (0xFFFF, 1)])
        {
            Begin(a, 0);
            a.MakeAvailable(head, index);
            a.Notify(Slot, 0);
            a.FoldStatus(Slot);
        }

        a.C.jmp(start.Label);
    }

    private static void RandomRings(AttackCode a)
    {
        a.StartDevice(Slot);
        a.StartDevice(Console);
        a.Forever(() =>
        {
            foreach (var (slot, queue) in (ReadOnlySpan<(int, int)>)[(Slot, 0), (Console, 0), (Console, 1)])
            {
                // Addresses in the guest's own buffers, so that it lives on; all else is random.
                a.FillRandom(Table, 64);
                for (var i = 0; i < 16; i++)
                {
                    a.C.and(__dword_ptr[Table + ((uint)i * 16)], 0xFFFF);
                    a.C.or(__dword_ptr[Table + ((uint)i * 16)], (int)AttackLayout.Buffer);
                    a.C.mov(__dword_ptr[Table + ((uint)i * 16) + 4], 0);
                    a.C.and(__dword_ptr[Table + ((uint)i * 16) + 8], 0x3FFF);
                    a.C.and(__dword_ptr[Table + ((uint)i * 16) + 12], 0x000F_0007);
                }

                a.FillRandom(AttackLayout.Available, 8);
                a.C.and(__dword_ptr[AttackLayout.Available], 0x0007_0001);
                for (var i = 1u; i < 8; i++)
                {
                    a.C.and(__dword_ptr[AttackLayout.Available + (i * 4)], 0x000F_000F);
                }

                a.RestartDevice(slot, AttackCode.FeatureIndirect | AttackCode.FeatureEventIndex);
                a.SetQueue(slot, queue);
                a.SetRunning(slot);
                a.Notify(slot, queue);
                a.FoldStatus(slot);
            }
        });
    }

    private static void Notifications(AttackCode a)
    {
        a.StartDevice(Slot);
        a.StartDevice(Console);
        a.SetQueue(Slot, 0);
        a.SetQueue(Console, 1);
        a.SetRunning(Slot);
        a.SetRunning(Console);
        a.Forever(() =>
        {
            for (var i = 0; i < 16; i++)
            {
                a.Notify(Slot, 0);
                a.Notify(Console, i);
                a.Notify(Slot, 1023);
                a.C.mov(__dword_ptr[AttackCode.Registers(Slot) + AttackCode.Notification + 1], -1);
            }
        });
    }

    private static void Reset(AttackCode a)
    {
        a.StartDevice(Slot);
        a.StartDevice(Console);
        Fill(a, 4096, AttackCode.FlagWrite);
        a.Forever(() =>
        {
            foreach (var (slot, queue) in (ReadOnlySpan<(int, int)>)[(Slot, 0), (Console, 0)])
            {
                a.RestartDevice(slot);
                a.C.mov(__dword_ptr[AttackLayout.Used], 0);
                a.SetQueue(slot, queue);
                a.C.mov(__word_ptr[AttackLayout.Available + 2], 64);
                a.SetRunning(slot);
                a.Notify(slot, queue);
                a.C.mov(__byte_ptr[AttackCode.Registers(slot) + AttackCode.Status], 0);
                a.Notify(slot, queue);

                // The same with the device's right to memory taken away under way.
                a.RestartDevice(slot);
                a.SetQueue(slot, queue);
                a.SetRunning(slot);
                a.PciWrite(slot, AttackCode.PciCommand, 2);
                a.Notify(slot, queue);
                a.PciWrite(slot, AttackCode.PciCommand, AttackCode.MemoryAndMaster);
            }
        });
    }

    private static void Registers(AttackCode a)
    {
        a.StartDevice(Slot);
        a.StartDevice(Console);
        a.Forever(() =>
        {
            foreach (var slot in (ReadOnlySpan<int>)[Slot, Console])
            {
                for (var register = 0u; register < 0x3C; register += 2)
                {
                    var at = AttackCode.Registers(slot) + register;
                    a.Random();
                    a.C.mov(__word_ptr[at], ax);
                    a.C.mov(__dword_ptr[at], eax);
                    a.C.mov(__byte_ptr[at + 1], al);
                    a.C.mov(eax, __dword_ptr[at]);
                    a.Fold();
                }

                a.Notify(slot, 0);
            }
        });
    }

    private static void Window(AttackCode a)
    {
        a.StartDevice(Slot);
        a.Forever(() =>
        {
            // Capabilities lie from 40h on; one of them is the window, whichever it is.
            for (var register = 0x40; register < 0xC0; register += 4)
            {
                a.Random();
                a.C.mov(ebx, eax);
                a.C.and(ebx, 0x3007);
                a.PciSelect(Slot, register);
                a.C.mov(edx, AttackCode.PciData);
                a.C.mov(eax, ebx);
                a.C.@out(dx, eax);
                a.C.@in(eax, dx);
                a.Fold();
            }
        });
    }

    private static void ConsoleFlood(AttackCode a)
    {
        a.StartDevice(Console);
        Fill(a, 0x1_0000, 0);
        a.SetQueue(Console, 1);
        a.SetRunning(Console);
        a.C.xor(ebx, ebx);
        a.Forever(() =>
        {
            a.C.add(ebx, 64);
            a.C.mov(__word_ptr[AttackLayout.Available + 2], bx);
            a.Notify(Console, 1);
        });
    }

    private static void Emergency(AttackCode a)
    {
        a.StartDevice(Console);
        a.SetRunning(Console);
        a.Forever(() => a.C.mov(__dword_ptr[AttackCode.Registers(Console) + AttackCode.DeviceConfig + 8], 'x'));
    }

    private static void Input(AttackCode a)
    {
        a.StartDevice(Console);
        a.Forever(() =>
        {
            foreach (var flags in (ReadOnlySpan<int>)[0, AttackCode.FlagWrite, AttackCode.FlagWrite | AttackCode.FlagNext, AttackCode.FlagIndirect])
            {
                a.RestartDevice(Console);
                Fill(a, 64, flags);
                a.SetQueue(Console, 0);
                a.SetRunning(Console);
                a.C.mov(__word_ptr[AttackLayout.Available + 2], 64);
                a.Notify(Console, 0);
                a.FoldStatus(Console);
            }
        });
    }

    private static void RngFlood(AttackCode a)
    {
        a.StartDevice(Slot);
        Fill(a, 4096, AttackCode.FlagWrite);
        a.SetQueue(Slot, 0);
        a.SetRunning(Slot);
        a.C.xor(ebx, ebx);
        a.Forever(() =>
        {
            a.C.add(ebx, 64);
            a.C.mov(__word_ptr[AttackLayout.Available + 2], bx);
            a.Notify(Slot, 0);
        });
    }

    private static void Begin(AttackCode a, uint features)
    {
        a.RestartDevice(Slot, features);
        a.ClearRings();
        a.SetQueue(Slot, 0);
        a.SetRunning(Slot);
    }

    private static void Send(AttackCode a)
    {
        a.MakeAvailable();
        a.Notify(Slot, 0);
        a.FoldStatus(Slot);
    }

    /// <summary>64 descriptors of one buffer, all of them in the ring, none of them available yet. Changes EAX, ECX, EDI.</summary>
    private static void Fill(AttackCode a, uint length, int flags)
    {
        var c = a.C;
        c.mov(edi, Table);
        c.xor(ecx, ecx);
        var next = a.Code.Here();
        c.mov(__dword_ptr[edi], AttackLayout.Buffer);
        c.mov(__dword_ptr[edi + 4], 0);
        c.mov(__dword_ptr[edi + 8], length);
        c.mov(__dword_ptr[edi + 12], flags);
        c.mov(__word_ptr[(ecx * 2) + (AttackLayout.Available + 4)], cx);
        c.add(edi, 16);
        c.inc(ecx);
        c.cmp(ecx, 64);
        c.jb(next.Label);
        a.ClearRings();
    }
}
