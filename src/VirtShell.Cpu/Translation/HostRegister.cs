namespace VirtShell.Cpu.Translation;

/// <summary>Host general registers by number, and what each holds while emitted code runs.</summary>
/// <remarks>
/// Guest RAX RCX RDX RBX RBP RSI RDI and R12–R15 live in the registers of the same name, so that MUL, DIV and shifts by CL
/// need no moves; guest RSP lives in R8; guest R8–R11 stay in <see cref="CpuState"/>, which GS addresses. Host RSP is the
/// <see cref="ReturnStack"/>'s.
/// </remarks>
internal static class HostRegister
{
    public const int Rax = 0;
    public const int Rcx = 1;
    public const int Rdx = 2;
    public const int Rbx = 3;
    public const int Rsp = 4;
    public const int Rbp = 5;
    public const int Rsi = 6;
    public const int Rdi = 7;

    /// <summary>Guest RSP.</summary>
    public const int GuestRsp = 8;

    /// <summary>Scratch: the linear address, then the host address of a memory operand.</summary>
    public const int Scratch = 9;

    /// <summary>Scratch: TLB entry during a check; free after it.</summary>
    public const int Scratch2 = 10;

    /// <summary>Instructions of the running budget that are left.</summary>
    public const int Budget = 11;

    /// <summary>Stands for "in memory": guest R8–R11.</summary>
    public const int None = -1;

    /// <summary>Host register of a guest register number, or <see cref="None"/>.</summary>
    public static int Of(int guest) => guest switch
    {
        4 => GuestRsp,
        >= 8 and <= 11 => None,
        < 0 or > 15 => throw new System.ArgumentOutOfRangeException(nameof(guest), guest, "No general register has this number."),
        _ => guest,
    };
}
