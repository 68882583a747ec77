using VirtShell.State;

namespace VirtShell.Cpu;

/// <summary>Indexes of <see cref="CpuState"/>'s segment registers, in the order of the instruction encoding (SDM Vol. 2A §2.1.5), then ours.</summary>
public static class SegmentIndex
{
    public const int Es = 0;
    public const int Cs = 1;
    public const int Ss = 2;
    public const int Ds = 3;
    public const int Fs = 4;
    public const int Gs = 5;

    /// <summary>FS as 64-bit mode sees it: its base, no limit.</summary>
    public const int Fs64 = 6;

    /// <summary>GS as 64-bit mode sees it: its base, no limit.</summary>
    public const int Gs64 = 7;

    /// <summary>Base 0, no limit: what 64-bit mode makes of ES, CS, SS and DS.</summary>
    public const int Flat = 8;

    public const int Ldtr = 9;
    public const int Tr = 10;
    public const int Count = 11;
}

/// <summary>
/// A segment register with its cached descriptor. <see cref="ReadEnd"/> and <see cref="WriteEnd"/> are the fast check:
/// an access of n bytes at offset o is fine when o + n does not exceed them; whatever fails goes to the exact check.
/// </summary>
public struct SegmentRegister
{
    // Attribute bits: the descriptor's bytes 5 and 6 with the limit nibble cleared, as VMX access rights have them (SDM Vol. 3C §25.4.1).
    public const uint TypeMask = 0xF;
    public const uint Accessed = 1;
    public const uint WritableOrReadable = 2;
    public const uint ExpandDownOrConforming = 4;
    public const uint Executable = 8;
    public const uint CodeOrData = 1 << 4;
    public const int DplShift = 5;
    public const uint Present = 1 << 7;
    public const uint Long = 1 << 13;
    public const uint Big = 1 << 14;
    public const uint Granularity = 1 << 15;

    /// <summary>The register holds a null selector: no access through it (outside 64-bit mode).</summary>
    public const uint Unusable = 1 << 16;

    public ulong Base;
    [NotState("Follows from limit and attributes.")]
    public ulong ReadEnd;
    [NotState("Follows from limit and attributes.")]
    public ulong WriteEnd;

    /// <summary>Limit in bytes, scaled by the granularity bit, inclusive.</summary>
    public uint Limit;
    public uint Attributes;
    public ushort Selector;

    public readonly int Dpl => (int)(Attributes >> DplShift) & 3;

    public readonly bool IsUsable => (Attributes & Unusable) == 0;

    /// <summary>Recomputes the fast-check fields after a change of limit or attributes.</summary>
    public void UpdateEnds()
    {
        ReadEnd = 0;
        WriteEnd = 0;
        uint a = Attributes;
        bool code = (a & Executable) != 0;
        bool expandDown = !code && (a & ExpandDownOrConforming) != 0;
        if ((a & (Unusable | CodeOrData | Present)) != (CodeOrData | Present) || expandDown)
        {
            return;
        }

        ulong end = (ulong)Limit + 1;
        ReadEnd = !code || (a & WritableOrReadable) != 0 ? end : 0;
        WriteEnd = !code && (a & WritableOrReadable) != 0 ? end : 0;
    }
}
