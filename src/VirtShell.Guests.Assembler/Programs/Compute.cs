using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Programs;

/// <summary>
/// An integer loop whose instruction count is known (VirtShell.Guests.ComputeGuest says it to users). Nothing is printed before it.
/// </summary>
internal sealed class Compute : IGuestProgram
{
    public const int Iterations = 10_000_000;
    public const int InstructionsPerIteration = 10;

    public string Name => "compute";

    public string Description => "Runs an integer loop of exactly 100,000,000 instructions, prints a checksum, then powers off.";

    public void Emit(GuestCode code)
    {
        var c = code.Asm;
        code.Begin();
        c.mov(eax, 1);
        c.xor(ebx, ebx);
        c.mov(ecx, Iterations);
        c.mov(edi, Layout.Ring);

        // A linear congruential generator (Numerical Recipes) folded into a checksum through memory.
        var loop = code.Here();
        c.imul(eax, eax, 1664525);
        c.add(eax, 1013904223);
        c.mov(edx, eax);
        c.shr(edx, 24);
        c.xor(ebx, eax);
        c.rol(ebx, 5);
        c.add(__dword_ptr[edi], edx);
        c.add(ebx, __dword_ptr[edi]);
        c.dec(ecx);
        c.jne(loop.Label);

        c.push(ebx);
        code.Print("checksum ");
        c.pop(eax);
        code.Call(Routine.PutHex);
        code.Print("\r\n");
        code.PowerOff();
    }
}
