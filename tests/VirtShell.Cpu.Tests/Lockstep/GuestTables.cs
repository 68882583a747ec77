using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>The local tables, call gates, tasks and INVPCID descriptors of a random program's guest.</summary>
internal static class GuestTables
{
    private const uint Present = 0x80;
    private const uint LocalType = 2;
    private const uint CallGate16 = 4;
    private const uint TaskGate = 5;
    private const uint Tss16 = 1;
    private const uint Tss32 = 9;
    private const uint CallGate = 0xC;
    private const uint Big = 0x4000;
    private const uint Granular = 0x8000;

    public static void Write(PhysicalMemory memory, GuestProgram program, PageTables tables)
    {
        ModeInfo mode = program.Mode;
        uint dpl = mode.Cpl == 3 ? 0x60u : 0;
        System(memory, Layout.Local, Layout.LocalTable, Layout.LocalTableLimit, Present | LocalType);
        System(memory, Layout.OtherLocal, Layout.OtherLocalTable, Layout.LocalTableLimit, Present | LocalType);
        if (program.Gates.Length == 2)
        {
            Gate(memory, mode, Layout.Gdt + Layout.Gate, Layout.Code0, program.Gates[0], CallGate | dpl);
            Gate(memory, mode, Layout.Gdt + Layout.GateWithParameters, Layout.Code0, program.Gates[1], CallGate | dpl, mode.KernelBits == 32 ? 2u : 0);
        }

        if (program.GateRoutine != 0)
        {
            Gate(memory, mode, Layout.Gdt + Layout.GateToItself, (ushort)(Layout.ProgramCode | mode.Cpl), program.GateRoutine, (mode.Bits == 16 ? CallGate16 : CallGate) | dpl);
        }

        WriteLocal(memory, program, Layout.LocalTable, 0, dpl);
        WriteLocal(memory, program, Layout.OtherLocalTable, 1, dpl);
        for (int i = 0; i < Layout.FarPointers.Length; i++)
        {
            memory.WriteUInt64(Layout.Pointers + ((ulong)i * 8), (ulong)(Layout.FarPointers[i] | mode.Cpl) << 32);
        }

        for (int i = 0; i < Layout.ContextCount; i++)
        {
            memory.WriteUInt64(Layout.Contexts + ((ulong)i * 16), (ulong)i);
            memory.WriteUInt64(Layout.Contexts + ((ulong)i * 16) + 8, Layout.DataAlias + ((ulong)i * 4096));
        }

        if (mode.HasTasks && program.Tasks.Length == 2)
        {
            WriteTasks(memory, program, tables.Root, dpl);
        }
    }

    private static void WriteLocal(PhysicalMemory memory, GuestProgram program, ulong table, uint variant, uint dpl)
    {
        ModeInfo mode = program.Mode;
        uint limit = mode.Segmented ? 0xFFFFu : uint.MaxValue;
        uint granular = mode.Segmented ? 0 : Granular;
        uint width = mode.Bits == 16 ? 0 : Big;
        uint code = mode.Bits == 64 ? 0x2000u : width;
        (ushort Selector, ulong Base, uint Limit, uint Attributes)[] entries =
        [
            (Layout.LocalData, mode.DataBase + (variant * 0x100), limit, 0x93 | granular | width),
            (Layout.LocalSmall, Layout.Data + 0x1000, variant == 0 ? 0x7FFu : 0x3FF, 0x93 | width),

            // Expands down in one table and can only be read in the other.
            (Layout.LocalOther, Layout.Data, 0x7FFF, variant == 0 ? 0x97u : 0x91 | width),
            (Layout.LocalCode, mode.CodeBase, limit, 0x9B | granular | code),
            (Layout.LocalNotPresent, 0, 0xFFFF, 0x13),
            (Layout.LocalStack, mode.StackBase, limit, 0x93 | granular | width),
            (Layout.LocalMmio, Layout.Mmio, 0xFFFF, 0x93 | width),
        ];
        foreach ((ushort selector, ulong address, uint bytes, uint attributes) in entries)
        {
            memory.WriteUInt64(table + (selector & 0xFFF8u), GuestSetup.Descriptor(address, bytes, attributes | dpl));
        }

        if (program.Gates.Length == 2)
        {
            Gate(memory, mode, table + (Layout.LocalGate & 0xFFF8), Layout.Code0, program.Gates[0], CallGate | dpl);
        }
    }

    private static void WriteTasks(PhysicalMemory memory, GuestProgram program, ulong root, uint dpl)
    {
        System(memory, Layout.Task32Selector, Layout.Task32, 0x67, Present | Tss32 | dpl);
        System(memory, Layout.Task16Selector, Layout.Task16, 0x2B, Present | Tss16 | dpl);
        memory.WriteUInt64(Layout.Gdt + Layout.TaskGate, ((ulong)Layout.Task32Selector << 16) | ((ulong)(Present | TaskGate | dpl) << 40));
        System(memory, Layout.TaskCode, Layout.Services, uint.MaxValue, 0x9B | Granular | Big);

        // What the program's own TSS has that a switch away does not save.
        memory.WriteUInt32(Layout.Tss + 0x1C, (uint)root);
        memory.WriteUInt16(Layout.Tss + 0x60, Layout.Local);

        ulong wide = Layout.Task32;
        memory.WriteUInt32(wide + 4, (uint)Layout.KernelStack);
        memory.WriteUInt16(wide + 8, Layout.Data0);
        memory.WriteUInt32(wide + 0x1C, (uint)root);
        memory.WriteUInt32(wide + 0x20, (uint)program.Tasks[0]);
        memory.WriteUInt32(wide + 0x24, 0x202);
        memory.WriteUInt32(wide + 0x38, (uint)Layout.Task32Stack);
        ushort[] segments = [Layout.Data0, Layout.Code0, Layout.Data0, Layout.Data0, Layout.LocalData | 3, Layout.LocalMmio | 3];
        for (int i = 0; i < segments.Length; i++)
        {
            bool local = segments[i] > 3 && (segments[i] & 4) != 0;
            memory.WriteUInt16(wide + 0x48 + ((ulong)i * 4), local ? (ushort)((segments[i] & ~3) | program.Mode.Cpl) : segments[i]);
        }

        memory.WriteUInt16(wide + 0x60, Layout.OtherLocal);
        memory.WriteUInt16(wide + 0x64, (ushort)(program.TrapsTask ? 1 : 0));
        memory.WriteUInt16(wide + 0x66, 0x68);

        ulong narrow = Layout.Task16;
        memory.WriteUInt16(narrow + 2, (ushort)Layout.KernelStack);
        memory.WriteUInt16(narrow + 4, Layout.Data0);
        memory.WriteUInt16(narrow + 0x0E, (ushort)(program.Tasks[1] - Layout.Services));
        memory.WriteUInt16(narrow + 0x10, 0x202);
        memory.WriteUInt16(narrow + 0x1A, (ushort)Layout.Task16Stack);
        memory.WriteUInt16(narrow + 0x22, Layout.Data0);
        memory.WriteUInt16(narrow + 0x24, Layout.TaskCode);
        memory.WriteUInt16(narrow + 0x26, Layout.Data0);
        memory.WriteUInt16(narrow + 0x28, Layout.Data0);
        memory.WriteUInt16(narrow + 0x2A, Layout.Local);
    }

    private static void System(PhysicalMemory memory, ushort selector, ulong address, uint bytes, uint attributes) =>
        memory.WriteUInt64(Layout.Gdt + selector, GuestSetup.Descriptor(address, bytes, attributes));

    private static void Gate(PhysicalMemory memory, ModeInfo mode, ulong at, ushort selector, ulong offset, uint type, uint parameters = 0)
    {
        memory.WriteUInt64(at, (offset & 0xFFFF) | ((ulong)selector << 16) | ((ulong)parameters << 32) | ((ulong)(Present | type) << 40) | ((offset >> 16 & 0xFFFF) << 48));
        if (mode.KernelBits == 64)
        {
            memory.WriteUInt64(at + 8, offset >> 32);
        }
    }
}
