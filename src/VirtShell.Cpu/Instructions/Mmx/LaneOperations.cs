using System;

namespace VirtShell.Cpu.Instructions.Mmx;

/// <summary>Element operations of the packed integer instructions (Intel SDM vol. 2, by name).</summary>
internal static class LaneOperations
{
    public struct Add : ILane
    {
        public static int Do(int a, int b) => unchecked(a + b);
    }

    public struct Subtract : ILane
    {
        public static int Do(int a, int b) => unchecked(a - b);
    }

    public struct AddSaturated8 : ILane
    {
        public static int Do(int a, int b) => Math.Clamp((sbyte)a + (sbyte)b, sbyte.MinValue, sbyte.MaxValue);
    }

    public struct AddSaturated16 : ILane
    {
        public static int Do(int a, int b) => Math.Clamp((short)a + (short)b, short.MinValue, short.MaxValue);
    }

    public struct SubtractSaturated8 : ILane
    {
        public static int Do(int a, int b) => Math.Clamp((sbyte)a - (sbyte)b, sbyte.MinValue, sbyte.MaxValue);
    }

    public struct SubtractSaturated16 : ILane
    {
        public static int Do(int a, int b) => Math.Clamp((short)a - (short)b, short.MinValue, short.MaxValue);
    }

    public struct AddUnsigned8 : ILane
    {
        public static int Do(int a, int b) => Math.Min(a + b, byte.MaxValue);
    }

    public struct AddUnsigned16 : ILane
    {
        public static int Do(int a, int b) => Math.Min(a + b, ushort.MaxValue);
    }

    /// <summary>Unsigned saturation at zero, of any width below 32.</summary>
    public struct SubtractUnsigned : ILane
    {
        public static int Do(int a, int b) => Math.Max(a - b, 0);
    }

    public struct Equal : ILane
    {
        public static int Do(int a, int b) => a == b ? -1 : 0;
    }

    public struct Greater8 : ILane
    {
        public static int Do(int a, int b) => (sbyte)a > (sbyte)b ? -1 : 0;
    }

    public struct Greater16 : ILane
    {
        public static int Do(int a, int b) => (short)a > (short)b ? -1 : 0;
    }

    public struct Greater32 : ILane
    {
        public static int Do(int a, int b) => a > b ? -1 : 0;
    }

    /// <summary>Rounded average of unsigned elements below 32 bits.</summary>
    public struct Average : ILane
    {
        public static int Do(int a, int b) => (a + b + 1) >> 1;
    }

    public struct MinimumUnsigned : ILane
    {
        public static int Do(int a, int b) => Math.Min(a, b);
    }

    public struct MaximumUnsigned : ILane
    {
        public static int Do(int a, int b) => Math.Max(a, b);
    }

    public struct Minimum16 : ILane
    {
        public static int Do(int a, int b) => Math.Min((short)a, (short)b);
    }

    public struct Maximum16 : ILane
    {
        public static int Do(int a, int b) => Math.Max((short)a, (short)b);
    }

    public struct MultiplyLow : ILane
    {
        public static int Do(int a, int b) => (short)a * (short)b;
    }

    public struct MultiplyHigh : ILane
    {
        public static int Do(int a, int b) => ((short)a * (short)b) >> 16;
    }

    public struct MultiplyHighUnsigned : ILane
    {
        public static int Do(int a, int b) => (int)(((uint)a * (uint)b) >> 16);
    }

    public struct MultiplyHighRounded : ILane
    {
        public static int Do(int a, int b) => ((((short)a * (short)b) >> 14) + 1) >> 1;
    }

    public struct Sign8 : ILane
    {
        public static int Do(int a, int b) => (sbyte)b < 0 ? -a : b == 0 ? 0 : a;
    }

    public struct Sign16 : ILane
    {
        public static int Do(int a, int b) => (short)b < 0 ? -a : b == 0 ? 0 : a;
    }

    public struct Sign32 : ILane
    {
        public static int Do(int a, int b) => b < 0 ? unchecked(-a) : b == 0 ? 0 : a;
    }

    public struct Absolute8 : ILane
    {
        public static int Do(int a, int b) => Math.Abs((int)(sbyte)b);
    }

    public struct Absolute16 : ILane
    {
        public static int Do(int a, int b) => Math.Abs((int)(short)b);
    }

    public struct Absolute32 : ILane
    {
        public static int Do(int a, int b) => b < 0 ? unchecked(-b) : b;
    }
}
