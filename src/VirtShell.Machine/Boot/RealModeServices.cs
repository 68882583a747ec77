using System;
using System.Collections.Generic;
using System.IO;
using Iced.Intel;
using VirtShell.Cpu.Memory;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Machine.Boot;

/// <summary>
/// The few interrupt services that programs find which are entered in real mode: characters to and from COM1, sizes and
/// map of memory, timer ticks. Everything else answers with the carry flag set. It is no BIOS: there are no disks and no
/// display. Assembled when such a program is booted, since the answers depend on the machine.
/// </summary>
internal static class RealModeServices
{
    public const ushort Segment = 0xF000;

    /// <summary>Where the processor starts: here the timer is set up, then the program entered.</summary>
    public const ushort Start = 0xE000;

    private const ulong Base = (ulong)Segment << 4;
    private const int VectorCount = 256;
    private const ushort BiosData = 0x40;
    private const int Equipment = 0x10;
    private const int BaseMemory = 0x13;
    private const int Ticks = 0x6C;
    private const int Midnight = 0x70;
    private const uint TicksADay = 0x18_00B0;

    // In the area for programs' communication (4F0h): a character that has come but was not taken, with bit 8 set.
    private const int Pending = 0xF0;
    private const ushort Transmit = Serial.Uart16550.Com1Port;
    private const ushort LineStatus = Serial.Uart16550.Com1Port + 5;
    private const uint Smap = 0x534D_4150;
    private const int MapEntryLength = 20;

    // The answers of INT 15h E820h, behind the code.
    private const int Map = 0xF000;

    /// <summary>Writes code and vectors; the code jumps to <paramref name="segment"/>:0 when all is set up.</summary>
    public static void Write(PhysicalMemory memory, ushort segment)
    {
        Assembler c = new(16);
        Dictionary<int, Label> handlers = [];
        Label Handler(params ReadOnlySpan<int> vectors)
        {
            Label label = c.CreateLabel();
            c.Label(ref label);
            foreach (int vector in vectors)
            {
                handlers[vector] = label;
            }

            return label;
        }

        WriteStart(c, segment);
        Label unsupported = Handler();
        SetCarry(c);
        Handler(0x08);
        WriteTimer(c);
        Handler(0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F);
        EndOfInterrupt(c, isSlave: false);
        Handler(0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77);
        EndOfInterrupt(c, isSlave: true);
        Handler(0x1C);
        c.iret();
        Handler(0x10);
        WriteVideo(c);
        Handler(0x11);
        LoadWord(c, Equipment);
        Handler(0x12);
        LoadWord(c, BaseMemory);
        Handler(0x15);
        WriteMemory(c, memory);
        Handler(0x16);
        WriteKeyboard(c);
        Handler(0x1A);
        WriteTime(c, unsupported);
        Handler(0x18, 0x19);
        WriteReset(c);
        using MemoryStream code = new();
        AssemblerResult result = c.Assemble(new StreamCodeWriter(code), Start, BlockEncoderOptions.ReturnNewInstructionOffsets);
        memory.Write(Base + Start, code.ToArray());
        WriteMap(memory);
        for (int vector = 0; vector < VectorCount; vector++)
        {
            ulong offset = result.GetLabelRIP(handlers.GetValueOrDefault(vector, unsupported));
            memory.WriteUInt16((ulong)vector * 4, (ushort)offset);
            memory.WriteUInt16(((ulong)vector * 4) + 2, Segment);
        }
    }

    // The 8254 ticks at 18.2 Hz, as a BIOS leaves it, and reaches the processor once the program allows interrupts.
    private static void WriteStart(Assembler c, ushort segment)
    {
        c.mov(al, 0x36);
        c.@out(0x43, al);
        c.xor(ax, ax);
        c.@out(0x40, al);
        c.@out(0x40, al);
        c.mov(al, 0xFA);
        c.@out(0x21, al);
        c.xor(ax, ax);
        c.jmp(segment, 0u);
    }

    private static void WriteTimer(Assembler c)
    {
        Label sameDay = c.CreateLabel();
        c.push(ds);
        c.push(ax);
        c.mov(ax, BiosData);
        c.mov(ds, ax);
        c.inc(__dword_ptr[Ticks]);
        c.cmp(__dword_ptr[Ticks], TicksADay);
        c.jb(sameDay);
        c.mov(__dword_ptr[Ticks], 0);
        c.mov(__byte_ptr[Midnight], 1);
        c.Label(ref sameDay);
        c.@int(0x1C);
        c.mov(al, 0x20);
        c.@out(0x20, al);
        c.pop(ax);
        c.pop(ds);
        c.iret();
    }

    private static void EndOfInterrupt(Assembler c, bool isSlave)
    {
        c.push(ax);
        c.mov(al, 0x20);
        if (isSlave)
        {
            c.@out(0xA0, al);
        }

        c.@out(0x20, al);
        c.pop(ax);
        c.iret();
    }

    // AH 0Eh sends a character; 03h and 0Fh answer as an 80-column text display whose cursor stands at the start.
    private static void WriteVideo(Assembler c)
    {
        Label notTeletype = c.CreateLabel();
        Label notCursor = c.CreateLabel();
        Label done = c.CreateLabel();
        c.cmp(ah, 0x0E);
        c.jne(notTeletype);
        c.push(dx);
        c.mov(dx, Transmit);
        c.@out(dx, al);
        c.pop(dx);
        c.iret();
        c.Label(ref notTeletype);
        c.cmp(ah, 0x03);
        c.jne(notCursor);
        c.xor(dx, dx);
        c.mov(cx, 0x0607);
        c.iret();
        c.Label(ref notCursor);
        c.cmp(ah, 0x0F);
        c.jne(done);
        c.mov(ax, 0x5003);
        c.xor(bh, bh);
        c.Label(ref done);
        c.iret();
    }

    private static void WriteMemory(Assembler c, PhysicalMemory memory)
    {
        int count = MemoryMap.Ranges(memory).Count;
        ulong above1M = Math.Max(memory.LowRamBytes, MemoryMap.HighMemory) - MemoryMap.HighMemory;
        ushort below16M = (ushort)Math.Min(above1M >> 10, 0x3C00);
        ushort above16M = (ushort)((above1M - ((ulong)below16M << 10)) >> 16);
        Label notMap = c.CreateLabel();
        Label notSizes = c.CreateLabel();
        Label notExtended = c.CreateLabel();
        Label fail = c.CreateLabel();
        Label last = c.CreateLabel();
        c.cmp(ax, 0xE820);
        c.jne(notMap);
        c.cmp(edx, Smap);
        c.jne(fail);
        c.cmp(ebx, count);
        c.jae(fail);
        c.cmp(ecx, MapEntryLength);
        c.jb(fail);
        c.push(ds);
        c.push(si);
        c.push(di);
        c.push(cs);
        c.pop(ds);
        c.imul(si, bx, MapEntryLength);
        c.add(si, Map);
        c.cld();
        c.mov(cx, MapEntryLength / 2);
        c.rep.movsw();
        c.pop(di);
        c.pop(si);
        c.pop(ds);
        c.mov(ecx, MapEntryLength);
        c.mov(eax, Smap);
        c.inc(ebx);
        c.cmp(ebx, count);
        c.jb(last);
        c.xor(ebx, ebx);
        c.Label(ref last);
        ClearCarry(c);
        c.Label(ref notMap);
        c.cmp(ax, 0xE801);
        c.jne(notSizes);
        c.mov(ax, below16M);
        c.mov(bx, above16M);
        c.mov(cx, ax);
        c.mov(dx, bx);
        ClearCarry(c);
        c.Label(ref notSizes);
        c.cmp(ah, 0x88);
        c.jne(notExtended);
        c.mov(ax, (ushort)Math.Min(above1M >> 10, ushort.MaxValue));
        ClearCarry(c);
        c.Label(ref notExtended);
        c.cmp(ax, 0x2401);
        c.jne(fail);
        c.xor(ah, ah);
        ClearCarry(c);
        c.Label(ref fail);
        c.mov(ah, 0x86);
        SetCarry(c);
    }

    // AH 00h and 10h take a character, 01h and 11h look whether one is there, 02h and 12h tell that no shift key is down.
    private static void WriteKeyboard(Assembler c)
    {
        Label look = c.CreateLabel();
        Label wait = c.CreateLabel();
        Label none = c.CreateLabel();
        Label has = c.CreateLabel();
        Label shifts = c.CreateLabel();
        Label fetch = c.CreateLabel();
        Label nothing = c.CreateLabel();
        c.push(ds);
        c.push(dx);
        c.push(bp);
        c.mov(bp, sp);
        c.mov(dx, BiosData);
        c.mov(ds, dx);
        c.and(ah, 0xEF);
        c.cmp(ah, 1);
        c.je(look);
        c.ja(shifts);
        c.sti();
        c.Label(ref wait);
        c.call(fetch);
        c.jz(wait);
        c.mov(__word_ptr[Pending], 0);
        c.pop(bp);
        c.pop(dx);
        c.pop(ds);
        c.iret();
        c.Label(ref look);
        c.call(fetch);
        c.jz(none);
        c.and(__byte_ptr[bp + 10], 0xBF);
        c.jmp(has);
        c.Label(ref none);
        c.or(__byte_ptr[bp + 10], 0x40);
        c.jmp(has);
        c.Label(ref shifts);
        c.xor(ax, ax);
        c.Label(ref has);
        c.pop(bp);
        c.pop(dx);
        c.pop(ds);
        c.iret();

        // AX gets the next character with no scan code; ZF where there is none.
        c.Label(ref fetch);
        c.mov(ax, __word_ptr[Pending]);
        c.test(ax, ax);
        c.jnz(nothing);
        c.mov(dx, LineStatus);
        c.@in(al, dx);
        c.and(ax, 1);
        c.jz(nothing);
        c.mov(dx, Transmit);
        c.@in(al, dx);
        c.mov(ah, 1);
        c.mov(__word_ptr[Pending], ax);
        c.Label(ref nothing);
        c.mov(ah, 0);
        c.ret();
    }

    private static void WriteTime(Assembler c, Label unsupported)
    {
        c.test(ah, ah);
        c.jne(unsupported);
        c.push(ds);
        c.mov(cx, BiosData);
        c.mov(ds, cx);
        c.mov(dx, __word_ptr[Ticks]);
        c.mov(cx, __word_ptr[Ticks + 2]);
        c.mov(al, 0);
        c.xchg(__byte_ptr[Midnight], al);
        c.pop(ds);
        ClearCarry(c);
    }

    private static void WriteReset(Assembler c)
    {
        Label stop = c.CreateLabel();
        c.mov(dx, Legacy.SystemPorts.ResetControlPort);
        c.mov(al, 0x06);
        c.@out(dx, al);
        c.Label(ref stop);
        c.hlt();
        c.jmp(stop);
    }

    private static void WriteMap(PhysicalMemory memory)
    {
        ulong at = Base + Map;
        foreach (MemoryRange range in MemoryMap.Ranges(memory))
        {
            memory.WriteUInt64(at, range.Start);
            memory.WriteUInt64(at + 8, range.Length);
            memory.WriteUInt32(at + 16, (uint)range.Kind);
            at += MapEntryLength;
        }
    }

    private static void LoadWord(Assembler c, int offset)
    {
        c.push(ds);
        c.mov(ax, BiosData);
        c.mov(ds, ax);
        c.mov(ax, __word_ptr[offset]);
        c.pop(ds);
        c.iret();
    }

    // The flags that IRET loads stand above the return address.
    private static void SetCarry(Assembler c)
    {
        c.push(bp);
        c.mov(bp, sp);
        c.or(__byte_ptr[bp + 6], 1);
        c.pop(bp);
        c.iret();
    }

    private static void ClearCarry(Assembler c)
    {
        c.push(bp);
        c.mov(bp, sp);
        c.and(__byte_ptr[bp + 6], 0xFE);
        c.pop(bp);
        c.iret();
    }
}
