using System;
using System.IO;
using Iced.Intel;
using VirtShell.Cpu.Memory;
using VirtShell.Cpu.Tests.Privileged;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Puts descriptor tables, page tables, handlers and a program into memory, and a processor into the state that the program starts from.</summary>
internal static unsafe class GuestSetup
{
    private const ulong CommonHandler = 0x7000;
    private const uint Code = 0x9B;
    private const uint DataSegment = 0x93;
    private const uint User = 0x60;
    private const uint Big = 0x4000;
    private const uint Long = 0x2000;
    private const uint Granular = 0x8000;

    public static void Prepare(LockstepMachine machine, GuestProgram program)
    {
        ModeInfo mode = program.Mode;
        PhysicalMemory memory = machine.Memory;
        PageTables tables = new(memory, mode.Paging, mode.Cpl == 0);
        if (mode.Paging != PagingKind.None)
        {
            tables.Build();
        }

        WriteDescriptors(memory, mode);
        GuestTables.Write(memory, program, tables);
        WriteTaskState(memory, mode);
        ulong[] demandEntries = mode.Paging == PagingKind.None ? [] : [tables.EntryOf(Layout.DemandWindow), tables.OtherEntryOf(Layout.DemandWindow)];
        WriteHandlers(memory, program, demandEntries, tables.EntryBytes);
        memory.Unmap(Layout.Mmio, Layout.MmioBytes);
        foreach ((ulong address, byte[] bytes) in program.Memory)
        {
            memory.Write(address, bytes);
        }

        machine.Bus.Patches = program.Patches;
        SetState(machine.Processor, program, tables);
    }

    private static void SetState(Vcpu processor, GuestProgram program, PageTables tables)
    {
        ModeInfo mode = program.Mode;
        CpuState* s = processor.State;
        if (mode.Paging == PagingKind.Long)
        {
            processor.EnterLong64(0, tables.Root, Layout.Code0, Layout.Data0, Layout.Gdt, Layout.GdtLimit);
            s->Efer |= ControlBits.EferNoExecute | ControlBits.EferSyscall;
        }
        else if (mode.Mode != GuestMode.Real)
        {
            processor.EnterFlat32(0, Layout.Code0, Layout.Data0, Layout.Gdt, Layout.GdtLimit);
            if (mode.Paging != PagingKind.None)
            {
                s->Cr0 |= ControlBits.Cr0Paging;
                s->Cr3 = tables.Root;
                s->Cr4 |= mode.Paging == PagingKind.Pae ? ControlBits.Cr4Pae : ControlBits.Cr4Pse;
                s->Efer |= mode.Paging == PagingKind.Pae ? ControlBits.EferNoExecute : 0;
                for (int i = 0; i < 4 && mode.Paging == PagingKind.Pae; i++)
                {
                    processor.Pdptes[i] = processor.Memory.ReadUInt64(tables.Root + (ulong)(i * 8));
                }
            }
        }
        else
        {
            processor.Reset();
            s->GdtBase = Layout.Gdt;
            s->GdtLimit = Layout.GdtLimit;
            s->Cr0 &= ~(ControlBits.Cr0CacheDisable | ControlBits.Cr0NotWriteThrough);
        }

        s->Cr0 |= ControlBits.Cr0NumericError | ControlBits.Cr0WriteProtect | program.Cr0;
        s->Cr4 |= ControlBits.Cr4Osfxsr | ControlBits.Cr4Osxmmexcpt | ControlBits.Cr4Osxsave | program.Cr4;
        s->Cr4 |= mode.Paging == PagingKind.None ? 0 : ControlBits.Cr4Pge;
        s->Xcr0 = 7;
        s->IdtBase = mode.Mode == GuestMode.Real ? 0 : Layout.Idt;
        s->IdtLimit = mode.Mode == GuestMode.Real ? 0x3FFu : 0xFFFu;
        SetMsrs(s, program);
        processor.SetSegment(SegmentIndex.Tr, Layout.TssSelector, Layout.Tss, Layout.TssLimit, 0x8B);
        if (mode.Mode != GuestMode.Real)
        {
            processor.SetSegment(SegmentIndex.Ldtr, Layout.Local, Layout.LocalTable, Layout.LocalTableLimit, 0x82);
        }

        s->Cpl = (uint)mode.Cpl;
        s->FlagsRest = Flags.Fixed;
        Flags.Set(s, program.Flags, uint.MaxValue);
        SetSegments(processor, mode);
        SetRegisters(s, program);
        if (program.Registers.Length <= 4 || program.Registers[4] == 0)
        {
            s->Gpr[4] = Layout.Stack + Layout.StackTop - mode.StackBase;
        }

        s->Rip = Layout.Code - mode.CodeBase;
        s->Mxcsr = program.Mxcsr;
        s->Fcw = 0x37F;
        s->FpuValid = 0;

        // Loading recomputes everything that follows from what was set.
        SavedState.Load(processor, SavedState.Of(processor));
    }

    private static void SetMsrs(CpuState* s, GuestProgram program)
    {
        s->MsrStar = ((ulong)Layout.Code0 << 32) | ((ulong)0x18 << 48);
        s->MsrLstar = program.SystemCall;
        s->MsrFmask = 0x700;
        s->MsrSysenterCs = Layout.Code0;
        s->MsrSysenterEip = program.SystemEnter;
        s->MsrSysenterEsp = Layout.KernelStack - 0x800;
        s->MsrKernelGsBase = Layout.Data + 0x2000;
        s->MsrTscAux = 5;
    }

    private static void SetRegisters(CpuState* s, GuestProgram program)
    {
        Random random = new(program.Seed);
        for (int i = 0; i < 16; i++)
        {
            s->Gpr[i] = program.Registers.Length > i ? program.Registers[i] : (ulong)random.NextInt64() >> random.Next(64);
            if (program.Mode.Bits != 64)
            {
                s->Gpr[i] = i < 8 ? (uint)s->Gpr[i] : 0;
            }
        }

        random.NextBytes(new Span<byte>(CpuState.Vector(s, 0), 512));
        for (int i = 0; i < 64 && program.Registers.Length > 16 + i; i++)
        {
            ((ulong*)CpuState.Vector(s, 0))[i] = program.Registers[16 + i];
        }
    }

    private static void SetSegments(Vcpu processor, ModeInfo mode)
    {
        if (mode.IsReal)
        {
            uint attributes = mode.IsVirtual ? 0xF3u : 0x93u;
            (int Index, ulong Base)[] bases =
            [
                (SegmentIndex.Cs, Layout.Code), (SegmentIndex.Ss, Layout.Stack), (SegmentIndex.Ds, Layout.Data),
                (SegmentIndex.Es, Layout.Data), (SegmentIndex.Fs, Layout.Mmio), (SegmentIndex.Gs, Layout.Code),
            ];
            foreach ((int index, ulong address) in bases)
            {
                processor.SetSegment(index, (ushort)(address >> 4), address, 0xFFFF, attributes);
            }

            return;
        }

        ushort rpl = (ushort)mode.Cpl;
        Set(processor, SegmentIndex.Cs, mode, Layout.ProgramCode, rpl);
        Set(processor, SegmentIndex.Ss, mode, mode is { Bits: 64, Cpl: 0 } ? Layout.Data0 : Layout.ProgramStack, rpl);
        foreach (int index in new[] { SegmentIndex.Ds, SegmentIndex.Es, SegmentIndex.Fs, SegmentIndex.Gs })
        {
            Set(processor, index, mode, Layout.ProgramData, rpl);
        }

        if (mode.Bits == 64)
        {
            processor.State->Fs.Base = Layout.Data + 0x1000;
            processor.State->Gs.Base = Layout.Data + 0x8000;
        }
    }

    private static void Set(Vcpu processor, int index, ModeInfo mode, ushort selector, ushort rpl)
    {
        foreach ((ushort at, ulong address, uint limit, uint attributes) in Descriptors(mode))
        {
            if (at == selector)
            {
                processor.SetSegment(index, (ushort)(selector | rpl), address, limit, attributes);
            }
        }
    }

    /// <summary>Selector, base, limit in bytes, attributes.</summary>
    private static (ushort Selector, ulong Base, uint Limit, uint Attributes)[] Descriptors(ModeInfo mode)
    {
        const uint Flat = uint.MaxValue;
        uint dpl = mode.Cpl == 3 ? User : 0;
        uint width = mode.Bits switch { 64 => Long, 32 => Big, _ => 0 };
        uint limit = mode.Segmented ? 0xFFFFu : Flat;
        uint granular = mode.Segmented ? 0 : Granular;
        uint kernel = mode.Paging == PagingKind.Long ? Long : Big;
        uint dataWidth = mode.Bits == 16 ? 0 : Big;
        return
        [
            (Layout.Code0, 0, Flat, Code | Granular | kernel),
            (Layout.Data0, 0, Flat, DataSegment | Granular | Big),
            (Layout.Code3 & 0xFFF8, 0, Flat, Code | User | Granular | Big),
            (Layout.Data3 & 0xFFF8, 0, Flat, DataSegment | User | Granular | Big),
            (Layout.Code64User & 0xFFF8, 0, Flat, Code | User | Granular | (mode.Paging == PagingKind.Long ? Long : Big)),
            (Layout.Data3Again & 0xFFF8, 0, Flat, DataSegment | User | Granular | Big),
            (Layout.ProgramCode, mode.CodeBase, limit, Code | dpl | granular | width),
            (Layout.ProgramData, mode.DataBase, limit, DataSegment | dpl | granular | dataWidth),
            (Layout.ProgramStack, mode.StackBase, limit, DataSegment | dpl | granular | dataWidth),
            (Layout.SmallData, Layout.Data + 0x1000, 0x7FF, DataSegment | dpl | dataWidth),
            (Layout.ExpandDown, Layout.Data, 0x7FFF, (DataSegment | SegmentRegister.ExpandDownOrConforming | dpl) & ~Big),
            (Layout.ReadOnlyData, Layout.Data, 0xFFFF, 0x91 | dpl | dataWidth),
            (Layout.CodeAsData, Layout.Code, 0xFFFF, 0x93 | dpl | dataWidth),
            (Layout.NotPresent, 0, 0xFFFF, 0x13 | dpl),
            (Layout.MmioData, Layout.Mmio, 0xFFFF, DataSegment | dpl | dataWidth),
            (Layout.OtherCode, mode.CodeBase, limit, Code | dpl | granular | (mode.Paging == PagingKind.Long && mode.Bits == 32 ? Long : Big)),
        ];
    }

    private static void WriteDescriptors(PhysicalMemory memory, ModeInfo mode)
    {
        foreach ((ushort selector, ulong address, uint bytes, uint attributes) in Descriptors(mode))
        {
            Write(memory, selector, address, bytes, attributes);
        }

        Write(memory, Layout.TssSelector, Layout.Tss, Layout.TssLimit, 0x8B | (mode.Cpl == 3 ? User : 0));
    }

    private static void Write(PhysicalMemory memory, ushort selector, ulong address, uint bytes, uint attributes) =>
        memory.WriteUInt64(Layout.Gdt + selector, Descriptor(address, bytes, attributes));

    /// <summary>A segment or system descriptor, the first eight bytes of it in 64-bit mode; the limit in bytes.</summary>
    public static ulong Descriptor(ulong address, uint bytes, uint attributes)
    {
        uint limit = (attributes & Granular) != 0 ? bytes >> 12 : bytes;
        return (limit & 0xFFFF) | ((address & 0xFFFFFF) << 16) | ((ulong)attributes << 40) | ((ulong)(limit & 0xF0000) << 32) | ((address >> 24 & 0xFF) << 56);
    }

    private static void WriteTaskState(PhysicalMemory memory, ModeInfo mode)
    {
        if (mode.Paging == PagingKind.Long)
        {
            memory.WriteUInt64(Layout.Tss + 4, Layout.KernelStack);
            memory.WriteUInt64(Layout.Tss + 0x24, Layout.ExceptionStack);
            memory.WriteUInt64(Layout.Tss + 0x2C, Layout.NmiStack);
            memory.WriteUInt64(Layout.Tss + 0x34, Layout.DebugStack);
        }
        else
        {
            memory.WriteUInt32(Layout.Tss + 4, (uint)Layout.KernelStack);
            memory.WriteUInt16(Layout.Tss + 8, Layout.Data0);
        }

        memory.WriteUInt16(Layout.Tss + 0x66, 0x68);
        memory.Write(Layout.Tss + Layout.TssLimit, [0xFF]);
    }

    private static void WriteHandlers(PhysicalMemory memory, GuestProgram program, ulong[] demandEntries, int entryBytes)
    {
        ModeInfo mode = program.Mode;
        for (int vector = 0; vector < 256; vector++)
        {
            ulong stub = Layout.Handlers + ((ulong)vector * 16);
            memory.Write(stub, Stub(vector, stub, mode.KernelBits));
            bool service = vector >= 0x80 && vector - 0x80 < program.Services.Length;
            SetGate(memory, vector, service ? program.Services[vector - 0x80] : stub, mode.KernelBits);
        }

        if (mode.HasTasks && program.Tasks.Length > 0)
        {
            memory.WriteUInt64(Layout.Idt + (Layout.TaskVector * 8), ((ulong)Layout.Task32Selector << 16) | (0xE5UL << 40));
        }

        Assembler assembler = new(mode.KernelBits);
        switch (mode.KernelBits)
        {
            case 64:
                Handlers64.Common(assembler, mode, demandEntries, program.Flags);
                break;
            case 32:
                Handlers32.Common(assembler, mode, demandEntries, entryBytes, program.Flags);
                break;
            default:
                Handlers16.Common(assembler);
                break;
        }

        using MemoryStream stream = new();
        assembler.Assemble(new StreamCodeWriter(stream), mode.KernelBits == 16 ? CommonHandler - Layout.Handlers : CommonHandler);
        memory.Write(CommonHandler, stream.ToArray());
    }

    private static byte[] Stub(int vector, ulong at, int bits)
    {
        bool error = vector is 8 or (>= 10 and <= 14) or 17;
        if (bits == 16)
        {
            int jump = (int)(CommonHandler - (at + 6));
            return [0x68, (byte)vector, 0, 0xE9, (byte)jump, (byte)(jump >> 8)];
        }

        byte[] push = error ? [] : [0x6A, 0];
        byte[] rest = [0x68, (byte)vector, 0, 0, 0, 0xE9];
        return [.. push, .. rest, .. BitConverter.GetBytes((int)(CommonHandler - (at + (ulong)push.Length + 10)))];
    }

    private static void SetGate(PhysicalMemory memory, int vector, ulong to, int bits)
    {
        if (bits == 16)
        {
            memory.WriteUInt16((ulong)vector * 4, (ushort)(to & 0xFFFF & (to >= Layout.Services ? 0xFFFFUL : 0x0FFFUL)));
            memory.WriteUInt16(((ulong)vector * 4) + 2, (ushort)(to >= Layout.Services ? Layout.Services >> 4 : Layout.Handlers >> 4));
            return;
        }

        uint type = vector >= 0x84 ? 0xFu : 0xEu;
        uint dpl = vector is 3 or 4 or >= 0x80 ? 0x60u : 0;
        ulong ist = bits != 64 ? 0UL : vector switch { 1 => 3, 2 => 2, < 32 => 1, _ => 0 };
        ulong gate = (to & 0xFFFF) | ((ulong)Layout.Code0 << 16) | (ist << 32) | ((ulong)(0x80 | dpl | type) << 40) | ((to >> 16 & 0xFFFF) << 48);
        ulong at = Layout.Idt + ((ulong)vector * (bits == 64 ? 16u : 8u));
        memory.WriteUInt64(at, gate);
        if (bits == 64)
        {
            memory.WriteUInt64(at + 8, to >> 32);
        }
    }
}
