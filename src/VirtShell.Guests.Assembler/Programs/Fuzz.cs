using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Programs;

/// <summary>
/// Fills a page with pseudo-random bytes, jumps there in ring 3, and starts over at whatever exception or timer tick
/// comes. The pages that ring 3 may touch hold nothing else, so the guest itself cannot be harmed.
/// </summary>
internal sealed class Fuzz : IGuestProgram
{
    private const int Pieces = 20_000;
    private const int PieceDwords = 16;

    private const uint Directory = Layout.PageTables;
    private const uint Table = Layout.PageTables + 0x1000;
    private const int PresentWritable = 0x03;
    private const int PresentWritableUser = 0x07;

    private const uint UserCode = Layout.Free;
    private const uint UserData = Layout.Free + 0x1000;
    private const uint UserStack = Layout.Free + 0x2800;
    private const int UserPages = 4;

    private const uint Seed = Layout.Counter;
    private const uint Checksum = Layout.RingWrite;
    private const uint Left = Layout.RingRead;
    private const uint FirstSeed = Layout.PowerButton;

    private const int Vectors = Hardware.IrqBase + 1;
    private const int TimerHz = 10_000;
    private const int Channel0RateGenerator = 0x34;
    private const int InterruptsOn = 0x202;
    private const int Cr0Paging = unchecked((int)0x8000_0000);
    private const int Cr0MonitorCoprocessor = 0x02;
    private const int Cr0NumericError = 0x20;
    private const int Cr4OsFxsrAndXmm = 0x600;

    /// <summary>Multiboot information: flags bit 2 says that the command line is there (section 3.3).</summary>
    private const int InfoHasCommandLine = 4;
    private const int InfoCommandLine = 16;

    public string Name => "fuzz";

    public string Description => "Runs pseudo-random bytes in ring 3 (seed on the command line), counts the faults, then powers off.";

    public void Emit(GuestCode code)
    {
        var c = code.Asm;
        var common = code.NewSpot();
        var next = code.NewSpot();
        code.Begin();
        EmitSeed(code);
        code.Print("fuzz seed ");
        c.mov(eax, __dword_ptr[Seed]);
        code.Call(Routine.PutDecimal);
        code.Print("\r\n");
        EmitPaging(code);

        // Ring 0 gets its stack from the TSS; its I/O bitmap lies past its end, so that ring 3 has no ports.
        c.mov(__dword_ptr[Layout.Tss + 4], Layout.StackTop);
        c.mov(__dword_ptr[Layout.Tss + 8], (int)Layout.DataSelector);
        c.mov(__dword_ptr[Layout.Tss + 0x64], Layout.TssSize << 16);
        c.mov(eax, Layout.TssSelector);
        c.ltr(ax);

        code.Call(Routine.InterruptInit);
        var stubs = new Spot[Vectors];
        for (var vector = 0; vector < Vectors; vector++)
        {
            stubs[vector] = code.NewSpot();
            c.mov(eax, vector);
            c.mov(ebx, code.AddressOf(stubs[vector]));
            code.Call(Routine.SetGate);
        }

        const int divisor = Hardware.PitHz / TimerHz;
        code.Out(Hardware.PitCommand, Channel0RateGenerator);
        code.Out(Hardware.PitChannel0, divisor & 0xFF);
        code.Out(Hardware.PitChannel0, divisor >> 8);
        code.Out(Hardware.Pic1Data, 0xFF & ~1);
        c.mov(__dword_ptr[Left], Pieces);

        code.Place(next);
        c.dec(__dword_ptr[Left]);
        var report = code.NewSpot();
        c.js(report.Label);
        EmitPiece(code);

        for (var vector = 0; vector < Vectors; vector++)
        {
            code.Place(stubs[vector]);
            c.push(vector);
            c.jmp(common.Label);
        }

        code.Place(common);
        EmitHandler(code, next);
        code.Place(report);
        EmitReport(code);
    }

    /// <summary>The first decimal number on the command line, else 1; never 0, which xorshift cannot leave.</summary>
    private static void EmitSeed(GuestCode code)
    {
        var c = code.Asm;
        var search = code.NewSpot();
        var digit = code.NewSpot();
        var done = code.NewSpot();
        var keep = code.NewSpot();
        c.xor(ecx, ecx);
        c.mov(ebx, __dword_ptr[Layout.BootInfo]);
        c.test(__byte_ptr[ebx], InfoHasCommandLine);
        c.je(done.Label);
        c.mov(esi, __dword_ptr[ebx + InfoCommandLine]);
        code.Place(search);
        c.lodsb();
        c.test(al, al);
        c.je(done.Label);
        c.sub(al, (sbyte)'0');
        c.cmp(al, 9);
        c.ja(search.Label);
        code.Place(digit);
        c.movzx(eax, al);
        c.imul(ecx, ecx, 10);
        c.add(ecx, eax);
        c.lodsb();
        c.sub(al, (sbyte)'0');
        c.cmp(al, 9);
        c.jbe(digit.Label);
        code.Place(done);
        c.test(ecx, ecx);
        c.jne(keep.Label);
        c.inc(ecx);
        code.Place(keep);
        c.mov(__dword_ptr[Seed], ecx);
        c.mov(__dword_ptr[FirstSeed], ecx);
    }

    private static void EmitPaging(GuestCode code)
    {
        var c = code.Asm;
        c.mov(__dword_ptr[Directory], Table | PresentWritableUser);
        c.mov(edi, Table);
        c.mov(eax, PresentWritable);
        var fill = code.Here();
        c.stosd();
        c.add(eax, 0x1000);
        c.cmp(edi, Table + 0x1000);
        c.jb(fill.Label);
        for (var page = 0u; page < UserPages; page++)
        {
            var address = UserCode + (page * 0x1000);
            c.mov(__dword_ptr[Table + (address >> 12 << 2)], address | PresentWritableUser);
        }

        c.mov(eax, Directory);
        c.mov(cr3, eax);
        c.mov(eax, cr4);
        c.or(eax, Cr4OsFxsrAndXmm);
        c.mov(cr4, eax);
        c.mov(eax, cr0);
        c.or(eax, Cr0Paging | Cr0MonitorCoprocessor | Cr0NumericError);
        c.mov(cr0, eax);
    }

    /// <summary>Writes the next piece, gives every register a value that leads somewhere, and goes to ring 3.</summary>
    private static void EmitPiece(GuestCode code)
    {
        var c = code.Asm;
        c.mov(eax, __dword_ptr[Seed]);
        c.mov(edi, UserCode);
        c.mov(ecx, PieceDwords);
        var more = code.Here();
        EmitXorshift(code);
        c.stosd();
        c.dec(ecx);
        c.jne(more.Label);
        c.mov(__dword_ptr[Seed], eax);

        // What runs past the piece meets an invalid opcode.
        c.mov(__dword_ptr[edi], 0x0B0F_0B0F);
        c.fninit();
        c.sub(esp, 4);
        c.mov(__dword_ptr[esp], 0x1F80); // the reset value: every exception masked
        c.ldmxcsr(__dword_ptr[esp]);
        c.push((int)Layout.UserDataSelector);
        c.push(unchecked((int)UserStack));
        c.push(InterruptsOn);
        c.push((int)Layout.UserCodeSelector);
        c.push(unchecked((int)UserCode));
        c.mov(edx, (int)Layout.UserDataSelector);
        c.mov(ds, dx);
        c.mov(es, dx);
        c.mov(fs, dx);
        c.mov(gs, dx);
        c.mov(ebx, UserData);
        c.mov(esi, UserData + 0x400);
        c.mov(edi, UserData + 0x800);
        c.mov(ebp, UserStack);
        c.mov(ecx, 5);
        c.mov(edx, UserCode + 0x40);
        c.iretd();
    }

    private static void EmitXorshift(GuestCode code)
    {
        var c = code.Asm;
        c.mov(edx, eax);
        c.shl(edx, 13);
        c.xor(eax, edx);
        c.mov(edx, eax);
        c.shr(edx, 17);
        c.xor(eax, edx);
        c.mov(edx, eax);
        c.shl(edx, 5);
        c.xor(eax, edx);
    }

    /// <summary>Counts the vector, folds it and the registers into the checksum, and starts over.</summary>
    private static void EmitHandler(GuestCode code, Spot next)
    {
        var c = code.Asm;
        var notTimer = code.NewSpot();
        c.pushad();
        c.cld();
        c.mov(eax, (int)Layout.DataSelector);
        c.mov(ds, ax);
        c.mov(es, ax);
        c.mov(esi, esp);
        c.mov(ebx, __dword_ptr[Checksum]);
        for (var dwords = 0; dwords <= 8; dwords++)
        {
            c.lodsd();
            c.rol(ebx, 7);
            c.add(ebx, eax);
        }

        // EAX was read last: the vector, above the eight registers.
        c.mov(__dword_ptr[Checksum], ebx);
        c.inc(__dword_ptr[(eax * 4) + Layout.VectorCounts]);
        c.cmp(eax, Hardware.IrqBase);
        c.jne(notTimer.Label);
        c.mov(al, Hardware.PicEndOfInterrupt);
        c.@out(Hardware.Pic1Command, al);
        code.Place(notTimer);
        c.mov(esp, Layout.StackTop);
        c.jmp(next.Label);
    }

    private static void EmitReport(GuestCode code)
    {
        var c = code.Asm;
        var skip = code.NewSpot();
        c.xor(ebx, ebx);
        var more = code.Here();
        c.cmp(__dword_ptr[(ebx * 4) + Layout.VectorCounts], 0);
        c.je(skip.Label);
        code.Print("vector ");
        c.mov(eax, ebx);
        code.Call(Routine.PutDecimal);
        code.Print(": ");
        c.mov(eax, __dword_ptr[(ebx * 4) + Layout.VectorCounts]);
        code.Call(Routine.PutDecimal);
        code.Print("\r\n");
        code.Place(skip);
        c.inc(ebx);
        c.cmp(ebx, Vectors);
        c.jb(more.Label);
        code.Print("checksum ");
        c.mov(eax, __dword_ptr[Checksum]);
        code.Call(Routine.PutHex);
        code.Print("\r\n");
        code.PowerOff();
    }
}
