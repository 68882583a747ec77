using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>Interrupts that a guest sends itself, and controllers set up without sense.</summary>
internal static class InterruptAttacks
{
    private const uint LocalApic = 0xFEE0_0000;
    private const uint CommandLow = LocalApic + 0x300;
    private const uint CommandHigh = LocalApic + 0x310;
    private const uint ApicBase = 0x1B;
    private const uint X2ApicSelf = 0x83F;
    private const uint X2ApicCommand = 0x830;
    private const int ToSelf = 1 << 18;
    private const int ToAll = 2 << 18;
    private const int Nmi = 4 << 8;

    public static readonly Attack[] All =
    [
        new("ipi-self", "Every vector sent to itself, by shorthand and by number", AttackEnd.Never, Self),
        new("ipi-commands", "Random interrupt commands but INIT", AttackEnd.Never, Commands),
        new("ipi-x2apic", "Self-IPIs through MSRs, and the APIC switched between its modes", AttackEnd.Never, X2Apic),
        new("ipi-nested", "A handler that interrupts itself before it returns", AttackEnd.Never, Nested),
        new("nmi-flood", "NMIs to itself within NMIs", AttackEnd.Never, NmiFlood),
        new("apic-base", "The local APIC moved over RAM, over devices and out of sight", AttackEnd.Never, MoveApic),
        new("pic-storm", "Both 8259s initialised, rotated, polled and acknowledged at random", AttackEnd.Never, PicStorm),
        new("hlt-storm", "A halt that every tick of a fast timer ends", AttackEnd.Never, HaltStorm),
        new("sti-storm", "Interrupts switched on and off with one always waiting", AttackEnd.Never, StiStorm),
    ];

    private static void Self(AttackCode a)
    {
        Enable(a);
        a.C.sti();
        a.Forever(() =>
        {
            a.C.xor(ebx, ebx);
            var next = a.Code.Here();
            a.C.mov(eax, ebx);
            a.C.or(eax, ToSelf);
            a.C.mov(__dword_ptr[CommandLow], eax);
            a.C.mov(__dword_ptr[CommandHigh], 0);
            a.C.mov(__dword_ptr[CommandLow], ebx);
            a.C.or(ebx, ToAll);
            a.C.mov(__dword_ptr[CommandLow], ebx);
            a.C.and(ebx, 0xFF);
            a.C.inc(ebx);
            a.C.cmp(ebx, 256);
            a.C.jb(next.Label);
        });
    }

    private static void Commands(AttackCode a)
    {
        Enable(a);
        a.C.sti();
        a.Forever(() =>
        {
            a.Random();
            a.C.mov(__dword_ptr[CommandHigh], eax);
            a.Random();

            // Without bits 8 and 10 together there is neither INIT nor start-up.
            a.C.and(eax, ~0x300);
            a.C.mov(__dword_ptr[CommandLow], eax);
            a.C.mov(eax, __dword_ptr[CommandLow]);
            a.Fold();
        });
    }

    private static void X2Apic(AttackCode a)
    {
        Enable(a);
        a.C.sti();
        a.Forever(() =>
        {
            a.Guarded(() => a.WriteMsr(ApicBase, 0xFEE0_0D00));
            for (var vector = 0x30u; vector < 0x38; vector++)
            {
                var sent = vector;
                a.Guarded(() => a.WriteMsr(X2ApicSelf, sent));
                a.Guarded(() => a.WriteMsr(X2ApicCommand, sent | ToAll, 0xFFFF_FFFF));
                a.Guarded(() => a.WriteMsr(0x80B, 0));
                a.Guarded(() => a.WriteMsr(0x80B, 1));
            }

            a.Guarded(() => a.WriteMsr(ApicBase, 0xFEE0_0900));
            a.Guarded(() => a.WriteMsr(ApicBase, 0xFEE0_0500));
            a.Guarded(() => a.WriteMsr(ApicBase, 0xFEE0_0100));
            a.Guarded(() => a.WriteMsr(ApicBase, 0xFEE0_0900));
            Enable(a);
        });
    }

    private static void Nested(AttackCode a)
    {
        const int Vector = 0x40;
        var c = a.C;
        var handler = a.Code.NewSpot();
        a.SetGate(Vector, handler);
        Enable(a);
        c.sti();
        a.Forever(() => c.mov(__dword_ptr[CommandLow], Vector | ToSelf));
        a.Code.Place(handler);
        c.mov(__dword_ptr[LocalApic + 0xB0], 0);
        c.mov(__dword_ptr[CommandLow], Vector | ToSelf);

        // The stack would run through all of RAM.
        var deep = a.Code.NewSpot();
        c.cmp(esp, Layout.StackTop - 0x4000);
        c.ja(deep.Label);
        c.mov(esp, Layout.StackTop);
        a.Code.Place(deep);
        c.sti();
        c.nop();
        var rest = a.Code.Here();
        c.jmp(rest.Label);
    }

    private static void NmiFlood(AttackCode a)
    {
        var c = a.C;
        var handler = a.Code.NewSpot();
        a.SetGate(2, handler);
        Enable(a);
        a.Forever(() =>
        {
            c.mov(__dword_ptr[CommandLow], Nmi | ToSelf);
            c.mov(__dword_ptr[CommandLow], Nmi | ToSelf);
        });
        a.Code.Place(handler);
        c.mov(__dword_ptr[CommandLow], Nmi | ToSelf);
        c.inc(__dword_ptr[AttackLayout.Interrupts]);
        c.iretd();
    }

    private static void MoveApic(AttackCode a)
    {
        a.Forever(() =>
        {
            foreach (var place in (ReadOnlySpan<uint>)[AttackLayout.Work, 0xFEC0_0000, 0xE000_0000, 0xFFFF_F000, 0, 0xA_0000, 0xFEE0_0000])
            {
                a.Guarded(() =>
                {
                    a.WriteMsr(ApicBase, place | 0x900);
                    a.C.mov(eax, __dword_ptr[place + 0x30]);
                    a.Fold();
                    a.C.mov(__dword_ptr[place + 0x80], eax);
                });
                a.Guarded(() => a.WriteMsr(ApicBase, place | 0x900, 0xF));
                a.Guarded(() => a.WriteMsr(ApicBase, place | 0x900, 0xFFFF_FFFF));
            }
        });
    }

    private static void PicStorm(AttackCode a)
    {
        a.Out8(Hardware.PitCommand, 0x34);
        a.Out8(Hardware.PitChannel0, 20);
        a.Out8(Hardware.PitChannel0, 0);
        a.C.sti();
        a.Forever(() =>
        {
            foreach (var pic in (ReadOnlySpan<int>)[Hardware.Pic1Command, Hardware.Pic2Command])
            {
                for (var i = 0; i < 4; i++)
                {
                    a.Random();
                    a.C.@out((byte)pic, al);
                    a.C.@in(al, (byte)pic);
                    a.Random();
                    a.C.@out((byte)(pic + 1), al);
                    a.C.@in(al, (byte)(pic + 1));
                    a.Fold();
                }
            }

            a.Random();
            a.C.mov(edx, 0x4D0);
            a.C.@out(dx, ax);

            // Vectors of exceptions have handlers that return nowhere: back to a setting of ours.
            a.C.cli();
            a.Code.Call(Routine.InterruptInit);
            a.Out8(Hardware.Pic1Data, 0);
            a.C.sti();
        });
    }

    private static void HaltStorm(AttackCode a)
    {
        Enable(a);
        a.C.mov(__dword_ptr[LocalApic + 0x3E0], 0x0B);
        a.C.mov(__dword_ptr[LocalApic + 0x320], 0x50 | (1 << 17));
        a.C.mov(__dword_ptr[LocalApic + 0x380], 3);
        a.Forever(() =>
        {
            a.C.sti();
            a.C.hlt();
            a.C.cli();
        });
    }

    private static void StiStorm(AttackCode a)
    {
        Enable(a);
        a.Forever(() =>
        {
            a.C.mov(__dword_ptr[CommandLow], 0x51 | ToSelf);
            for (var i = 0; i < 8; i++)
            {
                a.C.sti();
                a.C.cli();
                a.C.pushfd();
                a.C.sti();
                a.C.popfd();
                a.C.mov(eax, (int)Layout.DataSelector);
                a.C.sti();
                a.C.mov(ss, ax);
                a.C.mov(ss, ax);
                a.C.nop();
                a.C.cli();
            }
        });
    }

    private static void Enable(AttackCode a) => a.C.mov(__dword_ptr[LocalApic + 0xF0], 0x1FF);
}
