using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>Ports read and written faster than any system does.</summary>
internal static class PortAttacks
{
    private const int PortCount = 0x1_0000;

    /// <summary>Nothing answers there, and repeated input may write there for ever.</summary>
    private const uint Hole = 0xD000_0000;

    /// <summary>First and last port of each range whose writes end the machine at once.</summary>
    private static readonly (int First, int Last)[] s_ends =
    [
        (0x64, 0x64),
        (0x92, 0x92),
        (Hardware.DebugExit, Hardware.DebugExit + 3),
        (Hardware.Pm1Control, Hardware.Pm1Control + 1),
        (0xCF9, 0xCF9),
    ];

    public static readonly Attack[] All =
    [
        new("ports-read", "Every port read in every width", AttackEnd.Never, ReadAll),
        new("ports-write", "Every port but those that end the machine written in every width, with another pattern each time", AttackEnd.Never, a => WriteAll(a, spare: true)),
        new("ports-write-all", "The same without exception", AttackEnd.Any, a => WriteAll(a, spare: false)),
        new("ports-rep-in", "Repeated input of the largest counts from each device", AttackEnd.Never, RepeatedInput) { IsHeavy = true },
        new("ports-rep-out", "Repeated output of all addresses to each device", AttackEnd.Never, RepeatedOutput) { IsHeavy = true },
        new("serial-flood", "Bytes to both serial lines without a look at their status", AttackEnd.Never, SerialFlood) { IsHeavy = true },
        new("serial-settings", "Both UARTs' registers written at random, loopback and interrupts included", AttackEnd.Never, SerialSettings),
        new("debug-console-flood", "Repeated output to both debug consoles", AttackEnd.Never, DebugConsoleFlood) { IsHeavy = true },
        new("keyboard-flood", "Every command but reset to the keyboard controller, and random bytes to keyboard and mouse", AttackEnd.Never, KeyboardFlood),
        new("cmos-flood", "CMOS bytes written at random in every register, read by repeated input", AttackEnd.Never, CmosFlood),
    ];

    private static void ReadAll(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            c.xor(ebx, ebx);
            var next = a.Code.Here();
            c.mov(edx, ebx);
            c.@in(al, dx);
            c.@in(ax, dx);
            c.@in(eax, dx);
            a.Fold();
            c.inc(ebx);
            c.cmp(ebx, PortCount);
            c.jb(next.Label);
        });
    }

    private static void WriteAll(AttackCode a, bool spare)
    {
        var c = a.C;
        a.Forever(() =>
        {
            var skip = a.Code.NewSpot();
            c.xor(ebx, ebx);
            var next = a.Code.Here();
            foreach (var (first, last) in spare ? s_ends : [])
            {
                var outside = a.Code.NewSpot();
                c.cmp(ebx, first - 3);
                c.jb(outside.Label);
                c.cmp(ebx, last);
                c.jbe(skip.Label);
                a.Code.Place(outside);
            }

            a.Random();
            c.mov(edx, ebx);
            c.@out(dx, eax);
            c.@out(dx, ax);
            c.@out(dx, al);
            a.Code.Place(skip);
            c.inc(ebx);
            c.cmp(ebx, PortCount);
            c.jb(next.Label);
        });
    }

    private static void RepeatedInput(AttackCode a)
    {
        var c = a.C;
        c.cld();
        a.Forever(() =>
        {
            foreach (var port in (ReadOnlySpan<int>)[0x71, Hardware.UartData, Hardware.UartLineStatus, Hardware.Pic1Command, 0x60, 0x40, AttackCode.PciData, 0xFFFF])
            {
                foreach (var size in (ReadOnlySpan<int>)[1, 2, 4])
                {
                    c.mov(edx, port);
                    c.mov(edi, Hole);
                    c.mov(ecx, 0x1_0000);
                    Input(a, size);
                }
            }

            c.mov(edx, 0x71);
            c.mov(edi, Hole);
            c.mov(ecx, 0x80_0000);
            Input(a, 1);
        });
    }

    private static void Input(AttackCode a, int size)
    {
        switch (size)
        {
            case 1:
                a.C.rep.insb();
                break;
            case 2:
                a.C.rep.insw();
                break;
            default:
                a.C.rep.insd();
                break;
        }
    }

    private static void RepeatedOutput(AttackCode a)
    {
        var c = a.C;
        c.xor(esi, esi);
        a.Forever(() =>
        {
            foreach (var port in (ReadOnlySpan<int>)[0x80, 0x71, Hardware.Pic1Data, 0x40, 0x60, 0xE9, AttackCode.PciData, AttackCode.PciAddress, 0xFFFF])
            {
                c.mov(edx, port);
                c.mov(ecx, 0x4000);
                c.rep.outsb();
                c.mov(ecx, 0x4000);
                c.rep.outsw();
                c.mov(ecx, 0x4000);
                c.rep.outsd();
            }

            // 4 GiB in one instruction, from wherever the pointer is now.
            c.mov(edx, 0x80);
            c.mov(ecx, -1);
            c.rep.outsd();
        });
    }

    private static void SerialFlood(AttackCode a)
    {
        a.Forever(() =>
        {
            a.Out8(Hardware.UartData, 'x');
            a.Out8(0x2F8, 'y');
            a.C.mov(esi, Layout.Load);
            a.C.mov(ecx, 256);
            a.C.mov(edx, Hardware.UartData);
            a.C.rep.outsb();
        });
    }

    private static void SerialSettings(AttackCode a)
    {
        a.Out8(Hardware.Pic1Data, 0);
        a.C.sti();
        a.Forever(() =>
        {
            foreach (var uart in (ReadOnlySpan<int>)[Hardware.Com1, 0x2F8])
            {
                for (var register = 0; register < 8; register++)
                {
                    a.Random();
                    a.C.mov(edx, uart + register);
                    a.C.@out(dx, al);
                    a.C.@in(al, dx);
                    a.Fold();
                }
            }
        });
    }

    private static void DebugConsoleFlood(AttackCode a)
    {
        a.Forever(() =>
        {
            foreach (var port in (ReadOnlySpan<int>)[0xE9, 0x402])
            {
                a.C.mov(esi, Layout.Load);
                a.C.mov(ecx, 0x1_0000);
                a.C.mov(edx, port);
                a.C.rep.outsb();
            }
        });
    }

    private static void KeyboardFlood(AttackCode a)
    {
        a.Out8(Hardware.Pic1Data, 0);
        a.C.sti();
        a.Forever(() =>
        {
            for (var command = 0; command < 0xF0; command++)
            {
                // D1h writes the output port, whose bit 0 is the reset line.
                if (command != 0xD1)
                {
                    a.Out8(0x64, command);
                    a.Random();
                    a.C.@out(0x60, al);
                    a.C.@in(al, 0x64);
                    a.C.@in(al, 0x60);
                    a.Fold();
                }
            }
        });
    }

    private static void CmosFlood(AttackCode a)
    {
        a.Forever(() =>
        {
            for (var register = 0x0E; register < 0x80; register++)
            {
                a.Out8(0x70, register | 0x80);
                a.Random();
                a.C.@out(0x71, al);
                a.C.mov(edx, 0x71);
                a.C.mov(edi, Hole);
                a.C.mov(ecx, 64);
                a.C.rep.insb();
            }
        });
    }
}
