using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using Iced.Intel;
using VirtShell.Cpu;
using VirtShell.Cpu.Memory;
using static Iced.Intel.AssemblerRegisters;

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

    private const int SectorBytes = 512;

    // What one read of a track gives behind the boot sector.
    private const int Sectors = 17;
    private const int FloppyBytes = 1_474_560;
    private const ulong BootAddress = 0x7C00;
    private const ulong MainAddress = 0x8000;
    private const uint PageMap = 0x1000;
    private const uint PageDirectories = 0x2000;
    private const uint PageDirectory = 0x3000;
    private const int PageFlags = 0x03;
    private const int LargePageFlags = 0x83;
    private const int LargePages = 32;
    private const int LargePageShift = 21;
    private const ushort CodeSelector = 8;
    private const ushort DataSelector = 16;
    private const ulong CodeDescriptor = 0x00209A0000000000;
    private const ulong DataDescriptor = 0x0000920000000000;

    // Three descriptors and the pointer to them, in the boot sector behind its code.
    private const int GdtOffset = 0x1D0;
    private const int GdtPointerOffset = GdtOffset + 24;
    private const byte DebugPort = 0xE9;
    private const uint EferMsr = 0xC0000080;
    private const int EferLongEnable = 0x100;
    private const int Cr4Pae = 0x20;
    private const int Cr0ProtectionAndPaging = unchecked((int)0x80000001);

    /// <summary>The disk, with the loops' rounds in percent of the normal ones.</summary>
    public static byte[] Floppy(int percent)
    {
        byte[] image = new byte[FloppyBytes];
        byte[] boot = BootSector();
        byte[] main = Main(percent);
        if (boot.Length > GdtOffset || main.Length > Sectors * SectorBytes)
        {
            throw new InvalidOperationException($"The loops do not fit: {boot.Length} and {main.Length} bytes.");
        }

        boot.CopyTo(image, 0);
        BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(GdtOffset + CodeSelector), CodeDescriptor);
        BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(GdtOffset + DataSelector), DataDescriptor);
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(GdtPointerOffset), GdtPointerOffset - GdtOffset - 1);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(GdtPointerOffset + 2), (uint)BootAddress + GdtOffset);
        image[SectorBytes - 2] = 0x55;
        image[SectorBytes - 1] = 0xAA;
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

    private static byte[] BootSector()
    {
        Assembler a = new(16);
        Label page = a.CreateLabel();
        a.cli();
        a.xor(ax, ax);
        a.mov(ds, ax);
        a.mov(es, ax);
        a.mov(ss, ax);
        a.mov(sp, (ushort)BootAddress);
        a.sti();

        // INT 13h, read sectors: the boot drive is in DL already.
        a.mov(ax, (ushort)(0x200 | Sectors));
        a.mov(cx, 2);
        a.mov(dh, 0);
        a.mov(bx, (ushort)MainAddress);
        a.@int(0x13);
        a.cli();

        // The fast A20 gate of port 92h.
        a.@in(al, 0x92);
        a.or(al, 2);
        a.@out(0x92, al);

        a.cld();
        a.xor(eax, eax);
        a.mov(di, (ushort)PageMap);
        a.mov(cx, (ushort)((PageDirectory + 0x1000 - PageMap) / 4));
        a.rep.stosd();
        a.mov(__dword_ptr[(long)PageMap], (int)PageDirectories | PageFlags);
        a.mov(__dword_ptr[(long)PageDirectories], (int)PageDirectory | PageFlags);
        a.mov(di, (ushort)PageDirectory);
        a.mov(eax, LargePageFlags);
        a.mov(cx, LargePages);
        a.Label(ref page);
        a.mov(__dword_ptr[di], eax);
        a.add(eax, 1 << LargePageShift);
        a.add(di, 8);
        a.loop(page);

        a.lgdt(__[(long)BootAddress + GdtPointerOffset]);
        a.mov(eax, Cr4Pae);
        a.mov(cr4, eax);
        a.mov(eax, (int)PageMap);
        a.mov(cr3, eax);
        a.mov(ecx, EferMsr);
        a.xor(edx, edx);
        a.mov(eax, EferLongEnable);
        a.wrmsr();
        a.mov(ebx, Cr0ProtectionAndPaging);
        a.mov(cr0, ebx);
        a.db(0xEA, unchecked((byte)MainAddress), (byte)(MainAddress >> 8), (byte)CodeSelector, 0);

        return Assemble(a, BootAddress);
    }

    private static byte[] Assemble(Assembler a, ulong address)
    {
        using MemoryStream output = new();
        a.Assemble(new StreamCodeWriter(output), address);
        return output.ToArray();
    }
}
