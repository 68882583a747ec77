using VirtShell.Cpu.Memory;

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
    private static readonly int[] s_preserved = [HostRegister.Rbx, HostRegister.Rbp, 12, 13, 14, 15];

    public Stubs(ref CodeWriter code, nint missRead, nint missWrite, nint callOut, nint settleFlags)
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
        CopyForRead = code.Executable;
        EmitCopy(ref code, 0);
        CopyForWrite = code.Executable;
        EmitCopy(ref code, sizeof(ulong));
        CallOut = code.Executable;
        EmitCallOut(ref code, callOut);
        LoadFlagsSlow = code.Executable;
        code.StoreStateImmediate32(StateOffset.ExitId, ExitTable.IncomingFlags);
        SettleFlags = code.Executable;
        EmitSettleFlags(ref code, settleFlags);
        LoadFlags = code.Executable;
        EmitLoadFlags(ref code);
        FoldFlags = code.Executable;
        EmitFoldFlags(ref code);
        LoadCanonicalFlags = code.Executable;
        EmitLoadCanonicalFlags(ref code);
        LoadVectors = code.Executable;
        EmitLoadVectors(ref code);
        ReturnFromBase = code.Executable;
        code.LoadState(HostRegister.Rsp, StateOffset.ReturnStack);
        Return = code.Executable;
        EmitReturn(ref code);
    }

    public delegate* unmanaged<CpuState*, byte*, int> Enter { get; }

    /// <summary>As <see cref="Enter"/>, with <see cref="CpuState.FlagImage"/> in RFLAGS.</summary>
    public delegate* unmanaged<CpuState*, byte*, int> EnterWithFlags { get; }

    /// <summary>Where every exit jumps to, its number in <see cref="CpuState.ExitId"/>.</summary>
    public byte* Exit { get; }

    /// <summary>Called with a linear address in the scratch register after a TLB miss; comes back to try again.</summary>
    public byte* MissRead { get; }

    public byte* MissWrite { get; }

    /// <summary>
    /// Called with a linear address in the scratch register: copies the TLB entry of its page to the site whose offset among the others the second
    /// one holds, with, times 65,536, how far from the start of the page the access's window may begin. ZF is clear where the entry, or the place
    /// in the page, does not serve. Changes nothing else but the second scratch register.
    /// </summary>
    public byte* CopyForRead { get; }

    public byte* CopyForWrite { get; }

    public byte* CallOut { get; }

    /// <summary>
    /// Puts into RFLAGS the flags that <see cref="CpuState.FlagThunk"/> and <see cref="CpuState.FlagPartial"/> tell of, by the routines in
    /// <see cref="CpuState.SettleTable"/>, and leaves both as they are. Changes only the second scratch register.
    /// </summary>
    public byte* LoadFlags { get; }

    /// <summary>As <see cref="LoadFlags"/>, and what they follow from is <see cref="FlagThunk.Folded"/> then.</summary>
    public byte* FoldFlags { get; }

    /// <summary>The routine of a thunk that has no other: managed code settles the flags.</summary>
    public byte* LoadFlagsSlow { get; }

    /// <summary>The routine of <see cref="FlagThunk.Canonical"/>.</summary>
    public byte* LoadCanonicalFlags { get; }

    /// <summary>Puts into RFLAGS the flags that the exit record in <see cref="CpuState.ExitId"/> names, and settles them. Changes only the second scratch register.</summary>
    public byte* SettleFlags { get; }

    /// <summary>Loads the guest's vector registers and MXCSR, which whatever calls managed code stores again; changes nothing else.</summary>
    public byte* LoadVectors { get; }

    /// <summary>
    /// A guest's return that the <see cref="ReturnStack"/> has not foreseen: looks it up. RIP in the scratch register, the guest's RSP
    /// behind the return in the second one, and the exit to take otherwise in <see cref="CpuState.ExitId"/>.
    /// </summary>
    public byte* Return { get; }

    /// <summary>The same, where the return stack is empty.</summary>
    public byte* ReturnFromBase { get; }

    private static void EmitEnter(ref CodeWriter code, bool withFlags)
    {
        foreach (int register in s_preserved)
        {
            code.Rex(false, 0, register);
            code.Byte(0x50 | (register & 7));
        }

        code.Lea(HostRegister.State, HostRegister.Rdi, HostRegister.StateBias);

        // push r11: managed code does not keep it.
        code.Byte(0x41);
        code.Byte(0x50 | (HostRegister.State & 7));
        code.StoreState(StateOffset.NativeStack, HostRegister.Rsp);
        code.LoadState(HostRegister.Rsp, StateOffset.ReturnStack);
        code.Move(HostRegister.Scratch2, HostRegister.Rsi);
        LoadGeneral(ref code);
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
        SaveGeneral(ref code);
        ParkVectors(ref code);
        code.AluRegister(CodeWriter.Xor, HostRegister.Rax, HostRegister.Rax, wide: false);
        Epilogue(ref code);
    }

    private static void Epilogue(ref CodeWriter code)
    {
        code.LoadState(HostRegister.Rsp, StateOffset.NativeStack);
        code.AluImmediate(CodeWriter.Add, HostRegister.Rsp, 8);
        for (int i = s_preserved.Length - 1; i >= 0; i--)
        {
            code.Rex(false, 0, s_preserved[i]);
            code.Byte(0x58 | (s_preserved[i] & 7));
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

        code.StoreState(StateOffset.Parked, HostRegister.Scratch);
        byte* unloaded = JumpUnlessLoaded(ref code);
        StoreVectors(ref code);
        CodeWriter.Patch(unloaded, code.At);
        code.Move(HostRegister.Rsi, HostRegister.Scratch);
        CallManaged(ref code, target);
        code.Move32(HostRegister.Scratch2, HostRegister.Rax);
        unloaded = JumpUnlessLoaded(ref code);
        FetchVectors(ref code);
        CodeWriter.Patch(unloaded, code.At);
        code.LoadState(HostRegister.Scratch, StateOffset.Parked);
        foreach (int register in general)
        {
            code.LoadState(register, StateOffset.Gpr(GuestOf(register)));
        }

        // test r10d, r10d
        code.Byte(0x45);
        code.Byte(0x85);
        code.ModRegister(HostRegister.Scratch2, HostRegister.Scratch2);
        byte* exits = code.JumpIf(5);
        code.Byte(0xC3);
        CodeWriter.Patch(exits, code.At);
        code.JumpTo(Exit);
    }

    private static void EmitCopy(ref CodeWriter code, int tag)
    {
        const int Page = 2 * sizeof(ulong);
        const int Physical = 3 * sizeof(ulong);
        int site = StateOffset.TlbSite(0) - HostRegister.StateBias;
        code.StoreState(StateOffset.TlbSiteParked(0), HostRegister.Rax);
        code.StoreState(StateOffset.TlbSiteParked(1), HostRegister.Rcx);
        code.RotateRight(HostRegister.Rax, HostRegister.Scratch, 7);
        code.AluImmediate(CodeWriter.And, HostRegister.Rax, (int)Mem.TlbMask << 5, wide: false);
        code.AluState(CodeWriter.Add, HostRegister.Rax, StateOffset.Tlb);

        // mov rcx, r9; sub rcx, [rax + tag]: the place in the page, if it is the page's entry.
        code.Move(HostRegister.Rcx, HostRegister.Scratch);
        code.Rex(true, HostRegister.Rcx, HostRegister.Rax);
        code.Byte(0x2B);
        code.ModMemory(HostRegister.Rcx, HostRegister.Rax, tag);
        code.AluImmediate(CodeWriter.Cmp, HostRegister.Rcx, 4095);
        byte* missing = code.JumpIf(7);

        // shl rcx, 16; cmp rcx, r10: the lower half of what is wanted decides nothing.
        code.ShiftLeft(HostRegister.Rcx, 16);
        code.AluRegister(CodeWriter.Cmp, HostRegister.Rcx, HostRegister.Scratch2);
        byte* crosses = code.JumpIf(7);

        // movzx r10d, r10w
        code.Rex(false, HostRegister.Scratch2, HostRegister.Scratch2);
        code.Byte(0x0F);
        code.Byte(0xB7);
        code.ModRegister(HostRegister.Scratch2, HostRegister.Scratch2);
        for (int field = 0; field <= Page; field += sizeof(ulong))
        {
            code.Load(HostRegister.Rcx, HostRegister.Rax, field);
            SiteInstruction(ref code, true, 0x89, HostRegister.Rcx, site + field);
        }

        // or byte [rax + Physical], Copied
        code.Byte(0x80);
        code.ModMemory(1, HostRegister.Rax, Physical);
        code.Byte((int)TlbSites.Copied);

        // Listed, where it is not and there is room: cmp dword [site], 0; jne; mov ecx, [used]; cmp ecx, Listed; jae
        SiteInstruction(ref code, false, 0x83, 7, site + Physical);
        code.Byte(0);
        byte* listed = code.JumpIf(5);
        code.LoadState32(HostRegister.Rcx, StateOffset.TlbSitesUsed);
        code.AluImmediate(CodeWriter.Cmp, HostRegister.Rcx, TlbSites.Listed, wide: false);
        byte* full = code.JumpIf(3);

        // mov [list + rcx * 2], r10w; add dword [used], 1; mov dword [site], 1
        code.Byte(0x66);
        code.RexIndexed(false, HostRegister.Scratch2, HostRegister.Rcx, HostRegister.State);
        code.Byte(0x89);
        code.ModIndexed(HostRegister.Scratch2, HostRegister.State, HostRegister.Rcx, 1, StateOffset.TlbSitesList - HostRegister.StateBias);
        code.AluImmediate(CodeWriter.Add, HostRegister.Rcx, 1, wide: false);
        code.StoreState32(StateOffset.TlbSitesUsed, HostRegister.Rcx);
        SiteInstruction(ref code, false, 0xC7, 0, site + Physical);
        code.Dword(1);
        CodeWriter.Patch(full, code.At);
        CodeWriter.Patch(listed, code.At);
        code.AluRegister(CodeWriter.Cmp, HostRegister.Rax, HostRegister.Rax);
        CodeWriter.Patch(missing, code.At);
        CodeWriter.Patch(crosses, code.At);
        code.LoadState(HostRegister.Rax, StateOffset.TlbSiteParked(0));
        code.LoadState(HostRegister.Rcx, StateOffset.TlbSiteParked(1));
        code.Byte(0xC3);
    }

    // An instruction on a register, or of a group, and a place in the site whose offset the second scratch register holds.
    private static void SiteInstruction(ref CodeWriter code, bool wide, int opcode, int reg, int displacement)
    {
        code.RexIndexed(wide, reg, HostRegister.Scratch2, HostRegister.State);
        code.Byte(opcode);
        code.ModIndexed(reg, HostRegister.State, HostRegister.Scratch2, 0, displacement);
    }

    private static void EmitCallOut(ref CodeWriter code, nint target)
    {
        SaveGeneral(ref code);
        ParkVectors(ref code);
        CallManaged(ref code, target);
        code.Byte(0x85);
        code.ModRegister(0, 0);
        byte* leaves = code.JumpIf(5);
        LoadGeneral(ref code);
        code.Byte(0xC3);
        CodeWriter.Patch(leaves, code.At);
        Epilogue(ref code);
    }

    private static void EmitLoadFlags(ref CodeWriter code)
    {
        code.CompareState32(StateOffset.FlagPartial, 0);
        byte* whole = code.JumpIf(4);

        // What changes only some of them runs when the routine for all returns. Index times four plus class: and r10d, -4; shl r10, 1
        code.LoadState32(HostRegister.Scratch2, StateOffset.FlagPartial);
        code.AluImmediate(CodeWriter.And, HostRegister.Scratch2, -4, wide: false);
        code.ShiftLeft(HostRegister.Scratch2, 1);
        EmitSettleTable(ref code, 6);
        CodeWriter.Patch(whole, code.At);
        code.LoadState32(HostRegister.Scratch2, StateOffset.FlagThunk);
        code.ShiftLeft(HostRegister.Scratch2, 3);
        EmitSettleTable(ref code, 4);
    }

    // PUSH (6) of an entry of the table, or JMP (4) there.
    private static void EmitSettleTable(ref CodeWriter code, int digit)
    {
        code.AluState(CodeWriter.Add, HostRegister.Scratch2, StateOffset.SettleTable);
        code.Rex(false, 0, HostRegister.Scratch2);
        code.Byte(0xFF);
        code.ModMemory(digit, HostRegister.Scratch2);
    }

    private void EmitFoldFlags(ref CodeWriter code)
    {
        code.Call(LoadFlags);

        // mov r10, rax; lahf; seto al; mov [slot], ax; mov rax, r10
        code.Move(HostRegister.Scratch2, HostRegister.Rax);
        code.Byte(0x9F);
        code.Byte(0x0F);
        code.Byte(0x90);
        code.ModRegister(0, HostRegister.Rax);
        code.Byte(0x66);
        code.RexState(false, HostRegister.Rax);
        code.Byte(0x89);
        code.ModState(HostRegister.Rax, StateOffset.Slot(FlagPlace.Fold - FlagPlace.Slot));
        code.Move(HostRegister.Rax, HostRegister.Scratch2);

        // Both words at once.
        code.StoreStateImmediate64(StateOffset.FlagThunk, ExitTable.FoldedFlags);
        code.Byte(0xC3);
    }

    private void EmitLoadCanonicalFlags(ref CodeWriter code)
    {
        code.StoreState(StateOffset.Parked, HostRegister.Scratch);
        code.Move(HostRegister.Scratch2, HostRegister.Rax);
        code.LoadState(HostRegister.Scratch, StateOffset.FlagAux);

        // test r9b, 3: SF and PF as of no result are rare.
        code.Rex(false, 0, HostRegister.Scratch);
        code.Byte(0xF6);
        code.ModRegister(0, HostRegister.Scratch);
        code.Byte((int)(Flags.AuxInvertSign | Flags.AuxInvertParity));
        byte* slow = code.JumpIf(5);

        // SF, ZF and PF: cmp qword [FlagResult], 0; lahf
        code.AluStateImmediate(CodeWriter.Cmp, StateOffset.FlagResult, 0);
        code.Byte(0x9F);

        // The two upper bits give CF and OF: add r9, r9; seto al; adc r9b, 0. AF is then in its place, too: and r9d, 11h; shl r9, 8; or eax, r9d
        code.AluRegister(CodeWriter.Add, HostRegister.Scratch, HostRegister.Scratch);
        code.Byte(0x0F);
        code.Byte(0x90);
        code.ModRegister(0, HostRegister.Rax);
        code.Rex(false, 0, HostRegister.Scratch);
        code.Byte(0x80);
        code.ModRegister(2, HostRegister.Scratch);
        code.Byte(0);
        code.AluImmediate(CodeWriter.And, HostRegister.Scratch, (int)(Flags.Carry | Flags.Adjust), wide: false);
        code.ShiftLeft(HostRegister.Scratch, 8);
        code.AluRegister(CodeWriter.Or, HostRegister.Rax, HostRegister.Scratch, wide: false);
        code.LoadState(HostRegister.Scratch, StateOffset.Parked);

        // add al, 7Fh; sahf; mov rax, r10
        code.Byte(0x04);
        code.Byte(0x7F);
        code.Byte(0x9E);
        code.Move(HostRegister.Rax, HostRegister.Scratch2);
        code.Byte(0xC3);
        CodeWriter.Patch(slow, code.At);
        code.LoadState(HostRegister.Scratch, StateOffset.Parked);
        code.JumpTo(LoadFlagsSlow);
    }

    private static void EmitSettleFlags(ref CodeWriter code, nint target)
    {
        code.StoreState(StateOffset.Parked, HostRegister.Scratch);
        SaveGeneral(ref code);
        byte* unloaded = JumpUnlessLoaded(ref code);
        StoreVectors(ref code);
        CodeWriter.Patch(unloaded, code.At);
        CallManaged(ref code, target);
        unloaded = JumpUnlessLoaded(ref code);
        FetchVectors(ref code);
        CodeWriter.Patch(unloaded, code.At);
        LoadGeneral(ref code);
        code.LoadState(HostRegister.Scratch, StateOffset.Parked);
        PushFlagImage(ref code);
        code.Byte(0xC3);
    }

    private void EmitReturn(ref CodeWriter code)
    {
        code.StoreState(StateOffset.Parked, HostRegister.Scratch2);
        byte* other = JumpTable.EmitLookUp(ref code, out byte* found);
        code.LoadState(HostRegister.GuestRsp, StateOffset.Parked);
        code.AluImmediate(CodeWriter.And, HostRegister.Scratch, -4096);
        code.StoreState(StateOffset.RipBase, HostRegister.Scratch);
        JumpTable.EmitEnter(ref code, call: false);
        CodeWriter.Patch(other, code.At);
        JumpTable.EmitLookUpNeighbour(ref code, found);
        code.JumpTo(Exit);
    }

    private static void EmitLoadVectors(ref CodeWriter code)
    {
        FetchVectors(ref code);
        code.StoreStateImmediate32(StateOffset.VectorsLoaded, 1);
        code.Byte(0xC3);
    }

    private static void PushFlagImage(ref CodeWriter code)
    {
        // push qword [FlagImage]; popfq
        code.RexState(false, 0);
        code.Byte(0xFF);
        code.ModState(6, StateOffset.FlagImage);
        code.Byte(0x9D);
    }

    private static void CallManaged(ref CodeWriter code, nint target)
    {
        code.Lea(HostRegister.Rdi, HostRegister.State, -HostRegister.StateBias);
        code.StoreState(StateOffset.ParkedStack, HostRegister.Rsp);
        code.LoadState(HostRegister.Rsp, StateOffset.NativeStack);

        // mov rax, target; call rax
        code.Byte(0x48);
        code.Byte(0xB8);
        code.Qword((ulong)target);
        code.Byte(0xFF);
        code.ModRegister(2, HostRegister.Rax);
        code.Load(HostRegister.State, HostRegister.Rsp);
        code.LoadState(HostRegister.Rsp, StateOffset.ParkedStack);
    }

    private static int GuestOf(int host) => host == HostRegister.GuestRsp ? 4 : host;

    private static void SaveGeneral(ref CodeWriter code)
    {
        for (int guest = 0; guest < RegisterCount; guest++)
        {
            int host = HostRegister.Of(guest);
            if (host != HostRegister.None)
            {
                code.StoreState(StateOffset.Gpr(guest), host);
            }
        }
    }

    private static void LoadGeneral(ref CodeWriter code)
    {
        for (int guest = 0; guest < RegisterCount; guest++)
        {
            int host = HostRegister.Of(guest);
            if (host != HostRegister.None)
            {
                code.LoadState(host, StateOffset.Gpr(guest));
            }
        }
    }

    // VMOVDQU between all vector registers, 16 or 32 bytes of each, and the state.
    private static void Vectors(ref CodeWriter code, bool store, bool wide)
    {
        for (int i = 0; i < RegisterCount; i++)
        {
            VectorState(ref code, store ? 0x7F : 0x6F, i, wide ? 0x7E : 0x7A, StateOffset.Vector(i));
        }
    }

    // An instruction of map 0Fh on a vector register and a place in the state; the last byte of its VEX (W, inverted vvvv, L, pp) is given.
    private static void VectorState(ref CodeWriter code, int opcode, int register, int bits, int offset)
    {
        code.Byte(0xC4);
        code.Byte(register < 8 ? 0xC1 : 0x41);
        code.Byte(bits);
        code.Byte(opcode);
        code.ModState(register, offset);
    }

    /// <summary>Vector registers and MXCSR become the engine's, where they are the guest's.</summary>
    private static void ParkVectors(ref CodeWriter code)
    {
        byte* unloaded = JumpUnlessLoaded(ref code);
        StoreVectors(ref code);
        code.StoreStateImmediate32(StateOffset.VectorsLoaded, 0);
        CodeWriter.Patch(unloaded, code.At);
    }

    // cmp dword [VectorsLoaded], 0; je
    private static byte* JumpUnlessLoaded(ref CodeWriter code)
    {
        code.CompareState32(StateOffset.VectorsLoaded, 0);
        return code.JumpIf(4);
    }

    // Nothing that managed code computes may show in the guest's MXCSR, nor the other way round.
    private static void StoreVectors(ref CodeWriter code)
    {
        Vectors(ref code, store: true, wide: true);
        Mxcsr(ref code, 3, StateOffset.NativeMxcsr);
        Mxcsr(ref code, 2, StateOffset.HostMxcsr);

        // vzeroupper
        code.Byte(0xC5);
        code.Byte(0xF8);
        code.Byte(0x77);
    }

    // Where all upper halves are zero, only the lower ones are loaded: processors then know them to be zero, and SSE code, which leaves
    // them alone, does not wait for what a register held before. Changes flags.
    private static void FetchVectors(ref CodeWriter code)
    {
        const int Upper = 16;
        VectorState(ref code, 0x6F, 0, 0x7A, StateOffset.Vector(0) + Upper);
        for (int i = 1; i < RegisterCount; i++)
        {
            // vpor xmm0, xmm0, [state]
            VectorState(ref code, 0xEB, 0, 0x79, StateOffset.Vector(i) + Upper);
        }

        // vptest xmm0, xmm0
        code.Byte(0xC4);
        code.Byte(0xE2);
        code.Byte(0x79);
        code.Byte(0x17);
        code.ModRegister(0, 0);
        byte* used = code.JumpIf(5);
        Vectors(ref code, store: false, wide: false);
        byte* loaded = code.Jump();
        CodeWriter.Patch(used, code.At);
        Vectors(ref code, store: false, wide: true);
        CodeWriter.Patch(loaded, code.At);
        Mxcsr(ref code, 2, StateOffset.NativeMxcsr);
    }

    // LDMXCSR (2) or STMXCSR (3).
    private static void Mxcsr(ref CodeWriter code, int digit, int offset)
    {
        code.RexState(false, 0);
        code.Byte(0x0F);
        code.Byte(0xAE);
        code.ModState(digit, offset);
    }
}
