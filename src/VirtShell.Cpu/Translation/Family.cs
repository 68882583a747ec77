namespace VirtShell.Cpu.Translation;

/// <summary>How the translator treats an instruction: one emitter each.</summary>
internal enum Family : byte
{
    /// <summary>Handed to the interpreter from inside the block.</summary>
    CallOut,

    /// <summary>Ends the block and is handed to the interpreter: it changes mode, paging, or what translations depend on.</summary>
    Exit,

    /// <summary>Runs as it is, with registers and memory operand replaced; flags neither read nor written.</summary>
    Plain,

    /// <summary>As <see cref="Plain"/>, reads flags (SETcc, CMOVcc).</summary>
    Reader,

    /// <summary>No operation at all (hints, prefetches).</summary>
    Nothing,
    Lea,

    /// <summary>ADD, SUB, CMP, AND, OR, XOR, TEST.</summary>
    Alu,

    /// <summary>ADC, SBB: all flags from operands and CF.</summary>
    AluCarry,
    Negate,

    /// <summary>INC, DEC: CF stays.</summary>
    Increment,

    /// <summary>SHL, SHR, SAR.</summary>
    Shift,

    /// <summary>ROL, ROR: SF, ZF, AF and PF stay.</summary>
    Rotate,

    /// <summary>SHLD, SHRD.</summary>
    DoubleShift,

    /// <summary>IMUL with two or three operands.</summary>
    Imul,

    /// <summary>MUL, IMUL with one operand.</summary>
    MultiplyWide,
    Divide,

    /// <summary>BT, BTS, BTR, BTC: only CF changes.</summary>
    BitTest,

    /// <summary>BSF, BSR, LZCNT, TZCNT, POPCNT, BLSI, BLSR, BLSMSK: flags from the source.</summary>
    SourceFlags,

    /// <summary>ANDN, BEXTR: flags as of a logical operation.</summary>
    ResultFlags,

    /// <summary>Flags wholly and exactly as the host leaves them: CMPXCHG, XADD, COMISD, PTEST, PCMPxSTRx.</summary>
    ExactFlags,

    /// <summary>Some flags as the host leaves them, the others stay: CMC, CLC, STC, ADCX, ADOX, CMPXCHG8B.</summary>
    PartialFlags,

    /// <summary>CLI, STI, CLD, STD, CLAC, STAC: bits of RFLAGS that are no status flags.</summary>
    SystemFlag,
    SwapGs,

    /// <summary>RDTSC, RDTSCP.</summary>
    Timestamp,

    /// <summary>REP STOS, REP MOVS.</summary>
    Repeat,

    /// <summary>MOV of a segment register to a general one or to memory.</summary>
    Selector,

    /// <summary>RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE.</summary>
    SegmentBase,

    /// <summary>MOV of CR2 to a general register.</summary>
    FaultAddress,

    /// <summary>SYSCALL.</summary>
    SystemCall,

    /// <summary>SYSRET to 64-bit code.</summary>
    SystemReturn,
    Push,
    Pop,
    Leave,
    Call,
    Return,
    Jump,
    Branch,
}
