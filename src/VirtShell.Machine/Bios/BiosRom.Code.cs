using System;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Machine.Bios;

/// <summary>The pieces of the ROM that are instructions: what interrupts do that programs may have hooked, and where ports are a monitor's business.</summary>
internal sealed partial class BiosRom
{
    private const int FirstOptionRom = 0xC000;
    private const int LastOptionRom = 0xE000;
    private const int OptionRomStep = 0x80;
    private const int Directory32Offset = 0x5F00;
    private const int Pci32Offset = 0x5F10;

    /// <summary>Offset of the entry of the 32-bit service directory.</summary>
    public static int DirectoryEntry => Directory32Offset;

    /// <summary>Offset of the 32-bit entry of the PCI BIOS.</summary>
    public static int PciEntry => Pci32Offset;

    // From the reset vector, once the caller is known to be power-on: option ROMs are called in turn, then the system is loaded.
    private static void WriteStart(Assembler c, Action<BiosService> call)
    {
        Label next = c.CreateLabel();
        Label back = c.CreateLabel();
        Label advance = c.CreateLabel();
        Label scanned = c.CreateLabel();
        c.mov(bx, FirstOptionRom);
        c.Label(ref next);
        c.cmp(bx, LastOptionRom);
        c.jae(scanned);

        // BX stays; AX is the distance to the next place, and CX tells whether there is a ROM to call.
        call(BiosService.OptionRom);
        c.jcxz(advance);
        c.push(ax);
        c.push(bx);
        c.push(cs);
        c.call(back);
        c.pop(bx);
        c.pop(ax);
        c.Label(ref advance);
        c.add(bx, ax);
        c.jmp(next);

        // The return address is on the stack with CS below it: goes to BX:3.
        c.Label(ref back);
        c.push(bx);
        c.push(3);
        c.retf();
        c.Label(ref scanned);
        c.sti();
        c.@int(0x19);
    }

    private static void WriteWait(Assembler c)
    {
        Label wait = c.CreateLabel();
        c.sti();
        c.Label(ref wait);
        c.hlt();
        c.jmp(wait);
    }

    private static void WriteTick(Assembler c, Action<BiosService> call)
    {
        c.push(ds);
        c.push(ax);
        c.push(dx);
        call(BiosService.Tick);
        c.@int(0x1C);
        WriteEnd(c, isSlave: false);
        c.pop(dx);
        c.pop(ax);
        c.pop(ds);
        c.iret();
    }

    // The byte is read from the port by an instruction, so that a monitor may give its own; INT 15h 4Fh may change or drop it.
    private static void WriteKey(Assembler c, Action<BiosService> call)
    {
        Label drop = c.CreateLabel();
        Label notBreak = c.CreateLabel();
        Label notPrint = c.CreateLabel();
        Label notRequest = c.CreateLabel();
        Label pause = c.CreateLabel();
        Label end = c.CreateLabel();
        c.push(ax);
        c.push(ds);
        c.@in(al, 0x60);
        c.mov(ah, 0x4F);
        c.stc();
        c.@int(0x15);
        c.jnc(drop);

        // AH gets what is to be done besides.
        call(BiosService.Key);
        c.push(ax);
        WriteEnd(c, isSlave: false);
        c.pop(ax);
        c.cmp(ah, 1);
        c.jne(notBreak);
        c.@int(0x1B);
        c.Label(ref notBreak);
        c.cmp(ah, 2);
        c.jne(notPrint);
        c.@int(0x05);
        c.Label(ref notPrint);
        c.cmp(ah, 3);
        c.jne(notRequest);
        c.mov(ah, 0x85);
        c.@int(0x15);
        c.Label(ref notRequest);
        c.cmp(ah, 4);
        c.jne(end);
        c.mov(ax, 0x40);
        c.mov(ds, ax);
        c.sti();
        c.Label(ref pause);
        c.test(__byte_ptr[Bda.Shift2], 8);
        c.jnz(pause);
        c.jmp(end);
        c.Label(ref drop);
        WriteEnd(c, isSlave: false);
        c.Label(ref end);
        c.pop(ds);
        c.pop(ax);
        c.iret();
    }

    private static void WriteClock(Assembler c, Action<BiosService> call)
    {
        Label noAlarm = c.CreateLabel();
        c.push(ax);
        c.push(dx);
        c.mov(al, 0x0C);
        c.@out(0x70, al);
        c.@in(al, 0x71);
        call(BiosService.ClockEvent);
        c.test(ah, ah);
        c.jz(noAlarm);
        c.sti();
        c.@int(0x4A);
        c.cli();
        c.Label(ref noAlarm);
        WriteEnd(c, isSlave: true);
        c.pop(dx);
        c.pop(ax);
        c.iret();
    }

    // When a packet is whole, its handler finds it on the stack: status, x, y, and a word of zero.
    private static void WriteMouse(Assembler c, Action<BiosService> call)
    {
        Label none = c.CreateLabel();
        c.pusha();
        c.push(ds);
        c.push(es);
        c.@in(al, 0x64);
        c.test(al, 0x20);
        c.jz(none);
        c.@in(al, 0x60);
        call(BiosService.MouseByte);
        c.test(al, al);
        c.jz(none);
        c.push(bx);
        c.push(cx);
        c.push(dx);
        c.push(0);
        c.sti();
        c.mov(ds, si);
        c.call(__dword_ptr[Ebda.MouseHandler]);
        c.cli();
        c.add(sp, 8);
        c.Label(ref none);
        WriteEnd(c, isSlave: true);
        c.pop(es);
        c.pop(ds);
        c.popa();
        c.iret();
    }

    // Bit 7 of the calibration byte is what drivers wait for that program the controller and leave the interrupt to us.
    private static void WriteFloppyIrq(Assembler c)
    {
        c.push(ax);
        c.push(ds);
        c.mov(ax, 0x40);
        c.mov(ds, ax);
        c.or(__byte_ptr[Bda.FloppyCalibration], 0x80);
        WriteEnd(c, isSlave: false);
        c.pop(ds);
        c.pop(ax);
        c.iret();
    }

    // Changes AL.
    private static void WriteEnd(Assembler c, bool isSlave)
    {
        c.mov(al, 0x20);
        if (isSlave)
        {
            c.@out(0xA0, al);
        }

        c.@out(0x20, al);
    }

    private void Write32()
    {
        Put32(Directory32Offset, BiosService.Directory32);
        Put32(Pci32Offset, BiosService.Pci32);
    }

    // vmcall; retf.
    private void Put32(int offset, BiosService service)
    {
        Put(offset, [0x0F, 0x01, 0xC1, 0xCB]);
        _services[Base + (uint)offset] = service;
    }
}
