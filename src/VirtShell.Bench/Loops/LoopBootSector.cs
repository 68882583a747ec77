using System;
using System.Buffers.Binary;
using System.IO;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Bench.Loops;

/// <summary>A boot sector that loads the sectors behind it, maps 64 MiB by large pages, and enters them in 64-bit mode.</summary>
internal static class LoopBootSector
{
    public const int SectorBytes = 512;

    /// <summary>How many sectors it loads: what one read of a floppy's first track gives behind it.</summary>
    public const int Sectors = 17;

    /// <summary>Where they are loaded and entered.</summary>
    public const ulong MainAddress = 0x8000;

    // The tables of 4-level paging: one page each, then 2 MiB pages; present and writable.
    public const uint PageMap = 0x1000;
    public const uint PageDirectories = 0x2000;
    public const uint PageDirectory = 0x3000;
    public const int PageFlags = 0x03;
    public const int LargePageFlags = 0x83;
    public const int LargePages = 32;
    public const int LargePageShift = 21;

    public const ushort CodeSelector = 8;
    public const ushort DataSelector = 16;

    private const ulong BootAddress = 0x7C00;
    private const ushort BootSignature = 0x55AA;

    // Three descriptors and the pointer to them, behind the code.
    private const int GdtOffset = 0x1D0;
    private const int GdtPointerOffset = GdtOffset + 24;
    private const ulong CodeDescriptor = 0x00209A0000000000;
    private const ulong DataDescriptor = 0x0000920000000000;

    private const uint EferMsr = 0xC0000080;
    private const int EferLongEnable = 0x100;
    private const int Cr4Pae = 0x20;
    private const int Cr0ProtectionAndPaging = unchecked((int)0x80000001);

    /// <summary>The sector, 512 bytes.</summary>
    public static byte[] Build()
    {
        byte[] sector = new byte[SectorBytes];
        byte[] code = Code();
        if (code.Length > GdtOffset)
        {
            throw new InvalidOperationException($"The boot sector's code does not fit: {code.Length} bytes.");
        }

        code.CopyTo(sector, 0);
        BinaryPrimitives.WriteUInt64LittleEndian(sector.AsSpan(GdtOffset + CodeSelector), CodeDescriptor);
        BinaryPrimitives.WriteUInt64LittleEndian(sector.AsSpan(GdtOffset + DataSelector), DataDescriptor);
        BinaryPrimitives.WriteUInt16LittleEndian(sector.AsSpan(GdtPointerOffset), GdtPointerOffset - GdtOffset - 1);
        BinaryPrimitives.WriteUInt32LittleEndian(sector.AsSpan(GdtPointerOffset + 2), (uint)BootAddress + GdtOffset);
        BinaryPrimitives.WriteUInt16BigEndian(sector.AsSpan(SectorBytes - 2), BootSignature);
        return sector;
    }

    private static byte[] Code()
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

        using MemoryStream output = new();
        a.Assemble(new StreamCodeWriter(output), BootAddress);
        return output.ToArray();
    }
}
