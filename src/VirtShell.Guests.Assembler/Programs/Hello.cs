namespace VirtShell.Guests.Assembler.Programs;

internal sealed class Hello : IGuestProgram
{
    public string Name => "hello";

    public string Description => "Prints a greeting with the memory size (32-bit), then powers off.";

    public void Emit(GuestCode code)
    {
        code.Begin();
        code.Print("Hello from VirtShell: a 32-bit guest with ");
        code.Call(Routine.PutMemory);
        code.Print(" of memory.\r\n");
        code.PowerOff();
    }
}
