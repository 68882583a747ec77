using System.Runtime.CompilerServices;

namespace VirtShell.Cpu.Instructions.Mmx;

/// <summary>destination = Do(destination, source) on 64 bits.</summary>
internal interface IMmxOperation
{
    static abstract ulong Do(ulong a, ulong b);
}

/// <summary>One element of a packed operation. Elements come zero-extended; the result is truncated to the element.</summary>
internal interface ILane
{
    static abstract int Do(int a, int b);
}

/// <summary>Applies an element operation to eight bytes.</summary>
internal readonly struct Bytes<TLane> : IMmxOperation
    where TLane : struct, ILane
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Do(ulong a, ulong b)
    {
        ulong result = 0;
        for (int shift = 0; shift < 64; shift += 8)
        {
            result |= (ulong)(byte)TLane.Do((byte)(a >> shift), (byte)(b >> shift)) << shift;
        }

        return result;
    }
}

/// <summary>Applies an element operation to four words.</summary>
internal readonly struct Words<TLane> : IMmxOperation
    where TLane : struct, ILane
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Do(ulong a, ulong b)
    {
        ulong result = 0;
        for (int shift = 0; shift < 64; shift += 16)
        {
            result |= (ulong)(ushort)TLane.Do((ushort)(a >> shift), (ushort)(b >> shift)) << shift;
        }

        return result;
    }
}

/// <summary>Applies an element operation to two doublewords.</summary>
internal readonly struct Doubles<TLane> : IMmxOperation
    where TLane : struct, ILane
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Do(ulong a, ulong b)
    {
        uint low = (uint)TLane.Do((int)(uint)a, (int)(uint)b);
        uint high = (uint)TLane.Do((int)(uint)(a >> 32), (int)(uint)(b >> 32));
        return low | ((ulong)high << 32);
    }
}
