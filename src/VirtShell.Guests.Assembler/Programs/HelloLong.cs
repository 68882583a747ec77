using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Programs;

/// <summary>Enters long mode with 2 MiB pages that map the first GiB to itself.</summary>
internal sealed class HelloLong : IGuestProgram
{
    private const uint Pml4 = Layout.PageTables;
    private const uint Pdpt = Layout.PageTables + 0x1000;
    private const uint PageDirectory = Layout.PageTables + 0x2000;
    private const int PresentWritable = 0x03;
    private const int LargePage = 0x80;
    private const int Cr4Pae = 1 << 5;
    private const int EferMsr = unchecked((int)0xC000_0080);
    private const int EferLme = 1 << 8;
    private const int Cr0PagingAndWriteProtect = unchecked((int)0x8001_0000);
    private const int ExtendedFeatures = unchecked((int)0x8000_0001);
    private const int LongModeBit = 29;

    public string Name => "hello64";

    public string Description => "Enters long mode with its own page tables, prints a greeting, then powers off.";

    public void Emit(GuestCode code)
    {
        var c = code.Asm;
        var noLongMode = code.NewSpot();
        var longStart = code.NewLongSpot();
        var back = code.NewSpot();
        code.Begin();

        c.mov(eax, ExtendedFeatures);
        c.cpuid();
        c.bt(edx, LongModeBit);
        c.jae(noLongMode.Label);

        c.mov(__dword_ptr[Pml4], Pdpt | PresentWritable);
        c.mov(__dword_ptr[Pdpt], PageDirectory | PresentWritable);
        c.mov(edi, PageDirectory);
        c.mov(eax, PresentWritable | LargePage);
        var fill = code.Here();
        c.mov(__dword_ptr[edi], eax);
        c.add(edi, 8);
        c.add(eax, 0x20_0000);
        c.cmp(edi, PageDirectory + 0x1000);
        c.jb(fill.Label);

        c.mov(eax, cr4);
        c.or(eax, Cr4Pae);
        c.mov(cr4, eax);
        c.mov(eax, Pml4);
        c.mov(cr3, eax);
        c.mov(ecx, EferMsr);
        c.rdmsr();
        c.or(eax, EferLme);
        c.wrmsr();
        c.mov(eax, cr0);
        c.or(eax, Cr0PagingAndWriteProtect);
        c.mov(cr0, eax);
        c.push(Layout.LongCodeSelector);
        c.mov(eax, code.AddressOf(longStart));
        c.push(eax);
        c.retf();

        code.Place(noLongMode);
        code.Print("This processor has no long mode.\r\n");
        code.PowerOff();

        // Back in compatibility mode: the rest is shared with the 32-bit guests.
        code.Place(back);
        c.mov(eax, Layout.DataSelector);
        c.mov(ss, ax);
        code.Print("Hello from VirtShell: a 64-bit guest with ");
        code.Call(Routine.PutMemory);
        code.Print(" of memory; 0x9e3779b97f4a7c15 squared is 0x");
        c.mov(eax, __dword_ptr[Layout.Counter + 4]);
        code.Call(Routine.PutHex);
        c.mov(eax, __dword_ptr[Layout.Counter]);
        code.Call(Routine.PutHex);
        code.Print(".\r\n");
        code.PowerOff();

        // Work that no other mode does: R8-R15 and a 64-bit product, of 2^64 divided by the golden ratio with itself.
        var l = code.Long;
        code.Place(longStart);
        l.mov(r8, 0x9E37_79B9_7F4A_7C15UL);
        l.mov(r9, r8);
        l.imul(r9, r8);
        l.mov(__qword_ptr[Layout.Counter], r9);
        l.push(Layout.CodeSelector);
        l.mov(eax, code.AddressOf(back));
        l.push(rax);
        l.db(0x48, 0xCB); // far return with 64-bit operands
    }
}
