using System;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>The host's processor: native code that loads every register from the shared memory, jumps to the compared instruction and stores what it leaves.</summary>
internal sealed unsafe class DifferentialHost : IDisposable
{
    private const int Control = DifferentialMemory.ControlOffset;
    private const int SavedStack = DifferentialMemory.SavedOffset;
    private const int SavedMxcsr = DifferentialMemory.SavedOffset + 8;
    /// <summary>HLT: #GP here, in either code size.</summary>
    private const byte Privileged = 0xF4;

    /// <summary>Linux gives every process these code segments, and this for data.</summary>
    public const ushort Selector64 = 0x33;
    public const ushort Selector32 = 0x23;
    private const ushort DataSelector = 0x2B;

    /// <summary>Where 32-bit landings leave for 64-bit code.</summary>
    private const ulong WayBack = DifferentialMemory.CodeAddress + 0x100;

    private static readonly AssemblerRegister64[] s_general =
        [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15];

    private static readonly AssemblerRegister64[] s_kept = [rbx, rbp, r12, r13, r14, r15];

    private static readonly AssemblerRegisterYMM[] s_vectors =
        [ymm0, ymm1, ymm2, ymm3, ymm4, ymm5, ymm6, ymm7, ymm8, ymm9, ymm10, ymm11, ymm12, ymm13, ymm14, ymm15];

    private static readonly AssemblerRegisterMM[] s_mmx = [mm0, mm1, mm2, mm3, mm4, mm5, mm6, mm7];

    private readonly DifferentialMemory _memory;
    private readonly HostFaults _faults;
    private readonly NativeCode[] _enter;
    private readonly NativeCode _enterNarrow;
    private readonly NativeCode[] _tail;

    public DifferentialHost(DifferentialMemory memory)
    {
        _memory = memory;
        _faults = new HostFaults(memory);
        _enter = [NativeCode.Assemble(c => Enter(c, mmx: false)), NativeCode.Assemble(c => Enter(c, mmx: true))];
        _enterNarrow = NativeCode.Assemble(EnterNarrow);
        _tail = [NativeCode.Assemble(c => Tail(c, mmx: false)), NativeCode.Assemble(c => Tail(c, mmx: true))];
        HasNarrowCode = MayFault && TryNarrowCode();
    }

    /// <summary>The host's system runs 32-bit code segments: some hypervisors execute them as 64-bit code.</summary>
    public bool HasNarrowCode { get; }

    /// <summary>The compared instruction may fault.</summary>
    public bool MayFault => _faults.IsAvailable;

    /// <summary>Puts an instruction at <see cref="DifferentialMemory.Rip"/>, and a landing wherever it may go on.</summary>
    public void Place(byte[] instruction, bool narrow)
    {
        new Span<byte>(_memory.Code, DifferentialMemory.CodeSize).Fill(Privileged);
        int at = (int)(DifferentialMemory.Rip - DifferentialMemory.CodeAddress);
        instruction.CopyTo(new Span<byte>(_memory.Code + at, instruction.Length));
        Land(DifferentialMemory.Rip + (ulong)instruction.Length, narrow);
        Land(DifferentialMemory.Forward, narrow);
        Land(DifferentialMemory.Backward, narrow);
        Put(WayBack, [0xFF, 0x24, 0x25, .. BitConverter.GetBytes((uint)DifferentialMemory.Address + Control + HostControl.TailOffset)]);
    }

    /// <summary>Runs it from <see cref="DifferentialMemory.Before"/> into <see cref="DifferentialMemory.After"/>.</summary>
    public void Run(bool mmx, bool narrow)
    {
        HostControl* control = _memory.Control;
        control->Start = DifferentialMemory.Rip;
        control->Tail = control->Recovery = (ulong)_tail[mmx ? 1 : 0].Entry;
        control->Landed = 0;
        control->Vector = HostControl.NoFault;
        control->FaultRip = 0;
        control->NarrowStart = DifferentialMemory.Rip | ((ulong)Selector32 << 32);
        (narrow ? _enterNarrow : _enter[mmx ? 1 : 0]).Invoke(_memory.Pointer);
    }

    public void Dispose()
    {
        _faults.Dispose();
        Array.ForEach(_enter, static c => c.Dispose());
        _enterNarrow.Dispose();
        Array.ForEach(_tail, static c => c.Dispose());
    }

    // 48h is DEC EAX there, and a REX prefix in 64-bit code.
    private bool TryNarrowCode()
    {
        *_memory.Before = new RegisterImage { Flags = Flags.Fixed | Flags.Interrupt, Mxcsr = 0x1F80 };
        _memory.Before->Gpr[0] = 2;
        _memory.Before->Gpr[4] = DifferentialMemory.Stack;
        Place([0x48], narrow: true);
        Run(mmx: false, narrow: true);
        return _memory.Control->Vector == HostControl.NoFault && _memory.After->Gpr[0] == 1;
    }

    // mov dword [landed], address; jmp [tail]: neither needs a register, nor changes flags. 32-bit code goes far, by way of 64-bit code.
    private void Land(ulong address, bool narrow)
    {
        uint control = (uint)DifferentialMemory.Address + Control;
        byte[] landed = [.. BitConverter.GetBytes(control + HostControl.LandedOffset), .. BitConverter.GetBytes((uint)address)];
        if (narrow)
        {
            Put(address, [0xC7, 0x05, .. landed, 0xEA, .. BitConverter.GetBytes((uint)WayBack), .. BitConverter.GetBytes(Selector64)]);
        }
        else
        {
            Put(address, [0xC7, 0x04, 0x25, .. landed, 0xFF, 0x24, 0x25, .. BitConverter.GetBytes(control + HostControl.TailOffset)]);
        }
    }

    private void Put(ulong address, byte[] code) => code.CopyTo(new Span<byte>(_memory.Code + (address - DifferentialMemory.CodeAddress), code.Length));

    private static void EnterNarrow(Assembler c)
    {
        // jmp far [start] instead of jmp [start], and the data segments that 64-bit code does not need.
        EnterWith(c, mmx: false, narrow: true);
        c.db(0xFF, 0x2C, 0x25);
        c.db(BitConverter.GetBytes((uint)DifferentialMemory.Address + Control + HostControl.NarrowStartOffset));
    }

    private static void Enter(Assembler c, bool mmx)
    {
        EnterWith(c, mmx, narrow: false);
        c.db(0xFF, 0x24, 0x25);
        c.db(BitConverter.GetBytes((uint)DifferentialMemory.Address + Control + HostControl.StartOffset));
    }

    private static void EnterWith(Assembler c, bool mmx, bool narrow)
    {
        foreach (AssemblerRegister64 register in s_kept)
        {
            c.push(register);
        }

        c.mov(rax, NativeCode.Argument);
        c.mov(__[rax + SavedStack], rsp);
        c.stmxcsr(__[rax + SavedMxcsr]);
        c.mov(rcx, __qword_ptr.fs[0]);
        c.mov(__[rax + Control + HostControl.ThreadOffset], rcx);
        if (narrow)
        {
            c.mov(ecx, DataSelector);
            c.mov(ds, ecx);
            c.mov(es, ecx);
        }

        for (int i = 0; i < 16; i++)
        {
            c.vmovups(s_vectors[i], __[rax + RegisterImage.YmmOffset + (32 * i)]);
        }

        for (int i = 0; mmx && i < 8; i++)
        {
            c.movq(s_mmx[i], __[rax + RegisterImage.MmOffset + (8 * i)]);
        }

        c.ldmxcsr(__[rax + RegisterImage.MxcsrOffset]);
        c.push(__qword_ptr[rax + RegisterImage.FlagsOffset]);
        c.popfq();
        for (int i = 1; i < 16; i++)
        {
            c.mov(s_general[i], __[rax + (8 * i)]);
        }

        c.mov(rax, __[rax]);
    }

    private static void Tail(Assembler c, bool mmx)
    {
        // MOV keeps the flags; the absolute address of RAX's place fits no other form.
        ulong after = DifferentialMemory.Address + DifferentialMemory.AfterOffset;
        byte[] storeRax = [0x48, 0xA3, .. BitConverter.GetBytes(after)];
        c.db(storeRax);
        c.mov(rax, DifferentialMemory.Address);
        for (int i = 1; i < 16; i++)
        {
            c.mov(__[rax + DifferentialMemory.AfterOffset + (8 * i)], s_general[i]);
        }

        c.mov(rsp, __[rax + SavedStack]);
        c.pushfq();
        c.pop(__qword_ptr[rax + DifferentialMemory.AfterOffset + RegisterImage.FlagsOffset]);
        c.push(2);
        c.popfq();
        c.stmxcsr(__[rax + DifferentialMemory.AfterOffset + RegisterImage.MxcsrOffset]);
        for (int i = 0; i < 16; i++)
        {
            c.vmovups(__[rax + DifferentialMemory.AfterOffset + RegisterImage.YmmOffset + (32 * i)], s_vectors[i]);
        }

        for (int i = 0; mmx && i < 8; i++)
        {
            c.movq(__[rax + DifferentialMemory.AfterOffset + RegisterImage.MmOffset + (8 * i)], s_mmx[i]);
        }

        if (mmx)
        {
            c.emms();
        }

        c.mov(__qword_ptr[rax + Control + HostControl.ThreadOffset], 0);
        c.xor(ecx, ecx);
        c.mov(ds, ecx);
        c.mov(es, ecx);
        c.vzeroupper();
        c.ldmxcsr(__[rax + SavedMxcsr]);
        for (int i = s_kept.Length - 1; i >= 0; i--)
        {
            c.pop(s_kept[i]);
        }
    }
}
