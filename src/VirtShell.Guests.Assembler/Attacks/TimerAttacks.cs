using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>Timers that are as fast as they can be, and timers that are set for ever.</summary>
internal static class TimerAttacks
{
    private const uint LocalApic = 0xFEE0_0000;
    private const uint Spurious = LocalApic + 0xF0;
    private const uint TimerVector = LocalApic + 0x320;
    private const uint InitialCount = LocalApic + 0x380;
    private const uint Divide = LocalApic + 0x3E0;
    private const uint Deadline = 0x6E0;
    private const int Periodic = 1 << 17;
    private const int DeadlineMode = 2 << 17;
    private const int Vector = 0x50;
    private const int RtcIndex = 0x70;
    private const int RtcData = 0x71;

    public static readonly Attack[] All =
    [
        new("timer-lapic", "The local APIC's timer with count 1 and divisor 1", AttackEnd.Never, a => Wait(a, Lapic)),
        new("timer-pit", "The 8254 in mode 2 with the smallest count", AttackEnd.Never, a => Wait(a, Pit)),
        new("timer-rtc", "The clock's periodic interrupt at 8 kHz, acknowledged each time", AttackEnd.Never, a => Wait(a, Rtc)),
        new("timer-all", "All of them at once", AttackEnd.Never, a => Wait(a, Pit, Rtc, Lapic)),
        new("timer-rtc-alarm", "An alarm that matches never, set anew for ever", AttackEnd.Never, Alarm),
        new("timer-rtc-date", "Random dates and times, and settings of every kind", AttackEnd.Never, Date),
        new("timer-deadline", "TSC deadlines in the past, now, and at the end of time", AttackEnd.Never, Deadlines),
        new("timer-pit-modes", "The 8254's channels in every mode, loaded and latched without end", AttackEnd.Never, PitModes),
        new("timer-pm", "The power management timer read, its overflow asked for, ACPI switched on and off", AttackEnd.Never, PowerManagement),
        new("timer-lapic-storm", "Random values in every register of the local APIC", AttackEnd.Never, LapicStorm),
    ];

    private static void Wait(AttackCode a, params ReadOnlySpan<Action<AttackCode>> timers)
    {
        foreach (var timer in timers)
        {
            timer(a);
        }

        a.C.sti();
        a.Forever(a.C.hlt);
    }

    private static void Lapic(AttackCode a)
    {
        a.C.mov(__dword_ptr[Spurious], 0x1FF);
        a.C.mov(__dword_ptr[Divide], 0x0B);
        a.C.mov(__dword_ptr[TimerVector], Vector | Periodic);
        a.C.mov(__dword_ptr[InitialCount], 1);
    }

    private static void Pit(AttackCode a)
    {
        a.Out8(Hardware.PitCommand, 0x34);
        a.Out8(Hardware.PitChannel0, 1);
        a.Out8(Hardware.PitChannel0, 0);
        a.Out8(Hardware.PitCommand, 0x34);
        a.Out8(Hardware.PitChannel0, 2);
        a.Out8(Hardware.PitChannel0, 0);
        a.Out8(Hardware.Pic1Data, 0);
    }

    private static void Rtc(AttackCode a)
    {
        var handler = a.Code.NewSpot();
        var over = a.Code.NewSpot();
        a.C.jmp(over.Label);
        a.Code.Place(handler);
        a.C.pushad();
        a.Out8(RtcIndex, 0x0C);
        a.C.@in(al, RtcData);
        a.C.inc(__dword_ptr[AttackLayout.Interrupts]);
        a.Out8(Hardware.Pic2Command, Hardware.PicEndOfInterrupt);
        a.Out8(Hardware.Pic1Command, Hardware.PicEndOfInterrupt);
        a.C.popad();
        a.C.iretd();
        a.Code.Place(over);
        a.SetGate(Hardware.IrqBase + 8, handler);
        SetRtc(a, 0x0A, 0x23);
        SetRtc(a, 0x0B, 0x72);
        a.Out8(Hardware.Pic1Data, 0);
        a.Out8(Hardware.Pic2Data, 0);
    }

    private static void Alarm(AttackCode a)
    {
        SetRtc(a, 0x0B, 0x22);
        a.Forever(() =>
        {
            SetRtc(a, 0x01, 0x99);
            SetRtc(a, 0x03, 0x7F);
            SetRtc(a, 0x05, 0x31);
        });
    }

    private static void Date(AttackCode a)
    {
        a.Forever(() =>
        {
            for (var register = 0; register < 0x40; register++)
            {
                // No value stops the clock for longer than the next one.
                a.Out8(RtcIndex, register);
                a.Random();
                a.C.@out(RtcData, al);
                a.C.@in(al, RtcData);
                a.Fold();
            }
        });
    }

    private static void Deadlines(AttackCode a)
    {
        a.C.mov(__dword_ptr[Spurious], 0x1FF);
        a.C.mov(__dword_ptr[TimerVector], Vector | DeadlineMode);
        a.C.sti();
        a.Forever(() =>
        {
            a.WriteMsr(Deadline, 1);
            a.C.rdtsc();
            a.C.mov(ecx, Deadline);
            a.C.wrmsr();
            a.C.rdtsc();
            a.C.inc(eax);
            a.C.mov(ecx, Deadline);
            a.C.wrmsr();
            a.WriteMsr(Deadline, 0xFFFF_FFFF, 0xFFFF_FFFF);
            a.WriteMsr(Deadline, 0, 0x8000_0000);
            a.WriteMsr(Deadline, 0);
        });
    }

    private static void PitModes(AttackCode a)
    {
        a.Out8(Hardware.Pic1Data, 0);
        a.C.sti();
        a.Forever(() =>
        {
            for (var channel = 0; channel < 3; channel++)
            {
                for (var mode = 0; mode < 8; mode++)
                {
                    foreach (var count in (ReadOnlySpan<int>)[0, 1, 2, 0xFF])
                    {
                        a.Out8(Hardware.PitCommand, (channel << 6) | 0x30 | (mode << 1) | (count & 1));
                        a.Out8(Hardware.PitChannel0 + channel, count);
                        a.Out8(Hardware.PitChannel0 + channel, 0);
                        a.Out8(Hardware.PitCommand, 0xC0 | (2 << channel));
                        a.C.@in(al, (byte)(Hardware.PitChannel0 + channel));
                        a.Out8(0x61, count);
                    }
                }
            }
        });
    }

    private static void PowerManagement(AttackCode a)
    {
        a.Out8(Hardware.Pic1Data, 0);
        a.Out8(Hardware.Pic2Data, 0);
        a.C.sti();
        a.Forever(() =>
        {
            a.Out8(Hardware.SmiCommand, Hardware.AcpiEnable);
            a.C.mov(edx, Hardware.Pm1Enable);
            a.C.mov(eax, 0xFFFF);
            a.C.@out(dx, ax);
            a.C.mov(edx, Hardware.Pm1Status);
            a.C.@out(dx, ax);
            a.C.mov(edx, Hardware.Pm1Status + 8);
            for (var i = 0; i < 32; i++)
            {
                a.C.@in(eax, dx);
            }

            a.Fold();
            a.C.hlt();
            a.Out8(Hardware.SmiCommand, Hardware.AcpiEnable - 1);
        });
    }

    private static void LapicStorm(AttackCode a)
    {
        a.C.sti();
        a.Forever(() =>
        {
            for (var register = 0u; register < 0x400; register += 0x10)
            {
                // The command register would reset the machine sooner or later.
                if (register != 0x300)
                {
                    a.Random();
                    a.C.mov(__dword_ptr[LocalApic + register], eax);
                    a.C.mov(eax, __dword_ptr[LocalApic + register]);
                    a.Fold();
                }
            }
        });
    }

    private static void SetRtc(AttackCode a, int register, int value)
    {
        a.Out8(RtcIndex, register);
        a.Out8(RtcData, value);
    }
}
