using System;
using System.Runtime.InteropServices;
using Iced.Intel;

namespace VirtShell.Cpu.Decoding;

/// <summary>Where each of Iced's registers stands: byte offsets into <see cref="CpuState"/>, or plain numbers for segment, control, debug and x87 registers.</summary>
internal static class Registers
{
    public static readonly ushort Zero = (ushort)Marshal.OffsetOf<CpuState>(nameof(CpuState.Zero));
    public static readonly ushort RipBase = (ushort)Marshal.OffsetOf<CpuState>(nameof(CpuState.RipBase));
    public static readonly int Fpr = (int)Marshal.OffsetOf<CpuState>(nameof(CpuState.Fpr));
    private static readonly ushort[] s_places = Build();

    public static ushort Place(Register register) => s_places[(int)register];

    private static ushort[] Build()
    {
        ushort[] places = new ushort[Enum.GetValues<Register>().Length];
        Array.Fill(places, Zero);
        for (int i = 0; i < 16; i++)
        {
            places[(int)Register.RAX + i] = (ushort)(i * 8);
            places[(int)Register.EAX + i] = (ushort)(i * 8);
            places[(int)Register.AX + i] = (ushort)(i * 8);
            places[(int)Register.XMM0 + i] = (ushort)(CpuState.VectorOffset + (i * 32));
            places[(int)Register.YMM0 + i] = (ushort)(CpuState.VectorOffset + (i * 32));
            places[(int)Register.CR0 + i] = (ushort)i;
            places[(int)Register.DR0 + i] = (ushort)i;
        }

        for (int i = 0; i < 4; i++)
        {
            places[(int)Register.AL + i] = (ushort)(i * 8);
            places[(int)Register.AH + i] = (ushort)((i * 8) + 1);
        }

        // SPL, BPL, SIL, DIL, R8L… follow BH in Iced's list.
        for (int i = 4; i < 16; i++)
        {
            places[(int)Register.SPL + i - 4] = (ushort)(i * 8);
        }

        for (int i = 0; i < 8; i++)
        {
            places[(int)Register.MM0 + i] = (ushort)(Fpr + (i * 16));
            places[(int)Register.ST0 + i] = (ushort)i;
        }

        for (int i = 0; i < 6; i++)
        {
            places[(int)Register.ES + i] = (ushort)i;
        }

        return places;
    }
}
