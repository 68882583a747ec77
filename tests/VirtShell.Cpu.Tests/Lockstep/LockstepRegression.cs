namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>A few instructions on which the engines once differed, with the registers that they differed from.</summary>
/// <param name="Name">What went wrong, in a few words.</param>
/// <param name="Mode">Surroundings.</param>
/// <param name="Code">The instructions, in hexadecimal; they are run from their first byte over and over.</param>
/// <param name="Flags">RFLAGS at their start.</param>
/// <param name="Mxcsr">MXCSR at their start.</param>
/// <param name="Registers">RAX RCX RDX RBX RSP RBP RSI RDI R8–R15, and after them YMM0–YMM15 as quadwords, in hexadecimal with commas between; those left out are 0.</param>
internal sealed record LockstepRegression(string Name, GuestMode Mode, string Code, uint Flags, uint Mxcsr, string Registers);
