using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>Ends. With a machine that starts again after a reset, these are loops of resets.</summary>
internal static class ResetAttacks
{
    private const uint CommandLow = 0xFEE0_0300;
    private const int InitToSelf = (5 << 8) | (1 << 14) | (1 << 18);

    public static readonly Attack[] All =
    [
        new("reset-keyboard", "A reset by the keyboard controller", AttackEnd.Reset, a => ByPort(a, 0x64, 0xFE)),
        new("reset-port-92", "A reset by system control port A", AttackEnd.Reset, a => ByPort(a, 0x92, 1)),
        new("reset-cf9", "A reset by the reset control register", AttackEnd.Reset, a => ByPort(a, 0xCF9, 6)),
        new("reset-init", "INIT sent to itself", AttackEnd.Reset, Init),
        new("crash-triple", "A triple fault at once", AttackEnd.Crash, Triple),
        new("crash-stack", "Exceptions with a stack at the top of a segment of length 0", AttackEnd.Crash, StackLimit),
        new("halt-dead", "A halt with interrupts off", AttackEnd.Halt, Dead),
        new("smi-ports", "Every value to the SMI command port and its status", AttackEnd.Never, SmiPorts),
        new("poweroff-storm", "Every sleep type but that of off, then off", AttackEnd.PowerOff, SleepTypes),
    ];

    private static void ByPort(AttackCode a, int port, int value)
    {
        a.Out8(port, value);
        a.Forever(a.C.nop);
    }

    private static void Init(AttackCode a)
    {
        a.C.mov(__dword_ptr[0xFEE0_00F0], 0x1FF);
        a.C.mov(__dword_ptr[CommandLow], InitToSelf);
        a.Forever(a.C.nop);
    }

    private static void Triple(AttackCode a)
    {
        a.Code.ForgetInterruptTable();
        a.C.ud2();
    }

    private static void StackLimit(AttackCode a)
    {
        const uint Descriptors = AttackLayout.Work;
        const int Selector = 0x38;
        var c = a.C;
        c.sgdt(__[AttackLayout.Pointer]);
        c.mov(esi, __dword_ptr[AttackLayout.Pointer + 2]);
        c.mov(edi, Descriptors);
        c.mov(ecx, 14);
        c.cld();
        c.rep.movsd();
        c.mov(__dword_ptr[Descriptors + Selector], 0);
        c.mov(__dword_ptr[Descriptors + Selector + 4], 0x0040_9300);
        a.Code.LoadTable(Descriptors, 0x3F, isIdt: false);
        c.mov(eax, Selector);
        c.mov(ss, ax);
        c.mov(esp, 0x100);
        c.ud2();
    }

    private static void Dead(AttackCode a)
    {
        a.C.cli();
        a.Forever(a.C.hlt);
    }

    private static void SmiPorts(AttackCode a)
    {
        a.Forever(() =>
        {
            for (var value = 0; value < 256; value++)
            {
                a.Out8(0xB3, value);
                a.Out8(Hardware.SmiCommand, value);
                a.C.@in(al, Hardware.SmiCommand);
                a.Fold();
            }
        });
    }

    private static void SleepTypes(AttackCode a)
    {
        for (var type = 1; type < 8; type++)
        {
            foreach (var enable in (ReadOnlySpan<int>)[0, Hardware.SleepEnable])
            {
                a.C.mov(edx, Hardware.Pm1Control);
                a.C.mov(eax, (type << 10) | enable);
                a.C.@out(dx, ax);
                a.C.@in(ax, dx);
                a.Fold();
            }
        }

        a.Finish();
    }
}
