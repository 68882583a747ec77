using System;
using System.Collections.Generic;
using System.IO;
using Iced.Intel;
using VirtShell.Cpu;
using VirtShell.Cpu.Memory;
using static Iced.Intel.AssemblerRegisters;
using static VirtShell.Bench.Loops.LoopBootSector;

namespace VirtShell.Bench.Loops;

/// <summary>
/// All loops as a floppy disk that a PC's BIOS boots, and as the same bytes loaded into a bare processor. A boot sector
/// loads the code, maps 64 MiB by large pages, enters 64-bit mode and runs the loops one after the other; each tells its
/// begin and its end by a byte on port E9h. Interrupts are off throughout.
/// </summary>
internal static class LoopImage
{
    /// <summary>The byte that tells the begin of the first loop; the next ones follow.</summary>
    public const byte FirstBegin = 0xC0;

    /// <summary>The byte that tells the end of the first loop; the next ones follow.</summary>
    public const byte FirstEnd = 0xD0;

    /// <summary>The byte that tells that all are through.</summary>
    public const byte Done = 0xE0;

    private const int FloppyBytes = 1_474_560;
    private const byte DebugPort = 0xE9;

    /// <summary>The disk, with the loops' rounds in percent of the normal ones.</summary>
    public static byte[] Floppy(int percent)
    {
        byte[] image = new byte[FloppyBytes];
        byte[] main = Main(percent);
        if (main.Length > Sectors * SectorBytes)
        {
            throw new InvalidOperationException($"The loops do not fit: {main.Length} bytes.");
        }

        LoopBootSector.Build().CopyTo(image, 0);
        main.CopyTo(image, SectorBytes);
        return image;
    }

    /// <summary>Loads the same code into a processor, in the state in which the boot sector enters it.</summary>
    public static void Load(Vcpu cpu, PhysicalMemory memory, int percent)
    {
        memory.Write(MainAddress, Main(percent));
        memory.WriteUInt64(PageMap, PageDirectories | PageFlags);
        memory.WriteUInt64(PageDirectories, PageDirectory | PageFlags);
        for (ulong i = 0; i < LargePages; i++)
        {
            memory.WriteUInt64(PageDirectory + (i * 8), (i << LargePageShift) | LargePageFlags);
        }

        cpu.EnterLong64(MainAddress, PageMap, CodeSelector, DataSelector, 0, 0);
    }

    private static byte[] Main(int percent)
    {
        Assembler a = new(64);
        List<Label> loops = [];
        a.mov(rsp, LoopPrograms.StackTop);
        for (int i = 0; i < LoopPrograms.All.Count; i++)
        {
            Label loop = a.CreateLabel();
            loops.Add(loop);
            Clear(a);
            a.mov(r15, Math.Max(1, LoopPrograms.All[i].Rounds * percent / 100));
            Tell(a, (byte)(FirstBegin + i));
            a.xor(eax, eax);
            a.call(loop);
            Tell(a, (byte)(FirstEnd + i));
        }

        Tell(a, Done);
        Label halt = a.CreateLabel();
        a.Label(ref halt);
        a.hlt();
        a.jmp(halt);
        for (int i = 0; i < loops.Count; i++)
        {
            Label loop = loops[i];
            a.Label(ref loop);

            // The assembler takes one label for an instruction, and a loop begins with its own.
            a.nop();
            LoopPrograms.All[i].Emit(a);
        }

        return Assemble(a, MainAddress);
    }

    private static void Clear(Assembler a)
    {
        foreach (AssemblerRegister32 register in (AssemblerRegister32[])[eax, ebx, ecx, edx, esi, edi, r8d])
        {
            a.xor(register, register);
        }
    }

    private static void Tell(Assembler a, byte what)
    {
        a.mov(al, what);
        a.@out(DebugPort, al);
    }

    private static byte[] Assemble(Assembler a, ulong address)
    {
        using MemoryStream output = new();
        a.Assemble(new StreamCodeWriter(output), address);
        return output.ToArray();
    }
}
