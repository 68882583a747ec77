using VirtShell.Cpu;
using VirtShell.Cpu.Memory;

namespace VirtShell.Machine.Boot;

/// <summary>Sets the processor at the 32-bit or 64-bit entry of a Linux kernel, with boot_params in ESI or RSI.</summary>
internal static class LinuxEntry
{
    private const int Esp = 4;
    private const int Esi = 6;

    // Page table bits: present, writable, and large page in a page directory.
    private const ulong PresentWritable = 3;
    private const ulong LargePage = 0x80;

    /// <summary>Whether the processor model has long mode.</summary>
    public static bool HasLongMode(CpuModel model) => model is CpuModel.Qemu64 or CpuModel.X86_64_V2 or CpuModel.X86_64_V3;

    public static void Enter64(Vcpu cpu, PhysicalMemory memory, ulong entry)
    {
        FlatGdt.Write(memory, BootArea.Gdt, longMode: true);
        WriteIdentityMap(memory);
        cpu.EnterLong64(entry, BootArea.PageTables, FlatGdt.CodeSelector, FlatGdt.DataSelector, BootArea.Gdt, FlatGdt.Limit);
        SetRegisters(cpu);
    }

    public static void Enter32(Vcpu cpu, PhysicalMemory memory, uint entry)
    {
        FlatGdt.Write(memory, BootArea.Gdt, longMode: false);
        cpu.EnterFlat32(entry, FlatGdt.CodeSelector, FlatGdt.DataSelector, BootArea.Gdt, FlatGdt.Limit);
        SetRegisters(cpu);
    }

    private static void SetRegisters(Vcpu cpu)
    {
        cpu.SetRegister(Esi, BootArea.BootParams);
        cpu.SetRegister(Esp, BootArea.StackTop);
    }

    // Four gibibytes in 2 MiB pages: a PML4, a PDPT and four page directories.
    private static void WriteIdentityMap(PhysicalMemory memory)
    {
        const ulong pdpt = BootArea.PageTables + PhysicalMemory.PageSize;
        memory.WriteUInt64(BootArea.PageTables, pdpt | PresentWritable);
        for (ulong gib = 0; gib < 4; gib++)
        {
            ulong directory = pdpt + ((gib + 1) * PhysicalMemory.PageSize);
            memory.WriteUInt64(pdpt + (gib * 8), directory | PresentWritable);
            for (ulong entry = 0; entry < 512; entry++)
            {
                memory.WriteUInt64(directory + (entry * 8), (gib << 30) | (entry << 21) | LargePage | PresentWritable);
            }
        }
    }
}
