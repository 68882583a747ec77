using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Programs;

/// <summary>
/// Writes three patterns to each I/O port and reads it, in bytes, words and doublewords, except where an access would
/// touch a port that ends or resets the machine, or (writes only) the console that reports the result. The patterns
/// have bit 31 clear, so that no PCI configuration cycle is started through CF8h/CFCh and the machine's own ports stay
/// where they are.
/// </summary>
internal sealed class PortStorm : IGuestProgram
{
    private const int PortCount = 0x1_0000;

    /// <summary>First and last port of each range left alone.</summary>
    private static readonly (int First, int Last)[] s_excluded =
    [
        (0x64, 0x64), // 8042 command: F0h-FFh pulse the reset line
        (0x92, 0x92), // system control port A: bit 0 resets
        (Hardware.Com1, Hardware.Com1 + 7),
        (Hardware.DebugExit, Hardware.DebugExit), // debug exit
        (Hardware.Pm1Control, Hardware.Pm1Control + 1),
        (0xCF9, 0xCF9), // reset control
    ];

    private static readonly int[] s_patterns = [0, 0x5A5A_5A5A, 0x7FFF_FFFF];

    public string Name => "port-storm";

    public string Description => "Writes and reads every I/O port in three sizes (but those that end the machine), then powers off.";

    public void Emit(GuestCode code)
    {
        var c = code.Asm;
        code.Begin();
        code.Print("Port storm\r\n");
        c.xor(ebp, ebp); // accesses made
        foreach (var size in (ReadOnlySpan<int>)[1, 2, 4])
        {
            EmitStorm(code, size);
        }

        // The storm may have moved the console's UART through nothing that it wrote, but be sure.
        code.Call(Routine.SerialInit);
        code.Print("accesses ");
        c.mov(eax, ebp);
        code.Call(Routine.PutDecimal);
        code.Print("\r\n");
        code.PowerOff();
    }

    private static void EmitStorm(GuestCode code, int size)
    {
        var c = code.Asm;
        var skip = code.NewSpot();
        c.xor(ebx, ebx);
        var next = code.Here();
        foreach (var (first, last) in s_excluded)
        {
            // An access of this size at EBX touches the range when first-size < EBX <= last.
            var outside = code.NewSpot();
            c.cmp(ebx, first - size + 1);
            c.jb(outside.Label);
            c.cmp(ebx, last);
            c.jbe(skip.Label);
            code.Place(outside);
        }

        c.mov(edx, ebx);
        foreach (var pattern in s_patterns)
        {
            c.mov(eax, pattern);
            switch (size)
            {
                case 1:
                    c.@out(dx, al);
                    break;
                case 2:
                    c.@out(dx, ax);
                    break;
                default:
                    c.@out(dx, eax);
                    break;
            }
        }

        switch (size)
        {
            case 1:
                c.@in(al, dx);
                break;
            case 2:
                c.@in(ax, dx);
                break;
            default:
                c.@in(eax, dx);
                break;
        }

        c.add(ebp, s_patterns.Length + 1);
        code.Place(skip);
        c.inc(ebx);
        c.cmp(ebx, PortCount - size + 1);
        c.jb(next.Label);
    }
}
