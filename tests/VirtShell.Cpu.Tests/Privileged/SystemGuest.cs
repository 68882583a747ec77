using System;
using System.IO;
using Iced.Intel;
using VirtShell.Cpu.Memory;
using Xunit;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>
/// A small machine for privileged behaviour: descriptor tables, a TSS, stacks and one HLT per exception vector, so that
/// where the processor halts tells which vector was delivered, and the stack tells with what frame. Memory is mapped 1:1.
/// </summary>
internal sealed unsafe class SystemGuest : IDisposable
{
    public const ushort Code0 = 0x08;
    public const ushort Data0 = 0x10;
    public const ushort Code3 = 0x18 | 3;
    public const ushort Data3 = 0x20 | 3;
    public const ushort Tss = 0x28;
    public const ushort Spare = 0x38;
    public const ushort Spare2 = 0x48;
    public const ushort Spare3 = 0x58;
    public const ushort Code1632 = 0x68;

    public const ulong Gdt = 0x1000;
    public const ulong Idt = 0x2000;
    public const ulong TssAddress = 0x3000;
    public const ulong TssAddress2 = 0x3800;
    public const ulong Handlers = 0x4000;
    public const ulong Code = 0x8000;
    public const ulong UserCode = 0x9000;
    public const ulong UserStack = 0xB000;
    public const ulong InnerStack = 0xD000;
    public const ulong BootStack = 0xE000;
    public const ulong IstStack = 0xF008;
    public const ulong Scratch = 0x10000;

    /// <summary>Page tables, from the root on.</summary>
    public const ulong Tables = 0x10_0000;

    /// <summary>Linear page whose page table entry a test chooses.</summary>
    public const ulong TestPage = 0x40_0000;

    /// <summary>Physical page behind <see cref="TestPage"/>.</summary>
    public const ulong TestFrame = 0x20_0000;

    public const uint Present = 0x80;
    public const uint Interrupt32 = 0xE;
    public const uint Trap32 = 0xF;
    public const uint Interrupt16 = 6;
    public const uint TaskGate = 5;
    private const int HandlerSpacing = 16;

    private SystemGuest(CpuModel model, int bits, EngineKind? engine)
    {
        Bits = bits;
        Memory = new PhysicalMemory(16 << 20);
        Bus = new TestBus();
        Processor = new Vcpu(Memory, Bus, model, seed: 1, engine ?? TestEngine.Kind) { TranslationThreshold = 1 };
        for (int vector = 0; vector < 256; vector++)
        {
            Memory.Write(Handlers + ((ulong)vector * HandlerSpacing), [0xF4]);
            SetGate(vector, bits == 64 ? Interrupt32 : Interrupt32, dpl: vector >= 0x30 ? 3 : 0);
        }
    }

    public int Bits { get; }

    public PhysicalMemory Memory { get; }

    public TestBus Bus { get; }

    public Vcpu Processor { get; }

    public CpuState* State => Processor.State;

    /// <summary>Vector whose handler was entered last; -1 where the processor halted elsewhere.</summary>
    public int Vector
    {
        get
        {
            ulong at = (State->Cs.Base + State->Rip - 1) & uint.MaxValue;
            return State->Halted != 0 && at >= Handlers && at < Handlers + (256 * HandlerSpacing) && (at & 15) == 0 ? (int)((at - Handlers) / HandlerSpacing) : -1;
        }
    }

    /// <summary>Flat 32-bit protected mode at CPL 0, paging off, TR loaded.</summary>
    public static SystemGuest Protected(CpuModel model = CpuModel.X86_64_V3, EngineKind? engine = null)
    {
        SystemGuest guest = new(model, 32, engine);
        guest.SetSegment(Code0, 0, 0xFFFFF, 0xC09B);
        guest.SetSegment(Data0, 0, 0xFFFFF, 0xC093);
        guest.SetSegment(Code3, 0, 0xFFFFF, 0xC0FB);
        guest.SetSegment(Data3, 0, 0xFFFFF, 0xC0F3);
        guest.SetSegment(Code1632, 0, 0xFFFF, 0x009B);
        guest.SetSegment(Tss, TssAddress, 0x67 + 0x100, 0x8B);
        guest.Memory.WriteUInt32(TssAddress + 4, (uint)InnerStack);
        guest.Memory.WriteUInt16(TssAddress + 8, Data0);
        guest.Memory.WriteUInt16(TssAddress + 0x66, 0x88);
        guest.Processor.EnterFlat32((uint)Code, Code0, Data0, Gdt, 0x7F);
        guest.Finish();
        return guest;
    }

    /// <summary>64-bit mode at CPL 0 with 4-level paging: 4 MiB of 4 KiB pages mapped 1:1 for everybody, <see cref="TestPage"/> as tests set it, TR loaded.</summary>
    public static SystemGuest Long(CpuModel model = CpuModel.X86_64_V3, EngineKind? engine = null)
    {
        SystemGuest guest = new(model, 64, engine);
        guest.SetSegment(Code0, 0, 0, 0x209B);
        guest.SetSegment(Data0, 0, 0xFFFFF, 0xC093);
        guest.SetSegment(Code3, 0, 0, 0x20FB);
        guest.SetSegment(Data3, 0, 0xFFFFF, 0xC0F3);
        guest.SetSegment(Code1632, 0, 0xFFFFF, 0xC0FB);
        guest.SetSegment(Tss, TssAddress, 0x67 + 0x100, 0x8B);
        guest.Memory.WriteUInt64(TssAddress + 4, InnerStack);
        guest.Memory.WriteUInt64(TssAddress + 0x24, IstStack);
        guest.Memory.WriteUInt16(TssAddress + 0x66, 0x88);
        guest.MapLong();
        guest.Processor.EnterLong64(Code, Tables, Code0, Data0, Gdt, 0x7F);
        guest.State->Efer |= ControlBits.EferNoExecute | ControlBits.EferSyscall;
        guest.State->Cr0 |= ControlBits.Cr0WriteProtect;
        guest.Finish();
        return guest;
    }

    /// <summary>The test has the translator fail; otherwise it must not, in any of them.</summary>
    public bool ExpectsTranslationFailures { get; set; }

    public void Dispose()
    {
        string? failure = ExpectsTranslationFailures ? null : Processor.FirstTranslationFailure;
        Processor.Dispose();
        Memory.Dispose();
        Assert.Null(failure);
    }

    /// <summary>Writes a segment or system descriptor; attributes as bytes 5 and 6 of a descriptor with the limit nibble clear.</summary>
    public void SetSegment(ushort selector, ulong segmentBase, uint limit, uint attributes)
    {
        ulong low = (limit & 0xFFFF) | ((segmentBase & 0xFFFFFF) << 16) | ((ulong)attributes << 40) | ((ulong)(limit & 0xF0000) << 32) | ((segmentBase >> 24 & 0xFF) << 56);
        Memory.WriteUInt64(Gdt + (selector & 0xFFF8u), low);
        if ((attributes & 0x10) == 0 && Bits == 64)
        {
            Memory.WriteUInt64(Gdt + (selector & 0xFFF8u) + 8, segmentBase >> 32);
        }
    }

    /// <summary>Writes a gate into the IDT; the handler is the vector's HLT unless another offset is given.</summary>
    public void SetGate(int vector, uint type, int dpl = 0, ushort selector = Code0, bool present = true, ulong? offset = null, int ist = 0)
    {
        ulong to = offset ?? (Handlers + ((ulong)vector * HandlerSpacing));
        ulong at = Idt + ((ulong)vector * (Bits == 64 ? 16u : 8u));
        Memory.WriteUInt64(at, GateBits(type, dpl, selector, present, to) | ((ulong)ist << 32));
        if (Bits == 64)
        {
            Memory.WriteUInt64(at + 8, to >> 32);
        }
    }

    /// <summary>Writes a call gate into the GDT.</summary>
    public void SetCallGate(ushort place, uint type, int dpl, ushort selector, ulong offset, int parameters = 0)
    {
        Memory.WriteUInt64(Gdt + (place & 0xFFF8u), GateBits(type, dpl, selector, true, offset) | ((ulong)parameters << 32));
        if (Bits == 64)
        {
            Memory.WriteUInt64(Gdt + (place & 0xFFF8u) + 8, offset >> 32);
        }
    }

    /// <summary>Sets <see cref="TestPage"/>'s page table entry: frame address and flags.</summary>
    public void SetTestPage(ulong flags) => Memory.WriteUInt64(Tables + 0x5000, TestFrame | flags);

    /// <summary>Leaves user mode, in <see cref="Long"/>, nothing but <see cref="TestPage"/>.</summary>
    public void MakeEverythingElseSupervisor()
    {
        for (ulong page = 0; page < 1024; page++)
        {
            Memory.WriteUInt64(Tables + 0x3000 + (page * 8), (page << 12) | 3);
        }

        Processor.DropCaches();
    }

    public ulong TestEntry => Memory.ReadUInt64(Tables + 0x5000);

    /// <summary>Assembles code at an address; gives the address behind it.</summary>
    public ulong Assemble(ulong address, Action<Assembler> write, int bits = 0)
    {
        Assembler assembler = new(bits == 0 ? Bits : bits);
        write(assembler);
        using MemoryStream stream = new();
        assembler.Assemble(new StreamCodeWriter(stream), address);
        Memory.Write(address, stream.ToArray());
        return address + (ulong)stream.Length;
    }

    /// <summary>Assembles at <see cref="Code"/>, runs at CPL 0 and gives the vector that was delivered (-1: halted elsewhere).</summary>
    public int Run(Action<Assembler> write)
    {
        Assemble(Code, write);
        State->Rip = Code;
        return Continue();
    }

    /// <summary>Assembles at <see cref="UserCode"/> and runs it at CPL 3.</summary>
    public int RunUser(Action<Assembler> write)
    {
        Assemble(UserCode, write);
        EnterUser(UserCode);
        return Continue();
    }

    /// <summary>Goes to CPL 3 by IRET, which is itself under test here.</summary>
    public void EnterUser(ulong rip, uint flags = 0x202, ushort code = Code3, ushort data = Data3)
    {
        ulong frame = BootStack - 64;
        int size = Bits / 8;
        Put(frame, rip, size);
        Put(frame + (ulong)size, code, size);
        Put(frame + (2 * (ulong)size), flags, size);
        Put(frame + (3 * (ulong)size), UserStack, size);
        Put(frame + (4 * (ulong)size), data, size);
        Assemble(Code + 0x800, static c =>
        {
            if (c.Bitness == 64)
            {
                c.iretq();
            }
            else
            {
                c.iretd();
            }
        });
        State->Gpr[4] = frame;
        State->Rip = Code + 0x800;
        State->Halted = 0;
        Processor.Run(1);
        Assert.Equal(rip, State->Rip);
        Assert.Equal(code & 3u, State->Cpl);
    }

    /// <summary>Runs on until HLT or shutdown.</summary>
    public int Continue(long limit = 10_000)
    {
        State->Halted = 0;
        ExitReason reason = Processor.Run(limit);
        Assert.NotEqual(ExitReason.BudgetSpent, reason);
        return Vector;
    }

    /// <summary>Item of the current stack: 4 bytes outside of 64-bit mode, 8 in it.</summary>
    public ulong Stack(int index)
    {
        ulong at = State->Ss.Base + State->Gpr[4];
        return State->CodeSize == 64 ? Memory.ReadUInt64(at + ((ulong)index * 8)) : Memory.ReadUInt32(at + ((ulong)index * 4));
    }

    private static ulong GateBits(uint type, int dpl, ushort selector, bool present, ulong offset) =>
        (offset & 0xFFFF) | ((ulong)selector << 16) | ((ulong)(type | ((uint)dpl << 5) | (present ? Present : 0)) << 40) | ((offset >> 16 & 0xFFFF) << 48);

    private void Put(ulong at, ulong value, int size)
    {
        if (size == 8)
        {
            Memory.WriteUInt64(at, value);
        }
        else
        {
            Memory.WriteUInt32(at, (uint)value);
        }
    }

    private void Finish()
    {
        State->IdtBase = Idt;
        State->IdtLimit = Bits == 64 ? 0xFFFu : 0x7FFu;
        State->Gpr[4] = BootStack;
        Processor.SetSegment(SegmentIndex.Tr, Tss, TssAddress, 0x167, 0x8B);
        Processor.UpdateMode();
    }

    private void MapLong()
    {
        Memory.WriteUInt64(Tables, (Tables + 0x1000) | 7);
        Memory.WriteUInt64(Tables + 0x1000, (Tables + 0x2000) | 7);
        for (ulong i = 0; i < 2; i++)
        {
            Memory.WriteUInt64(Tables + 0x2000 + (i * 8), (Tables + 0x3000 + (i * 0x1000)) | 7);
            for (ulong page = 0; page < 512; page++)
            {
                Memory.WriteUInt64(Tables + 0x3000 + (i * 0x1000) + (page * 8), (((i * 512) + page) << 12) | 7);
            }
        }

        // 400000h: one page as the test says, nothing behind it.
        Memory.WriteUInt64(Tables + 0x2000 + 16, (Tables + 0x5000) | 7);
    }
}
