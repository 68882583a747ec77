using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Programs;

internal sealed class TripleFault : IGuestProgram
{
    public string Name => "triple-fault";

    public string Description => "Crashes: an invalid opcode with no interrupt table.";

    public void Emit(GuestCode code)
    {
        code.Begin();
        code.Print("About to triple-fault.\r\n");
        code.ForgetInterruptTable();
        code.Asm.ud2();
    }
}

/// <summary>Jumps to where neither RAM nor a device answers: every byte reads FFh there, an invalid opcode.</summary>
internal sealed class WildJump : IGuestProgram
{
    private const uint Nowhere = 0xDEAD_0000;

    public string Name => "wild-jump";

    public string Description => "Crashes: jumps to unmapped memory with no interrupt table.";

    public void Emit(GuestCode code)
    {
        code.Begin();
        code.Print("Jumping to 0xdead0000.\r\n");
        code.ForgetInterruptTable();
        code.Asm.mov(eax, Nowhere);
        code.Asm.jmp(eax);
    }
}

/// <summary>Maps the first 4 MiB with 4 KiB pages, then reads far above them.</summary>
internal sealed class PageFault : IGuestProgram
{
    private const uint Directory = Layout.PageTables;
    private const uint Table = Layout.PageTables + 0x1000;
    private const int PresentWritable = 0x03;
    private const int Cr0Paging = unchecked((int)0x8000_0000);
    private const uint Nowhere = 0xDEAD_0000;

    public string Name => "page-fault";

    public string Description => "Crashes: an unhandled page fault with paging on (CR2 = 0xdead0000).";

    public void Emit(GuestCode code)
    {
        var c = code.Asm;
        code.Begin();
        c.mov(__dword_ptr[Directory], Table | PresentWritable);
        c.mov(edi, Table);
        c.mov(eax, PresentWritable);
        var fill = code.Here();
        c.stosd();
        c.add(eax, 0x1000);
        c.cmp(edi, Table + 0x1000);
        c.jb(fill.Label);
        c.mov(eax, Directory);
        c.mov(cr3, eax);
        c.mov(eax, cr0);
        c.or(eax, Cr0Paging);
        c.mov(cr0, eax);
        code.Print("Paging is on; reading 0xdead0000.\r\n");
        code.ForgetInterruptTable();
        c.mov(eax, __dword_ptr[Nowhere]);
        code.Print("NOT REACHED\r\n");
        code.PowerOff();
    }
}

internal sealed class BusyLoop : IGuestProgram
{
    public string Name => "busy-loop";

    public string Description => "Hangs: an endless loop with interrupts off.";

    public void Emit(GuestCode code)
    {
        code.Begin();
        code.Print("Looping for ever.\r\n");
        var loop = code.Here();
        code.Asm.jmp(loop.Label);
    }
}

internal sealed class HaltForever : IGuestProgram
{
    public string Name => "halt-forever";

    public string Description => "Hangs: halts with interrupts off.";

    public void Emit(GuestCode code)
    {
        code.Begin();
        code.Print("Halting with interrupts off.\r\n");
        code.Asm.cli();
        var rest = code.Here();
        code.Asm.hlt();
        code.Asm.jmp(rest.Label);
    }
}
