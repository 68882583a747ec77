namespace VirtShell.Cpu.Instructions.Mmx;

/// <summary>Enters every handler on MMX registers, but for the conversions from and to packed floating point, which are SSE's.</summary>
internal static class MmxHandlers
{
    public static void Register()
    {
        PackedHandlers.Register();
        MmxMoveHandlers.Register();
    }
}
