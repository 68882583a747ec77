using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Programs;

/// <summary>
/// A shell on COM1. It sleeps in HLT while nobody types (receive interrupts, IRQ 4) and powers off by the ACPI power
/// button (IRQ 9), so that it costs nothing when idle and stops as a real system does.
/// </summary>
internal sealed class Echo : IGuestProgram
{
    private const int UartVector = Hardware.IrqBase + 4;
    private const int AcpiVector = Hardware.IrqBase + 9;
    private const int Backspace = 8;
    private const int Delete = 0x7F;

    private const string Help =
        "help       this text\r\n" +
        "echo TEXT  prints TEXT\r\n" +
        "mem        memory size\r\n" +
        "time       time-stamp counter\r\n" +
        "crash      triple fault\r\n" +
        "hang       halts with interrupts off\r\n" +
        "loop       loops with interrupts off\r\n" +
        "exit       powers off\r\n" +
        "exit N     ends through the debug exit port with code N\r\n";

    public string Name => "echo";

    public string Description => "An interactive shell on COM1 (help, echo, mem, time, crash, hang, loop, exit).";

    public void Emit(GuestCode code)
    {
        var c = code.Asm;
        var uart = code.NewSpot();
        var acpi = code.NewSpot();
        var getChar = code.NewSpot();
        var matches = code.NewSpot();
        code.Begin();
        code.Call(Routine.InterruptInit);
        SetGate(code, UartVector, uart);
        SetGate(code, AcpiVector, acpi);

        // The power button raises the SCI once the guest has taken ACPI over.
        c.mov(edx, Hardware.Pm1Status);
        c.mov(eax, 0xFFFF);
        c.@out(dx, ax);
        c.mov(edx, Hardware.Pm1Enable);
        c.mov(eax, Hardware.PowerButtonBit);
        c.@out(dx, ax);
        code.Out(Hardware.SmiCommand, Hardware.AcpiEnable);

        code.Out(Hardware.UartInterruptEnable, 1); // received data available
        code.Out(Hardware.Pic1Data, 0xFF & ~(1 << 4) & ~(1 << 2));
        code.Out(Hardware.Pic2Data, 0xFF & ~(1 << 1));
        code.Print("VirtShell echo guest, ");
        code.Call(Routine.PutMemory);
        code.Print(". Type help.\r\n");

        EmitPrompt(code, getChar, matches);
        EmitGetChar(code, getChar);
        EmitMatches(code, matches);
        EmitHandlers(code, uart, acpi);
    }

    private static void SetGate(GuestCode code, int vector, Spot handler)
    {
        code.Asm.mov(eax, vector);
        code.Asm.mov(ebx, code.AddressOf(handler));
        code.Call(Routine.SetGate);
    }

    /// <summary>Reads a line with echo and backspace, then looks for its first word.</summary>
    private static void EmitPrompt(GuestCode code, Spot getChar, Spot matches)
    {
        var c = code.Asm;
        var prompt = code.NewSpot();
        var next = code.NewSpot();
        var entered = code.NewSpot();
        var erase = code.NewSpot();

        code.Place(prompt);
        code.Print("> ");
        c.xor(ebx, ebx);
        code.Place(next);
        c.call(getChar.Label);
        c.cmp(al, (sbyte)'\r');
        c.je(entered.Label);
        c.cmp(al, (sbyte)'\n');
        c.je(entered.Label);
        c.cmp(al, Backspace);
        c.je(erase.Label);
        c.cmp(al, Delete);
        c.je(erase.Label);
        c.cmp(al, (sbyte)' ');
        c.jb(next.Label);
        c.cmp(ebx, Layout.LineSize - 1);
        c.jae(next.Label);
        c.mov(__byte_ptr[ebx + Layout.Line], al);
        c.inc(ebx);
        code.Call(Routine.PutChar);
        c.jmp(next.Label);

        code.Place(erase);
        c.test(ebx, ebx);
        c.je(next.Label);
        c.dec(ebx);
        code.Print("\b \b");
        c.jmp(next.Label);

        code.Place(entered);
        c.mov(__byte_ptr[ebx + Layout.Line], 0);
        code.Print("\r\n");
        c.test(ebx, ebx);
        c.je(prompt.Label);
        EmitCommands(code, prompt, matches);
    }

    private static void EmitCommands(GuestCode code, Spot prompt, Spot matches)
    {
        var c = code.Asm;

        When(code, matches, "help", () => code.Print(Help), prompt);
        When(code, matches, "echo", () =>
        {
            // matches leaves ESI at the first character after the word and the spaces behind it
            code.Call(Routine.PutString);
            code.Print("\r\n");
        }, prompt);
        When(code, matches, "mem", () =>
        {
            code.Call(Routine.PutMemory);
            code.Print("\r\n");
        }, prompt);
        When(code, matches, "time", () =>
        {
            c.rdtsc();
            c.push(eax);
            c.mov(eax, edx);
            code.Call(Routine.PutHex);
            c.pop(eax);
            code.Call(Routine.PutHex);
            code.Print("\r\n");
        }, prompt);
        When(code, matches, "crash", () =>
        {
            code.Print("crashing\r\n");
            code.ForgetInterruptTable();
            c.ud2();
        }, prompt);
        When(code, matches, "hang", () =>
        {
            c.cli();
            var rest = code.Here();
            c.hlt();
            c.jmp(rest.Label);
        }, prompt);
        When(code, matches, "loop", () =>
        {
            c.cli();
            var loop = code.Here();
            c.jmp(loop.Label);
        }, prompt);
        When(code, matches, "exit", () => EmitExit(code), prompt);

        code.Print("unknown command: ");
        c.mov(esi, Layout.Line);
        code.Call(Routine.PutString);
        code.Print(" (try help)\r\n");
        c.jmp(prompt.Label);
    }

    private static void When(GuestCode code, Spot matches, string word, System.Action body, Spot prompt)
    {
        var c = code.Asm;
        var other = code.NewSpot();
        c.mov(edi, code.Text(word));
        c.call(matches.Label);
        c.jne(other.Label);
        body();
        c.jmp(prompt.Label);
        code.Place(other);
    }

    /// <summary>ESI stands at the code, if any.</summary>
    private static void EmitExit(GuestCode code)
    {
        var c = code.Asm;
        var digit = code.NewSpot();
        var done = code.NewSpot();
        var plain = code.NewSpot();
        c.cmp(__byte_ptr[esi], 0);
        c.je(plain.Label);
        c.xor(ebx, ebx);
        code.Place(digit);
        c.movzx(eax, __byte_ptr[esi]);
        c.inc(esi);
        c.sub(eax, '0');
        c.cmp(eax, 9);
        c.ja(done.Label);
        c.imul(ebx, ebx, 10);
        c.add(ebx, eax);
        c.jmp(digit.Label);
        code.Place(done);
        c.mov(eax, ebx);
        c.mov(edx, Hardware.DebugExit);
        c.@out(dx, al);
        code.Place(plain);
        code.Print("bye\r\n");
        code.PowerOff();
    }

    /// <summary>AL = the next character; halts until there is one. A pressed power button ends the guest here.</summary>
    private static void EmitGetChar(GuestCode code, Spot getChar)
    {
        var c = code.Asm;
        var have = code.NewSpot();
        var off = code.NewSpot();
        code.Place(getChar);
        c.cli();
        c.cmp(__dword_ptr[Layout.PowerButton], 0);
        c.jne(off.Label);
        c.mov(eax, __dword_ptr[Layout.RingRead]);
        c.cmp(eax, __dword_ptr[Layout.RingWrite]);
        c.jne(have.Label);

        // STI takes effect after the next instruction, so no interrupt slips in before the halt.
        c.sti();
        c.hlt();
        c.jmp(getChar.Label);
        code.Place(have);
        c.movzx(edx, al);
        c.inc(eax);
        c.mov(__dword_ptr[Layout.RingRead], eax);
        c.movzx(eax, __byte_ptr[edx + Layout.Ring]);
        c.sti();
        c.ret();
        code.Place(off);
        code.Print("\r\npower button\r\n");
        code.PowerOff();
    }

    /// <summary>ZF set when the line's first word is the string at EDI; then ESI stands behind it and its spaces.</summary>
    private static void EmitMatches(GuestCode code, Spot matches)
    {
        var c = code.Asm;
        var next = code.NewSpot();
        var end = code.NewSpot();
        var skip = code.NewSpot();
        var no = code.NewSpot();
        var yes = code.NewSpot();
        code.Place(matches);
        c.mov(esi, Layout.Line);
        code.Place(next);
        c.mov(al, __byte_ptr[edi]);
        c.test(al, al);
        c.je(end.Label);
        c.cmp(al, __byte_ptr[esi]);
        c.jne(no.Label);
        c.inc(esi);
        c.inc(edi);
        c.jmp(next.Label);
        code.Place(end);
        c.mov(al, __byte_ptr[esi]);
        c.test(al, al);
        c.je(yes.Label);
        c.cmp(al, (sbyte)' ');
        c.jne(no.Label);
        code.Place(skip);
        c.inc(esi);
        c.cmp(__byte_ptr[esi], ' ');
        c.je(skip.Label);
        c.xor(eax, eax);
        code.Place(yes);
        code.Place(no);
        c.ret();
    }

    private static void EmitHandlers(GuestCode code, Spot uart, Spot acpi)
    {
        var c = code.Asm;
        var next = code.NewSpot();
        var done = code.NewSpot();
        code.Place(uart);
        c.push(eax);
        c.push(ecx);
        c.push(edx);
        code.Place(next);
        c.mov(edx, Hardware.UartLineStatus);
        c.@in(al, dx);
        c.test(al, Hardware.DataReady);
        c.je(done.Label);
        c.mov(edx, Hardware.UartData);
        c.@in(al, dx);
        c.mov(ecx, __dword_ptr[Layout.RingWrite]);
        c.mov(edx, ecx);
        c.sub(edx, __dword_ptr[Layout.RingRead]);
        c.cmp(edx, 255);
        c.ja(next.Label); // full: the character is lost, as on a real terminal
        c.movzx(edx, cl);
        c.mov(__byte_ptr[edx + Layout.Ring], al);
        c.inc(ecx);
        c.mov(__dword_ptr[Layout.RingWrite], ecx);
        c.jmp(next.Label);
        code.Place(done);
        c.mov(al, Hardware.PicEndOfInterrupt);
        c.@out(Hardware.Pic1Command, al);
        c.pop(edx);
        c.pop(ecx);
        c.pop(eax);
        c.iretd();

        code.Place(acpi);
        c.push(eax);
        c.push(edx);
        c.mov(edx, Hardware.Pm1Status);
        c.@in(ax, dx);
        c.@out(dx, ax); // bits are cleared by writing ones
        c.test(eax, Hardware.PowerButtonBit);
        var other = code.NewSpot();
        c.je(other.Label);
        c.mov(__dword_ptr[Layout.PowerButton], 1);
        code.Place(other);
        c.mov(al, Hardware.PicEndOfInterrupt);
        c.@out(Hardware.Pic2Command, al);
        c.@out(Hardware.Pic1Command, al);
        c.pop(edx);
        c.pop(eax);
        c.iretd();
    }
}
