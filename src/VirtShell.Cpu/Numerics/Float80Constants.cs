namespace VirtShell.Cpu.Numerics;

/// <summary>
/// The constants that the processor can load, rounded by rounding control from a longer internal form (Intel SDM vol. 2,
/// FLD1 and following). No exception is reported.
/// </summary>
internal static class Float80Constants
{
    /// <summary>FLDL2T: log2(10).</summary>
    public static Float80 Log2Of10(FloatRounding rounding) => Round(0x4000, 0xD49A_784B_CD1B_8AFE, false, rounding);

    /// <summary>FLDL2E: log2(e).</summary>
    public static Float80 Log2OfE(FloatRounding rounding) => Round(0x3FFF, 0xB8AA_3B29_5C17_F0BB, true, rounding);

    /// <summary>FLDPI.</summary>
    public static Float80 Pi(FloatRounding rounding) => Round(0x4000, 0xC90F_DAA2_2168_C234, true, rounding);

    /// <summary>FLDLG2: log10(2).</summary>
    public static Float80 Log10Of2(FloatRounding rounding) => Round(0x3FFD, 0x9A20_9A84_FBCF_F798, true, rounding);

    /// <summary>FLDLN2: ln(2).</summary>
    public static Float80 LnOf2(FloatRounding rounding) => Round(0x3FFE, 0xB172_17F7_D1CF_79AB, true, rounding);

    /// <summary>Each constant is inexact; <paramref name="nearestIsUp"/> tells on which side of the middle its tail lies.</summary>
    private static Float80 Round(ushort exponent, ulong truncated, bool nearestIsUp, FloatRounding rounding) =>
        new(exponent, rounding == FloatRounding.Up || (rounding == FloatRounding.NearestEven && nearestIsUp) ? truncated + 1 : truncated);
}
