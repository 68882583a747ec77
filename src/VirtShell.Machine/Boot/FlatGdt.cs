using VirtShell.Cpu.Memory;

namespace VirtShell.Machine.Boot;

/// <summary>The descriptor table that direct boot hands over: flat code at 10h and data at 18h, as the Linux boot protocol asks (32-bit and 64-bit boot protocol).</summary>
internal static class FlatGdt
{
    public const ushort CodeSelector = 0x10;
    public const ushort DataSelector = 0x18;
    public const ushort Limit = 0x1F;
    private const ulong Code32 = 0x00CF_9A00_0000_FFFF;
    private const ulong Code64 = 0x00AF_9A00_0000_FFFF;
    private const ulong Data = 0x00CF_9200_0000_FFFF;

    public static void Write(PhysicalMemory memory, ulong address, bool longMode)
    {
        memory.WriteUInt64(address, 0);
        memory.WriteUInt64(address + 8, 0);
        memory.WriteUInt64(address + CodeSelector, longMode ? Code64 : Code32);
        memory.WriteUInt64(address + DataSelector, Data);
    }
}
