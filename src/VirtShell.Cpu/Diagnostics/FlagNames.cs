using System.Collections.Generic;

namespace VirtShell.Cpu.Diagnostics;

/// <summary>RFLAGS as people read them.</summary>
internal static class FlagNames
{
    private static readonly (uint Bit, string Name)[] s_names =
    [
        (Flags.Carry, "CF"), (Flags.Parity, "PF"), (Flags.Adjust, "AF"), (Flags.Zero, "ZF"), (Flags.Sign, "SF"), (Flags.Trap, "TF"),
        (Flags.Interrupt, "IF"), (Flags.Direction, "DF"), (Flags.Overflow, "OF"), (Flags.NestedTask, "NT"), (Flags.Resume, "RF"),
        (Flags.Virtual8086, "VM"), (Flags.AlignmentCheck, "AC"), (Flags.VirtualInterrupt, "VIF"), (Flags.VirtualInterruptPending, "VIP"),
        (Flags.Identification, "ID"),
    ];

    public static string Of(uint flags)
    {
        List<string> set = [];
        foreach ((uint bit, string name) in s_names)
        {
            if ((flags & bit) != 0)
            {
                set.Add(name);
            }
        }

        set.Add($"IOPL={(flags & Flags.IoplMask) >> Flags.IoplShift}");
        return string.Join(' ', set);
    }
}
