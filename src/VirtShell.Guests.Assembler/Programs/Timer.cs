using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Programs;

/// <summary>Counts PIT interrupts, halting in between.</summary>
internal sealed class Timer : IGuestProgram
{
    private const int Ticks = 10;
    private const int Hz = 100;
    private const int Channel0RateGenerator = 0x34;

    public string Name => "timer";

    public string Description => "Counts ten timer interrupts at 100 Hz, then powers off.";

    public void Emit(GuestCode code)
    {
        const int divisor = (Hardware.PitHz + (Hz / 2)) / Hz;
        var c = code.Asm;
        var handler = code.NewSpot();
        code.Begin();
        code.Call(Routine.InterruptInit);
        c.mov(eax, Hardware.IrqBase);
        c.mov(ebx, code.AddressOf(handler));
        code.Call(Routine.SetGate);
        code.Out(Hardware.PitCommand, Channel0RateGenerator);
        code.Out(Hardware.PitChannel0, divisor & 0xFF);
        code.Out(Hardware.PitChannel0, divisor >> 8);
        code.Out(Hardware.Pic1Data, 0xFF & ~1);
        c.xor(ebp, ebp);

        var wait = code.Here();
        var changed = code.NewSpot();
        c.cli();
        c.cmp(ebp, __dword_ptr[Layout.Counter]);
        c.jne(changed.Label);
        c.sti();
        c.hlt();
        c.jmp(wait.Label);
        code.Place(changed);
        c.sti();
        c.inc(ebp);
        code.Print("tick ");
        c.mov(eax, ebp);
        code.Call(Routine.PutDecimal);
        code.Print("\r\n");
        c.cmp(ebp, Ticks);
        c.jb(wait.Label);
        code.PowerOff();

        code.Place(handler);
        c.push(eax);
        c.inc(__dword_ptr[Layout.Counter]);
        c.mov(al, Hardware.PicEndOfInterrupt);
        c.@out(Hardware.Pic1Command, al);
        c.pop(eax);
        c.iretd();
    }
}
