namespace VirtShell.Cpu.Translation;

/// <summary>
/// The way into emitted code and out of it, and the calls that it makes. Each processor has its own copy at the start of its
/// code memory. System V AMD64 calling convention.
/// </summary>
internal sealed unsafe class Stubs
{
    /// <summary>What entering emitted code gives back: it left through an exit record.</summary>
    public const int Exited = 0;

    /// <summary>What entering emitted code gives back: a call has already put the state in order.</summary>
    public const int Settled = 1;

    private const int RegisterCount = 16;
    private static readonly int[] Preserved = [HostRegister.Rbx, HostRegister.Rbp, 12, 13, 14, 15];

    public Stubs(ref CodeWriter code, nint missRead, nint missWrite, nint callOut, nint loadFlags)
    {
        Exit = code.Executable;
        EmitExit(ref code);
        Enter = (delegate* unmanaged<CpuState*, byte*, int>)code.Executable;
        EmitEnter(ref code, withFlags: false);
        EnterWithFlags = (delegate* unmanaged<CpuState*, byte*, int>)code.Executable;
        EmitEnter(ref code, withFlags: true);
        MissRead = code.Executable;
        EmitMiss(ref code, missRead);
        MissWrite = code.Executable;
        EmitMiss(ref code, missWrite);
        CallOut = code.Executable;
        EmitCallOut(ref code, callOut);
        LoadFlags = code.Executable;
        EmitLoadFlags(ref code, loadFlags);
    }

    public delegate* unmanaged<CpuState*, byte*, int> Enter { get; }

    /// <summary>As <see cref="Enter"/>, with <see cref="CpuState.FlagImage"/> in RFLAGS.</summary>
    public delegate* unmanaged<CpuState*, byte*, int> EnterWithFlags { get; }

    /// <summary>Where every exit jumps to, its number in <see cref="CpuState.ExitId"/>.</summary>
    public byte* Exit { get; }

    /// <summary>Called with a linear address in the scratch register after a TLB miss; comes back to try again.</summary>
    public byte* MissRead { get; }

    public byte* MissWrite { get; }

    public byte* CallOut { get; }

    /// <summary>Puts the guest's status flags into RFLAGS; changes no register.</summary>
    public byte* LoadFlags { get; }

    private static void EmitEnter(ref CodeWriter code, bool withFlags)
    {
        foreach (int register in Preserved)
        {
            code.Rex(false, 0, register);
            code.Byte(0x50 | (register & 7));
        }

        code.AluImmediate(CodeWriter.Sub, HostRegister.Rsp, 8);

        if (GsBase.IsInstruction)
        {
            // wrgsbase rdi
            code.Byte(0xF3);
            code.Byte(0x48);
            code.Byte(0x0F);
            code.Byte(0xAE);
            code.ModRegister(3, HostRegister.Rdi);
        }

        code.Move(HostRegister.Scratch2, HostRegister.Rsi);
        LoadAll(ref code);
        Mxcsr(ref code, 2, StateOffset.NativeMxcsr);
        if (withFlags)
        {
            PushFlagImage(ref code);
        }

        // jmp r10
        code.Byte(0x41);
        code.Byte(0xFF);
        code.ModRegister(4, HostRegister.Scratch2);
    }

    private static void EmitExit(ref CodeWriter code)
    {
        SaveAll(ref code);
        HostControl(ref code);
        code.AluRegister(CodeWriter.Xor, HostRegister.Rax, HostRegister.Rax, wide: false);
        Epilogue(ref code);
    }

    private static void Epilogue(ref CodeWriter code)
    {
        // vzeroupper
        code.Byte(0xC5);
        code.Byte(0xF8);
        code.Byte(0x77);
        code.AluImmediate(CodeWriter.Add, HostRegister.Rsp, 8);
        for (int i = Preserved.Length - 1; i >= 0; i--)
        {
            code.Rex(false, 0, Preserved[i]);
            code.Byte(0x58 | (Preserved[i] & 7));
        }

        code.Byte(0xC3);
    }

    private void EmitMiss(ref CodeWriter code, nint target)
    {
        // What a C# callee may overwrite: caller-saved general registers and all vectors.
        int[] general = [HostRegister.Rax, HostRegister.Rcx, HostRegister.Rdx, HostRegister.Rsi, HostRegister.Rdi, HostRegister.GuestRsp];
        foreach (int register in general)
        {
            code.StoreState(StateOffset.Gpr(GuestOf(register)), register);
        }

        code.StoreState(StateOffset.Budget, HostRegister.Budget);
        code.StoreState(StateOffset.Parked, HostRegister.Scratch);
        Vectors(ref code, store: true);
        HostControl(ref code);
        code.Move(HostRegister.Rsi, HostRegister.Scratch);
        CallManaged(ref code, target);
        Mxcsr(ref code, 2, StateOffset.NativeMxcsr);

        // test eax, eax
        code.Byte(0x85);
        code.ModRegister(0, 0);
        Vectors(ref code, store: false);
        code.LoadState(HostRegister.Budget, StateOffset.Budget);
        code.LoadState(HostRegister.Scratch, StateOffset.Parked);
        foreach (int register in general)
        {
            code.LoadState(register, StateOffset.Gpr(GuestOf(register)));
        }

        byte* exits = code.JumpIf(5);
        code.Byte(0xC3);
        CodeWriter.Patch(exits, code.At);
        code.Lea(HostRegister.Rsp, HostRegister.Rsp, 8);
        code.JumpTo(Exit);
    }

    private static void EmitCallOut(ref CodeWriter code, nint target)
    {
        SaveAll(ref code);
        HostControl(ref code);
        CallManaged(ref code, target);
        code.Byte(0x85);
        code.ModRegister(0, 0);
        byte* leaves = code.JumpIf(5);
        Mxcsr(ref code, 2, StateOffset.NativeMxcsr);
        LoadAll(ref code);
        code.Byte(0xC3);
        CodeWriter.Patch(leaves, code.At);
        code.Lea(HostRegister.Rsp, HostRegister.Rsp, 8);
        Epilogue(ref code);
    }

    private static void EmitLoadFlags(ref CodeWriter code, nint target)
    {
        code.StoreState(StateOffset.Parked, HostRegister.Scratch);
        SaveAll(ref code);
        HostControl(ref code);
        CallManaged(ref code, target);
        Mxcsr(ref code, 2, StateOffset.NativeMxcsr);
        LoadAll(ref code);
        code.LoadState(HostRegister.Scratch, StateOffset.Parked);
        PushFlagImage(ref code);
        code.Byte(0xC3);
    }

    private static void PushFlagImage(ref CodeWriter code)
    {
        // push qword [FlagImage]; popfq
        code.Byte(0x65);
        code.Byte(0xFF);
        code.ModState(6, StateOffset.FlagImage);
        code.Byte(0x9D);
    }

    // The stack is 16-byte aligned in emitted code and 8 off in a stub that it has called.
    private static void CallManaged(ref CodeWriter code, nint target)
    {
        code.LoadState(HostRegister.Rdi, StateOffset.Self);
        code.AluImmediate(CodeWriter.Sub, HostRegister.Rsp, 8);

        // mov rax, target; call rax
        code.Byte(0x48);
        code.Byte(0xB8);
        code.Qword((ulong)target);
        code.Byte(0xFF);
        code.ModRegister(2, HostRegister.Rax);
        code.Lea(HostRegister.Rsp, HostRegister.Rsp, 8);
    }

    private static int GuestOf(int host) => host == HostRegister.GuestRsp ? 4 : host;

    private static void SaveAll(ref CodeWriter code)
    {
        for (int guest = 0; guest < RegisterCount; guest++)
        {
            int host = HostRegister.Of(guest);
            if (host != HostRegister.None)
            {
                code.StoreState(StateOffset.Gpr(guest), host);
            }
        }

        code.StoreState(StateOffset.Budget, HostRegister.Budget);
        Vectors(ref code, store: true);
    }

    private static void LoadAll(ref CodeWriter code)
    {
        Vectors(ref code, store: false);
        code.LoadState(HostRegister.Budget, StateOffset.Budget);
        for (int guest = 0; guest < RegisterCount; guest++)
        {
            int host = HostRegister.Of(guest);
            if (host != HostRegister.None)
            {
                code.LoadState(host, StateOffset.Gpr(guest));
            }
        }
    }

    private static void Vectors(ref CodeWriter code, bool store)
    {
        for (int i = 0; i < RegisterCount; i++)
        {
            // vmovdqu ymm, [state] or [state], ymm
            code.Byte(0x65);
            code.Byte(0xC5);
            code.Byte(i < 8 ? 0xFE : 0x7E);
            code.Byte(store ? 0x7F : 0x6F);
            code.ModState(i, StateOffset.Vector(i));
        }
    }

    // Nothing that managed code computes may show in the guest's MXCSR, nor the other way round.
    private static void HostControl(ref CodeWriter code)
    {
        Mxcsr(ref code, 3, StateOffset.NativeMxcsr);
        Mxcsr(ref code, 2, StateOffset.HostMxcsr);
    }

    // LDMXCSR (2) or STMXCSR (3).
    private static void Mxcsr(ref CodeWriter code, int digit, int offset)
    {
        code.Byte(0x65);
        code.Byte(0x0F);
        code.Byte(0xAE);
        code.ModState(digit, offset);
    }
}
