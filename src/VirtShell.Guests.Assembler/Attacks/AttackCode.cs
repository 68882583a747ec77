using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>What attacks are written with: loops, guards against the faults that they cause, and the machine's parts.</summary>
internal sealed partial class AttackCode(GuestCode code)
{
    private const int Exceptions = 32;
    private const uint LocalApicEoi = 0xFEE0_00B0;
    private const int Cr0Paging = unchecked((int)0x8000_0000);
    private const int Cr4Pse = 0x10;
    private const int Cr4Pae = 0x20;
    private const int Cr4FxsrAndXmm = 0x600;
    private const int Cr4Xsave = 1 << 18;
    private const int PresentWritable = 0x03;
    private const int LargePage = 0x80;
    private const int Efer = unchecked((int)0xC000_0080);
    private const int EferLme = 1 << 8;

    private readonly Spot _random = code.NewSpot();
    private readonly Spot _paging = code.NewSpot();
    private readonly Spot _enterLong = code.NewSpot();
    private readonly Spot _finish = code.NewSpot();
    private readonly Spot _exception = code.NewSpot();
    private readonly Spot _interrupt = code.NewSpot();
    private readonly Spot _longException = code.NewLongSpot();
    private readonly Spot _longInterrupt = code.NewLongSpot();
    private int _depth;

    public GuestCode Code => code;

    /// <summary>The 32-bit assembler.</summary>
    public Iced.Intel.Assembler C => code.Asm;

    /// <summary>The 64-bit assembler, for the bodies of <see cref="LongForever"/>.</summary>
    public Iced.Intel.Assembler L => code.Long;

    /// <summary>Runs the body for ever; a fault that nothing guards starts its next round.</summary>
    public void Forever(Action body)
    {
        var start = code.NewSpot();
        C.mov(__dword_ptr[AttackLayout.Resume], code.AddressOf(start));
        code.Place(start);
        body();
        C.jmp(start.Label);
    }

    /// <summary>Runs the body so many times. The count is in memory, so every register is the body's.</summary>
    public void Times(int count, Action body)
    {
        var counter = AttackLayout.Loops + ((uint)_depth++ * 4);
        C.mov(__dword_ptr[counter], count);
        var start = code.Here();
        body();
        C.dec(__dword_ptr[counter]);
        C.jne(start.Label);
        _depth--;
    }

    /// <summary>Goes on behind the body where that faults; the stack is empty then.</summary>
    public void Guarded(Action body)
    {
        var after = code.NewSpot();
        C.mov(__dword_ptr[AttackLayout.Resume], code.AddressOf(after));
        body();
        code.Place(after);
    }

    /// <summary>EAX = the next pseudo-random number. Changes EDX.</summary>
    public void Random() => C.call(_random.Label);

    /// <summary>Folds EAX into what is told at the end.</summary>
    public void Fold()
    {
        C.rol(__dword_ptr[AttackLayout.Checksum], 5);
        C.add(__dword_ptr[AttackLayout.Checksum], eax);
    }

    /// <summary>Tells how many faults there were, and switches off.</summary>
    public void Finish() => C.jmp(_finish.Label);

    /// <summary>Sets the handler of a vector. Changes EAX, EBX, ECX.</summary>
    public void SetGate(int vector, Spot handler)
    {
        C.mov(eax, vector);
        C.mov(ebx, code.AddressOf(handler));
        code.Call(Routine.SetGate);
    }

    public void WriteMsr(uint number, uint low, uint high = 0)
    {
        C.mov(ecx, number);
        C.mov(eax, low);
        C.mov(edx, high);
        C.wrmsr();
    }

    public void Out8(int port, int value) => code.Out(port, value);

    /// <summary>Fills memory with pseudo-random dwords. Changes EAX, ECX, EDX, EDI.</summary>
    public void FillRandom(uint address, int dwords)
    {
        C.mov(edi, address);
        C.mov(ecx, dwords);
        var next = code.Here();
        Random();
        C.stosd();
        C.dec(ecx);
        C.jne(next.Label);
    }

    /// <summary>Writes bytes of code to memory at run time. Changes EAX.</summary>
    public void Plant(uint address, params ReadOnlySpan<byte> bytes)
    {
        for (var i = 0; i < bytes.Length; i++)
        {
            C.mov(__byte_ptr[address + (uint)i], (sbyte)bytes[i]);
        }
    }

    /// <summary>Calls an absolute address. Changes EAX.</summary>
    public void CallTo(uint address)
    {
        C.mov(eax, address);
        C.call(eax);
    }

    /// <summary>32-bit paging: all addresses to themselves, the first 8 MiB by small pages. Changes EAX, ECX, EDI.</summary>
    public void Paging() => C.call(_paging.Label);

    /// <summary>The page table entry of an address in the first 8 MiB, after <see cref="Paging"/>.</summary>
    public static uint Entry(uint address) => AttackLayout.Tables + (address >> 12 << 2);

    /// <summary>Enters long mode (4 GiB to themselves) and runs the 64-bit body for ever; a fault starts its next round.</summary>
    public void LongForever(Action<Iced.Intel.Assembler> prepare, Action<Iced.Intel.Assembler> body)
    {
        var start = code.NewLongSpot();
        var round = code.NewLongSpot();
        C.mov(__dword_ptr[AttackLayout.Resume], code.AddressOf(round));
        C.mov(eax, code.AddressOf(start));
        C.jmp(_enterLong.Label);
        code.Place(start);
        prepare(L);
        code.Place(round);
        body(L);
        L.jmp(round.Label);
    }

    /// <summary>Interrupt controllers, gates, the end of RAM, and the vector units.</summary>
    public void Prepare()
    {
        C.mov(__dword_ptr[AttackLayout.Seed], 0x2545_F491);
        C.mov(eax, code.AddressOf(_finish));
        C.mov(__dword_ptr[AttackLayout.Resume], eax);
        code.Call(Routine.MemoryKib);
        C.shl(eax, 10);
        C.and(eax, unchecked((int)0xFFFF_F000));
        C.mov(__dword_ptr[AttackLayout.RamEnd], eax);
        code.Call(Routine.InterruptInit);
        C.mov(__dword_ptr[Layout.Tss + 4], Layout.StackTop);
        C.mov(__dword_ptr[Layout.Tss + 8], (int)Layout.DataSelector);
        C.mov(__dword_ptr[Layout.Tss + 0x64], Layout.TssSize << 16);
        C.mov(eax, (int)Layout.TssSelector);
        C.ltr(ax);
        C.xor(eax, eax);
        C.mov(ebx, code.AddressOf(_exception));
        var next = code.Here();
        var low = code.NewSpot();
        C.cmp(eax, Exceptions);
        C.jb(low.Label);
        C.mov(ebx, code.AddressOf(_interrupt));
        code.Place(low);
        code.Call(Routine.SetGate);
        C.inc(eax);
        C.cmp(eax, 256);
        C.jb(next.Label);

        // A processor without these bits refuses them, and so what needs them.
        C.fninit();
        Guarded(() =>
        {
            C.mov(eax, cr4);
            C.or(eax, Cr4FxsrAndXmm);
            C.mov(cr4, eax);
        });
        Guarded(() =>
        {
            C.mov(eax, cr4);
            C.or(eax, Cr4Xsave);
            C.mov(cr4, eax);
            C.mov(eax, 7);
            C.xor(ecx, ecx);
            C.xor(edx, edx);
            C.xsetbv();
        });
        C.mov(eax, code.AddressOf(_finish));
        C.mov(__dword_ptr[AttackLayout.Resume], eax);
    }

    /// <summary>What the attacks share, behind them.</summary>
    public void EmitShared()
    {
        EmitRandom();
        EmitPaging();
        EmitEnterLong();
        EmitHandlers();
        EmitFinish();
    }

    private void EmitRandom()
    {
        code.Place(_random);
        C.mov(eax, __dword_ptr[AttackLayout.Seed]);
        foreach (var shift in (ReadOnlySpan<int>)[13, -17, 5])
        {
            C.mov(edx, eax);
            if (shift > 0)
            {
                C.shl(edx, (byte)shift);
            }
            else
            {
                C.shr(edx, (byte)-shift);
            }

            C.xor(eax, edx);
        }

        C.mov(__dword_ptr[AttackLayout.Seed], eax);
        C.ret();
    }

    private void EmitPaging()
    {
        code.Place(_paging);
        C.mov(edi, AttackLayout.Directory);
        C.mov(eax, PresentWritable | LargePage);
        var directory = code.Here();
        C.stosd();
        C.add(eax, 0x40_0000);
        C.cmp(edi, AttackLayout.Directory + 0x1000);
        C.jb(directory.Label);
        C.mov(__dword_ptr[AttackLayout.Directory], AttackLayout.Tables | PresentWritable);
        C.mov(__dword_ptr[AttackLayout.Directory + 4], (AttackLayout.Tables + 0x1000) | PresentWritable);
        C.mov(edi, AttackLayout.Tables);
        C.mov(eax, PresentWritable);
        var table = code.Here();
        C.stosd();
        C.add(eax, 0x1000);
        C.cmp(edi, AttackLayout.Tables + 0x2000);
        C.jb(table.Label);
        C.mov(eax, AttackLayout.Directory);
        C.mov(cr3, eax);
        C.mov(eax, cr4);
        C.or(eax, Cr4Pse);
        C.mov(cr4, eax);
        C.mov(eax, cr0);
        C.or(eax, Cr0Paging);
        C.mov(cr0, eax);
        C.ret();
    }

    /// <summary>The tables of long mode. Changes EAX, ECX, EDI.</summary>
    public void BuildLongTables()
    {
        C.mov(__dword_ptr[AttackLayout.Pml4], AttackLayout.Pdpt | PresentWritable);
        C.mov(edi, AttackLayout.LongDirectories);
        C.mov(eax, PresentWritable | LargePage);
        var fill = code.Here();
        C.stosd();
        C.mov(__dword_ptr[edi], 0);
        C.add(edi, 4);
        C.add(eax, 0x20_0000);
        C.cmp(edi, AttackLayout.LongDirectories + 0x4000);
        C.jb(fill.Label);
        for (var i = 0u; i < 4; i++)
        {
            C.mov(__dword_ptr[AttackLayout.Pdpt + (i * 8)], (AttackLayout.LongDirectories + (i * 0x1000)) | PresentWritable);
        }
    }

    private void EmitEnterLong()
    {
        code.Place(_enterLong);
        C.mov(ebp, eax);
        BuildLongTables();

        // 256 gates of 16 bytes.
        C.mov(edi, AttackLayout.LongIdt);
        C.mov(ebx, code.AddressOf(_longException));
        C.mov(ecx, 256);
        var gate = code.Here();
        var same = code.NewSpot();
        C.cmp(ecx, 256 - Exceptions);
        C.ja(same.Label);
        C.mov(ebx, code.AddressOf(_longInterrupt));
        code.Place(same);
        C.mov(eax, ebx);
        C.and(eax, 0xFFFF);
        C.or(eax, Layout.LongCodeSelector << 16);
        C.stosd();
        C.mov(eax, ebx);
        C.and(eax, unchecked((int)0xFFFF_0000));
        C.or(eax, 0x8E00);
        C.stosd();
        C.add(edi, 8);
        C.dec(ecx);
        C.jne(gate.Label);
        code.LoadTable(AttackLayout.LongIdt, 0xFFF, isIdt: true);
        C.mov(eax, cr4);
        C.or(eax, Cr4Pae);
        C.mov(cr4, eax);
        C.mov(eax, AttackLayout.Pml4);
        C.mov(cr3, eax);
        C.mov(ecx, Efer);
        C.rdmsr();
        C.or(eax, EferLme);
        C.wrmsr();
        C.mov(eax, cr0);
        C.or(eax, Cr0Paging);
        C.mov(cr0, eax);
        C.push((int)Layout.LongCodeSelector);
        C.push(ebp);
        C.retf();
    }

    private void EmitHandlers()
    {
        code.Place(_exception);
        C.mov(eax, (int)Layout.DataSelector);
        C.mov(ds, ax);
        C.mov(es, ax);
        C.mov(ss, ax);
        C.mov(esp, Layout.StackTop);
        C.push(2);
        C.popfd();
        C.inc(__dword_ptr[AttackLayout.Faults]);
        C.jmp(__dword_ptr[AttackLayout.Resume]);

        code.Place(_interrupt);
        C.push(eax);
        C.inc(__dword_ptr[AttackLayout.Interrupts]);
        C.mov(al, Hardware.PicEndOfInterrupt);
        C.@out(Hardware.Pic2Command, al);
        C.@out(Hardware.Pic1Command, al);
        C.mov(__dword_ptr[LocalApicEoi], 0);
        C.pop(eax);
        C.iretd();

        code.Place(_longException);
        L.mov(esp, Layout.StackTop);
        L.push(2);
        L.popfq();
        L.inc(__dword_ptr[AttackLayout.Faults]);
        L.mov(eax, __dword_ptr[AttackLayout.Resume]);
        L.jmp(rax);

        code.Place(_longInterrupt);
        L.push(rax);
        L.inc(__dword_ptr[AttackLayout.Interrupts]);
        L.mov(eax, LocalApicEoi);
        L.mov(__dword_ptr[rax], 0);
        L.pop(rax);
        L.iretq();
    }

    private void EmitFinish()
    {
        code.Place(_finish);
        C.cli();
        code.Call(Routine.SerialInit);
        code.Print("survived; faults ");
        C.mov(eax, __dword_ptr[AttackLayout.Faults]);
        code.Call(Routine.PutDecimal);
        code.Print(", saw ");
        C.mov(eax, __dword_ptr[AttackLayout.Checksum]);
        code.Call(Routine.PutHex);
        code.Print("\r\n");
        code.PowerOff();
    }
}
