using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Programs;

/// <summary>Writes one dword to each page from 2 MiB to the end of RAM, then reads all of them back.</summary>
internal sealed class MemoryHog : IGuestProgram
{
    private const int PageSize = 0x1000;
    private const int ProgressStep = 16 << 20;

    public string Name => "memory-hog";

    public string Description => "Touches all RAM page by page with progress, checks it, then powers off.";

    public void Emit(GuestCode code)
    {
        var c = code.Asm;
        var unknown = code.NewSpot();
        var write = code.NewSpot();
        var quiet = code.NewSpot();
        var written = code.NewSpot();
        var read = code.NewSpot();
        var good = code.NewSpot();
        var wrong = code.NewSpot();
        code.Begin();
        code.Print("Eating ");
        code.Call(Routine.PutMemory);
        code.Print("\r\n");
        code.Call(Routine.MemoryKib);
        c.shr(eax, 2);
        c.je(unknown.Label);
        c.shl(eax, 12);
        c.mov(ebp, eax); // the end of RAM, whole pages
        c.mov(ebx, Layout.Free);

        code.Place(write);
        c.cmp(ebx, ebp);
        c.jae(written.Label);
        c.mov(__dword_ptr[ebx], ebx);
        c.add(ebx, PageSize);
        c.test(ebx, ProgressStep - 1);
        c.jne(quiet.Label);
        code.Print("touched ");
        c.mov(eax, ebx);
        c.shr(eax, 20);
        code.Call(Routine.PutDecimal);
        code.Print(" MiB\r\n");
        code.Place(quiet);
        c.jmp(write.Label);

        code.Place(written);
        c.mov(ebx, Layout.Free);
        code.Place(read);
        c.cmp(ebx, ebp);
        c.jae(good.Label);
        c.cmp(__dword_ptr[ebx], ebx);
        c.jne(wrong.Label);
        c.add(ebx, PageSize);
        c.jmp(read.Label);
        code.Place(good);
        code.Print("All pages hold what was written.\r\n");
        code.PowerOff();
        code.Place(wrong);
        code.Print("MISMATCH at ");
        c.mov(eax, ebx);
        code.Call(Routine.PutHex);
        code.Print("\r\n");
        code.PowerOff();
        code.Place(unknown);
        code.Print("The loader did not say how much.\r\n");
        code.PowerOff();
    }
}
