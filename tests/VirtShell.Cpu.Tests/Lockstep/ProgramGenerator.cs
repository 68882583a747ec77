using System;
using System.Collections.Generic;
using Iced.Intel;
using VirtShell.Cpu.Memory;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Makes a random program: the same one for the same mode, mix and seed.</summary>
internal static class ProgramGenerator
{
    private const int ServiceCount = 8;
    private static readonly uint[] s_rounding = [0, 0x2000, 0x4000, 0x6000];

    public static GuestProgram Generate(GuestMode mode, Mix mix, int seed)
    {
        Random random = new(HashCode(mode, mix.Name, seed));
        ModeInfo info = ModeInfo.Of(mode);
        GuestProgram program = new() { Mode = info, Seed = seed, Mix = mix.Name };
        program.SwitchesSpaces = info.Paging != PagingKind.None && mix.Has(Family.AddressSpaces);
        ChooseFlags(program, random);
        Windows? windows = WindowsOf(program);
        byte[] lengths = new byte[Layout.LengthBytes];
        ulong[] routines = WriteRoutines(program, mix, random);
        WriteServices(program, mix, random, lengths, windows, routines);
        WriteMain(program, mix, random, lengths, windows, routines);
        program.Memory.Add((Layout.Lengths, lengths));
        WriteData(program, random);
        Pruning.Prune(program, lengths, random);
        for (int i = 0; i < lengths.Length; i++)
        {
            if (lengths[i] != 0)
            {
                program.Starts.Add(Layout.Code + (ulong)i);
            }
        }

        return program;
    }

    // string.GetHashCode differs from run to run.
    private static int HashCode(GuestMode mode, string mix, int seed)
    {
        int hash = unchecked((seed * 486_187_739) + ((int)mode * 7919));
        foreach (char c in mix)
        {
            hash = unchecked((hash * 31) + c);
        }

        return hash & int.MaxValue;
    }

    private static void ChooseFlags(GuestProgram program, Random random)
    {
        ModeInfo mode = program.Mode;
        uint iopl = random.Next(mode.IsVirtual ? 8 : 2) == 0 ? 0u : 0x3000u;
        program.Flags = 0x202 | iopl | (mode.IsVirtual ? Flags.Virtual8086 : 0);
        if (mode.Paging == PagingKind.Long)
        {
            program.Cr4 |= ControlBits.Cr4FsGsBase;
            program.Cr4 |= random.Next(program.SwitchesSpaces ? 2 : 3) == 0 ? ControlBits.Cr4Pcide : 0;
        }

        program.Cr4 |= random.Next(8) == 0 ? ControlBits.Cr4De : 0;
        program.Cr4 |= mode.IsVirtual && random.Next(8) == 0 ? ControlBits.Cr4Vme : 0;
        program.Cr4 |= mode.Paging != PagingKind.None && random.Next(4) == 0 ? ControlBits.Cr4Smep : 0;
        program.Cr0 |= mode.Cpl == 3 && random.Next(8) == 0 ? ControlBits.Cr0AlignmentMask : 0;
        program.Flags |= mode.Cpl == 3 && random.Next(16) == 0 ? Flags.AlignmentCheck : 0;
    }

    /// <summary>How page table entries are found; the tables are the same for every program of a mode.</summary>
    private static Windows? WindowsOf(GuestProgram program)
    {
        ModeInfo mode = program.Mode;
        if (mode.Paging == PagingKind.None)
        {
            return null;
        }

        using PhysicalMemory memory = new(Layout.RamBytes);
        PageTables tables = new(memory, mode.Paging, mode.Cpl == 0);
        tables.Build();
        program.Roots = [tables.Root, tables.OtherRoot];
        return new Windows(tables.EntryOf(Layout.Windows), tables.OtherEntryOf(Layout.Windows), tables.EntryBytes);
    }

    private static ulong[] WriteRoutines(GuestProgram program, Mix mix, Random random)
    {
        ModeInfo mode = program.Mode;
        if (mode.Paging == PagingKind.None || mode.Segmented)
        {
            return [];
        }

        List<ulong> routines = [];
        foreach (ulong frames in new[] { Layout.RoutinesA, Layout.RoutinesB })
        {
            foreach (int at in new[] { 0x010, 0x200, 0xFF9, 0x1100, 0x1FF5, 0x2100, 0x2FFD, 0x3300 })
            {
                CodeEmitter code = new(mode.Bits, Layout.RoutineWindow + (ulong)at, 0, 0x800);
                BlockWriter writer = new(program, mix, code, random, service: false);
                writer.Leaf(random.Next(1, 7));
                program.Memory.Add((frames + (ulong)at, code.ToArray()));
                if (frames == Layout.RoutinesA)
                {
                    routines.Add(Layout.RoutineWindow + (ulong)at);
                }
            }
        }

        return [.. routines];
    }

    private static void WriteServices(GuestProgram program, Mix mix, Random random, byte[] lengths, Windows? windows, ulong[] routines)
    {
        ModeInfo mode = program.Mode;
        CodeEmitter code = new(mode.KernelBits, Layout.Services, mode.KernelBits == 16 ? Layout.Services : 0, Layout.ServiceBytes);
        List<ulong> services = [];
        for (int i = 0; i < ServiceCount + 2; i++)
        {
            services.Add(code.Linear + (ulong)code.Count);
            Mix of = random.Next(2) == 0 ? mix : Mix.Of("system");
            BlockWriter writer = new(program, of, code, random, service: true) { Windows = windows };
            if (mode.Bits == mode.KernelBits && mode.Cpl == 0)
            {
                writer.Routines = routines;
            }

            Enter(code, mode, i - ServiceCount);
            writer.Begin();
            writer.Body(random.Next(2, 16));
            Leave(code, mode, i - ServiceCount);
        }

        if (mode.KernelBits != 16 && mix.Has(Family.Gates))
        {
            program.Gates = [WriteGate(program, mix, random, code, windows, 0), WriteGate(program, mix, random, code, windows, mode.KernelBits == 32 ? 2 : 0)];
            program.Tasks = mode.HasTasks ? [WriteTask(program, mix, random, code, windows), WriteTask(program, mix, random, code, windows)] : [];
            program.TrapsTask = random.Next(4) == 0;
        }

        program.SystemEnter = services[ServiceCount];
        program.SystemCall = services[ServiceCount + 1];
        program.Services = [.. services[..ServiceCount]];
        program.Memory.Add((Layout.Services, code.ToArray()));
        code.Lengths.CopyTo(lengths, Layout.CodeBytes);
    }

    /// <summary>What a call gate leads to: a service that ends in a far return.</summary>
    private static ulong WriteGate(GuestProgram program, Mix mix, Random random, CodeEmitter code, Windows? windows, int parameters)
    {
        ModeInfo mode = program.Mode;
        ulong at = code.Linear + (ulong)code.Count;
        BlockWriter writer = new(program, mix, code, random, service: true) { Windows = windows };
        Enter(code, mode, -1);
        writer.Begin();
        writer.Body(random.Next(2, 12));
        if (mode.KernelBits == 64)
        {
            code.Assemble(static c => Handlers64.Leave(c, iret: false));
            code.Raw(0x48, 0xCB); // retfq
            return at;
        }

        code.Assemble(c =>
        {
            Handlers32.Leave(c, iret: false);
            if (parameters == 0)
            {
                c.retf();
            }
            else
            {
                c.retf((short)(parameters * 4));
            }
        });
        return at;
    }

    /// <summary>A task of the kernel: for ever some work, and then back to whoever called it or, where nobody did, to the program's task.</summary>
    private static ulong WriteTask(GuestProgram program, Mix mix, Random random, CodeEmitter code, Windows? windows)
    {
        ulong at = code.Linear + (ulong)code.Count;
        BlockWriter writer = new(program, mix, code, random, service: true) { Windows = windows };
        int top = code.BindNew();
        writer.Begin();
        writer.Body(random.Next(2, 10));
        int jumped = code.NewLabel();
        code.Raw(0x9C); // pushfd
        code.Raw(0x58); // pop eax
        code.Emit(Instruction.Create(Code.Test_EAX_imm32, Register.EAX, (int)Flags.NestedTask));
        code.Branch(Code.Je_rel32_32, jumped);
        code.Raw(0xCF);
        writer.Forever(top);
        code.Bind(jumped);
        code.Raw(0xEA, 0, 0, 0, 0, (byte)Layout.TssSelector, (byte)(Layout.TssSelector >> 8));
        writer.Forever(top);
        return at;
    }

    private static void Enter(CodeEmitter code, ModeInfo mode, int special)
    {
        code.Assemble(c =>
        {
            if (special == 1 && mode.KernelBits == 64)
            {
                c.mov(__qword_ptr[(int)Layout.SavedStack], rsp);
                c.mov(esp, (uint)(Layout.KernelStack - 0x400));
            }

            switch (mode.KernelBits)
            {
                case 64:
                    Handlers64.Enter(c);
                    break;
                case 32:
                    Handlers32.Enter(c);
                    break;
                default:
                    Handlers16.Enter(c);
                    break;
            }
        });
    }

    private static void Leave(CodeEmitter code, ModeInfo mode, int special)
    {
        code.Assemble(c =>
        {
            if (mode.KernelBits == 16)
            {
                Handlers16.Leave(c);
                return;
            }

            if (special < 0)
            {
                if (mode.KernelBits == 64)
                {
                    Handlers64.Leave(c, iret: true);
                }
                else
                {
                    Handlers32.Leave(c, iret: true);
                }

                return;
            }

            if (mode.KernelBits == 64)
            {
                Handlers64.Leave(c, iret: false);
                if (special == 1)
                {
                    c.mov(rsp, __qword_ptr[(int)Layout.SavedStack]);
                    c.sysretq();
                }
                else if (mode.Bits == 64)
                {
                    c.sti();
                    c.sysexitq();
                }
                else
                {
                    c.sti();
                    c.sysexit();
                }
            }
            else
            {
                Handlers32.Leave(c, iret: false);
                c.sti();
                c.sysexit();
            }
        });
    }

    private static void WriteMain(GuestProgram program, Mix mix, Random random, byte[] lengths, Windows? windows, ulong[] routines)
    {
        ModeInfo mode = program.Mode;
        CodeEmitter code = new(mode.Bits, Layout.Code, mode.CodeBase, Layout.CodeBytes);
        BlockWriter writer = new(program, mix, code, random, service: false) { Windows = windows, Routines = routines };
        Function[] functions = new Function[random.Next(1, 6)];
        for (int i = 0; i < functions.Length; i++)
        {
            functions[i] = new Function(code.NewLabel(), random.Next(3) == 0 ? random.Next(1, 4) : 0);
        }

        writer.RecursiveFunction = code.NewLabel();
        writer.Callable.AddRange(functions);
        writer.Preamble();
        int top = code.BindNew();
        writer.Begin();
        writer.Body(random.Next(20, 200));
        writer.Forever(top);
        writer.InFunction = true;
        for (int i = 0; i < functions.Length; i++)
        {
            writer.Callable.Clear();
            writer.Callable.AddRange(functions[(i + 1)..]);
            code.Bind(functions[i].Label);
            writer.Begin();
            writer.Body(random.Next(3, 30));
            writer.Return(functions[i].Arguments);
        }

        code.Bind(writer.RecursiveFunction);
        writer.Begin();
        writer.Recursion(writer.RecursiveFunction);
        if (mode.HasGateToItself && mix.Has(Family.Gates))
        {
            program.GateRoutine = writer.GateRoutine();
        }

        program.Memory.Add((Layout.Code, code.ToArray()));
        program.Written = writer.Written;
        code.Lengths.CopyTo(lengths, 0);
    }

    private static void WriteData(GuestProgram program, Random random)
    {
        byte[] data = new byte[Layout.DataBytes];
        random.NextBytes(data);
        for (int i = 0; i < data.Length; i += 8)
        {
            if (random.Next(2) == 0)
            {
                EdgeValue(random, data.AsSpan(i, 8));
            }
        }

        // No more exceptions than one program in four unmasks.
        uint control = 0x1F80 | s_rounding[random.Next(4)] | (random.Next(4) == 0 ? 0x8040u : 0);
        control &= random.Next(4) == 0 ? ~((uint)random.Next(0x40) << 7) : uint.MaxValue;
        BitConverter.TryWriteBytes(data.AsSpan(0xFE00), control);

        // The descriptor of INVPCID is that of nothing in particular.
        data.AsSpan(0xFF00, 16).Clear();
        program.Memory.Add((Layout.Data, data));
        byte[] stack = new byte[0x1_0000];
        random.NextBytes(stack);
        program.Memory.Add((Layout.Stack, stack));
    }

    private static void EdgeValue(Random random, Span<byte> place)
    {
        double value = random.Next(10) switch
        {
            0 => 0.0,
            1 => -0.0,
            2 => double.PositiveInfinity,
            3 => double.NaN,
            4 => double.Epsilon * random.Next(1, 1000),
            5 => double.MaxValue,
            6 => random.Next(-1000, 1000),
            _ => (random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-80, 80)),
        };
        if (random.Next(2) == 0)
        {
            BitConverter.TryWriteBytes(place, value);
        }
        else
        {
            BitConverter.TryWriteBytes(place, (float)value);
            BitConverter.TryWriteBytes(place[4..], random.Next(3) == 0 ? float.Epsilon * random.Next(100) : (float)random.Next(-1000, 1000));
        }
    }
}
