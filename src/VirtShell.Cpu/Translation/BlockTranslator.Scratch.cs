using Iced.Intel;

namespace VirtShell.Cpu.Translation;

/// <summary>
/// What the second scratch register still holds from earlier instructions: a TLB entry, or one of the guest registers that stay in
/// memory. It is known until an instruction that names the register has been written.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    private const uint ScratchBit = 1u << HostRegister.Scratch;
    private const uint Scratch2Bit = 1u << HostRegister.Scratch2;

    private static bool InMemory(Register register) => register is not (Register.None or Register.RIP or Register.EIP) && HostRegister.Of(register.GetNumber()) == HostRegister.None;

    private bool Holds(int what) => _now.Held == what && (_code.Touched & Scratch2Bit) == 0;

    /// <summary>The second scratch register holds this from now on.</summary>
    private void Hold(int what)
    {
        _now.Held = what;
        _code.Touched &= ~Scratch2Bit;
    }

    /// <summary>A guest register was written in the state.</summary>
    private void Forget(int guest) => _now.Held = _now.Held == guest ? -1 : _now.Held;

    /// <summary>Loads a guest register that stays in memory.</summary>
    private void LoadGuest(int to, int guest)
    {
        if (!Holds(guest))
        {
            _code.LoadState(to, StateOffset.Gpr(guest));
            if (to == HostRegister.Scratch2)
            {
                Hold(guest);
            }
        }
        else if (to != HostRegister.Scratch2)
        {
            _code.Move(to, HostRegister.Scratch2);
            Hold(guest);
        }
    }
}
