namespace VirtShell.Cpu.Translation;

/// <summary>Host general registers by number, and what each holds while emitted code runs.</summary>
/// <remarks>
/// Guest RAX RCX RDX RBX RBP RSI RDI and R12–R15 live in the registers of the same name, so that MUL, DIV and shifts by CL
/// need no moves; guest RSP lives in R8; guest R8–R11 and the budget stay in <see cref="CpuState"/>. Host RSP is the
/// <see cref="ReturnStack"/>'s. A register addresses the state, and not a segment: what was stored to a place that plain base and
/// displacement name, processors hand to the next load of it without delay, so that such a place is nearly as good as a register.
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

    /// <summary>The <see cref="CpuState"/>, <see cref="StateBias"/> bytes behind its start.</summary>
    public const int State = 11;

    /// <summary>What the state's most used fields can then be reached by in one byte of displacement.</summary>
    public const int StateBias = 128;

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
