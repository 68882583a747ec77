using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Programs;

/// <summary>Wakes twenty times a second and tells once a second how far apart two wake-ups were at most.</summary>
internal sealed class Ticker : IGuestProgram
{
    private const int Hz = 20;
    private const int Channel0RateGenerator = 0x34;

    // Dwords of the guest's own, in the page of the counter.
    private const uint Last = Layout.Counter + 0x10;
    private const uint Largest = Layout.Counter + 0x14;

    public string Name => "ticker";

    public string Description => "Wakes 20 times a second and tells each second the largest gap between two wake-ups, in microseconds.";

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
        ReadTimer(code);
        c.mov(__dword_ptr[Last], eax);
        c.xor(ebp, ebp);

        var wait = code.Here();
        var changed = code.NewSpot();
        c.cli();
        c.mov(eax, __dword_ptr[Layout.Counter]);
        c.sub(eax, ebp);
        c.cmp(eax, Hz);
        c.jae(changed.Label);
        c.sti();
        c.hlt();
        c.jmp(wait.Label);
        code.Place(changed);
        c.sti();
        c.add(ebp, Hz);
        code.Print("ticks ");
        c.mov(eax, ebp);
        code.Call(Routine.PutDecimal);
        code.Print(" gap ");
        c.xor(eax, eax);
        c.xchg(__dword_ptr[Largest], eax);

        // Microseconds: the PM timer counts three times the 8254's frequency.
        c.mov(ecx, 1_000_000);
        c.mul(ecx);
        c.mov(ecx, 3 * Hardware.PitHz);
        c.div(ecx);
        code.Call(Routine.PutDecimal);
        code.Print("\r\n");
        c.jmp(wait.Label);

        code.Place(handler);
        c.push(eax);
        c.push(ecx);
        c.push(edx);
        c.inc(__dword_ptr[Layout.Counter]);
        ReadTimer(code);
        var smaller = code.NewSpot();
        c.mov(ecx, eax);
        c.sub(ecx, __dword_ptr[Last]);
        c.mov(__dword_ptr[Last], eax);
        c.and(ecx, Hardware.PmTimerMask);
        c.cmp(ecx, __dword_ptr[Largest]);
        c.jb(smaller.Label);
        c.mov(__dword_ptr[Largest], ecx);
        code.Place(smaller);
        c.mov(al, Hardware.PicEndOfInterrupt);
        c.@out(Hardware.Pic1Command, al);
        c.pop(edx);
        c.pop(ecx);
        c.pop(eax);
        c.iretd();
    }

    private static void ReadTimer(GuestCode code)
    {
        code.Asm.mov(edx, Hardware.PmTimer);
        code.Asm.@in(eax, dx);
    }
}
