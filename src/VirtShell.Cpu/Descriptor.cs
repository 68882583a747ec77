namespace VirtShell.Cpu;

/// <summary>A segment, system or gate descriptor as read from a table (SDM Vol. 3A §3.4.5, §3.5, §5.8.3, §6.14.1).</summary>
/// <param name="Low">First eight bytes.</param>
/// <param name="High">Second eight bytes of a 16-byte descriptor; 0 otherwise.</param>
/// <param name="Address">Linear address it was read from.</param>
internal readonly record struct Descriptor(ulong Low, ulong High, ulong Address)
{
    // System descriptor types (SDM Vol. 3A table 3-2).
    public const int Tss16Available = 1;
    public const int Ldt = 2;
    public const int Tss16Busy = 3;
    public const int CallGate16 = 4;
    public const int TaskGate = 5;
    public const int InterruptGate16 = 6;
    public const int TrapGate16 = 7;
    public const int Tss32Available = 9;
    public const int Tss32Busy = 11;
    public const int CallGate32 = 12;
    public const int InterruptGate32 = 14;
    public const int TrapGate32 = 15;

    /// <summary>As <see cref="SegmentRegister.Attributes"/>.</summary>
    public uint Attributes => (uint)(Low >> 40) & 0xF0FF;

    public int Type => (int)(Low >> 40) & 15;

    public int Dpl => (int)(Low >> 45) & 3;

    public bool IsPresent => (Low & (1UL << 47)) != 0;

    public bool IsSystem => (Low & (1UL << 44)) == 0;

    public bool IsCode => !IsSystem && (Type & 8) != 0;

    public bool IsConforming => (Type & 12) == 12;

    public bool IsWritableData => !IsSystem && (Type & 10) == 2;

    public bool IsReadable => !IsSystem && ((Type & 8) == 0 || (Type & 2) != 0);

    public bool IsLong => (Low & (1UL << 53)) != 0;

    public bool IsBig => (Low & (1UL << 54)) != 0;

    /// <summary>Segment base; 64 bits for a 16-byte descriptor.</summary>
    public ulong Base => ((Low >> 16) & 0xFF_FFFF) | ((Low >> 32) & 0xFF00_0000) | (High << 32);

    /// <summary>Limit in bytes, scaled.</summary>
    public uint Limit
    {
        get
        {
            uint limit = (uint)(Low & 0xFFFF) | ((uint)(Low >> 32) & 0xF_0000);
            return (Low & (1UL << 55)) != 0 ? (limit << 12) | 0xFFF : limit;
        }
    }

    /// <summary>Selector of a gate's target.</summary>
    public ushort GateSelector => (ushort)(Low >> 16);

    /// <summary>Offset of a gate's target; 16-bit gates have 16 bits of it.</summary>
    public ulong GateOffset => (Low & 0xFFFF) | ((Type & 8) != 0 ? ((Low >> 32) & 0xFFFF_0000) | (High << 32) : 0);

    /// <summary>Words or doublewords that a call gate copies.</summary>
    public int GateParameters => (int)(Low >> 32) & 31;

    /// <summary>Interrupt stack table index of a 64-bit gate.</summary>
    public int GateStackTable => (int)(Low >> 32) & 7;
}
