using System;
using System.Collections.Generic;
using System.IO;
using Iced.Intel;
using VirtShell.Cpu;
using VirtShell.Machine.Tests.Boot;
using VirtShell.State;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Machine.Tests;

/// <summary>
/// A machine with two processors, which no model has yet: the first starts the second by INIT and a start-up message, both work on
/// one memory, and a run depends on nothing but the machine.
/// </summary>
public sealed class ProcessorGroupTests
{
    private const uint Apic = 0xFEE0_0000;
    private const uint StartPage = 0x8;
    private const uint StartAddress = StartPage << 12;
    private const uint Began = 0x500;
    private const uint Counter = 0x504;
    private const uint Ticks = 0x508;
    private const uint Times = 0x50C;
    private const uint Idt = 0x30_0000;
    private const int Counts = 30_000;
    private const int Vector = 0x40;

    // What the second one's CPUID says, after its count.
    private const int ExitCode = 0x0100_0000 >> 24;

    public static TheoryData<EngineKind> Engines => [EngineKind.Interpreter, EngineKind.Translator];

    [Theory]
    [MemberData(nameof(Engines))]
    public void The_second_processor_starts_where_the_first_one_says(EngineKind engine)
    {
        using Pc machine = Create(engine);
        Assert.False(machine.Processors[1].IsStarted);
        Assert.Equal(new MachineExit(MachineExitKind.DebugExit, ExitCode), Run(machine, long.MaxValue));
        Assert.Equal((uint)Counts, machine.Memory.ReadUInt32(Counter));
        Assert.Equal(1u, machine.Memory.ReadUInt32(Ticks));

        // Time went by while the first one slept: a nanosecond for an instruction of the second.
        Assert.InRange(machine.GuestTime - machine.Instructions, Counts, long.MaxValue);
        machine.Reset();
        Assert.False(machine.Processors[1].IsStarted);
        Assert.Equal(new MachineExit(MachineExitKind.DebugExit, ExitCode), Run(machine, long.MaxValue));
    }

    [Fact]
    public void A_run_is_the_same_on_both_engines_and_however_it_is_cut()
    {
        using Pc whole = Create(EngineKind.Interpreter);
        Run(whole, long.MaxValue);
        byte[] expected = whole.Save();
        Random random = new(7);
        for (int round = 0; round < 6; round++)
        {
            using Pc machine = Create(round % 2 == 0 ? EngineKind.Translator : EngineKind.Interpreter);
            MachineExit exit;
            while ((exit = machine.Run(random.Next(1, 4000))).Kind == MachineExitKind.QuantumSpent)
            {
            }

            Assert.Equal(new MachineExit(MachineExitKind.DebugExit, ExitCode), exit);
            Assert.Equal(whole.GuestTime, machine.GuestTime);
            Assert.Equal(whole.Instructions, machine.Instructions);
        }

        using Pc translated = Create(EngineKind.Translator);
        Run(translated, long.MaxValue);
        Assert.Equal(expected, translated.Save());
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void Saved_and_frozen_anywhere_it_goes_on_to_the_same_end(EngineKind engine)
    {
        using Pc whole = Create(engine);
        Run(whole, long.MaxValue);
        byte[] expected = whole.Save();
        using Pc first = Create(engine);
        for (int i = 0; i < 12 && first.Run(1 + (i * 3)).Kind == MachineExitKind.QuantumSpent; i++)
        {
            using MemoryStream state = new(first.Save());
            using Pc loaded = Pc.FromState(Configuration(engine), state);
            Run(loaded, long.MaxValue);
            Assert.Equal(expected, loaded.Save());
            using FrozenMachine frozen = first.Freeze();
            using Pc branch = frozen.Branch();
            Run(branch, long.MaxValue);
            Assert.Equal(expected, branch.Save());
        }
    }

    [Fact]
    public void An_INIT_stops_the_processor_that_it_names_until_it_is_started_again()
    {
        using Pc machine = new(Configuration(EngineKind.Auto, static a =>
        {
            WriteStart(a, 0xEB, 0xFE);
            StartOther(a);
            Label loop = a.CreateLabel();
            a.mov(ecx, 5000);
            a.Label(ref loop);
            a.dec(ecx);
            a.jnz(loop);
            Command(a, 0x4500);
            a.hlt();
        }));
        Assert.Equal(MachineExitKind.HaltedForever, Run(machine, long.MaxValue).Kind);
    }

    private static MachineExit Run(Pc machine, long limit)
    {
        MachineExit exit;
        while ((exit = machine.Run(limit)).Kind == MachineExitKind.QuantumSpent)
        {
        }

        return exit;
    }

    private static Pc Create(EngineKind engine) => new(Configuration(engine));

    private static MachineConfiguration Configuration(EngineKind engine) => Configuration(engine, StartAndSleep);

    private static MachineConfiguration Configuration(EngineKind engine, Action<Assembler> code) => new()
    {
        MemoryBytes = 8 << 20,
        Engine = engine,
        Processors = 2,
        Boot = new MultibootBoot(MultibootImages.Flat(code), string.Empty),
    };

    // The first processor: starts the second, sleeps until that one's interrupt comes, and ends with what it has said of itself.
    private static void StartAndSleep(Assembler a)
    {
        Label start = a.CreateLabel();
        Label sleep = a.CreateLabel();
        a.mov(esp, 0x20_0000);
        a.call(start);
        a.inc(__dword_ptr[Ticks]);
        a.mov(__dword_ptr[Apic + 0xB0], 0);
        a.iretd();
        a.Label(ref start);
        a.pop(eax);
        a.mov(__word_ptr[Idt + (Vector * 8)], ax);
        a.shr(eax, 16);
        a.mov(__word_ptr[Idt + (Vector * 8) + 6], ax);
        a.mov(ax, cs);
        a.mov(__word_ptr[Idt + (Vector * 8) + 2], ax);
        a.mov(__word_ptr[Idt + (Vector * 8) + 4], 0x8E00);
        a.mov(__word_ptr[0x580], 0x7FF);
        a.mov(__dword_ptr[0x582], Idt);
        a.lidt(__fword_ptr[0x580]);
        a.mov(__dword_ptr[Apic + 0xF0], 0x1FF);
        WriteStart(a, SecondProgram());
        StartOther(a);
        a.sti();
        a.Label(ref sleep);
        a.hlt();
        a.cmp(__dword_ptr[Counter], Counts);
        a.jb(sleep);
        a.mov(dx, 0x501);
        a.mov(eax, __dword_ptr[Began]);
        a.shr(eax, 24);
        a.@out(dx, eax);
        a.hlt();
    }

    // The second: says who it is, counts, and sends the first one an interrupt. In real mode, with an address above 1 MiB by its FS.
    private static byte[] SecondProgram()
    {
        Assembler a = new(16);
        Label loop = a.CreateLabel();
        a.xor(ax, ax);
        a.mov(ds, ax);
        a.mov(eax, 1);
        a.cpuid();
        a.mov(__dword_ptr[Began], ebx);
        a.mov(ecx, Counts);
        a.Label(ref loop);
        a.inc(__dword_ptr[Counter]);
        a.rdtsc();
        a.add(__dword_ptr[Times], eax);
        a.dec(ecx);
        a.jnz(loop);

        // FS gets a limit of 4 GiB in protected mode, and keeps it.
        a.mov(__word_ptr[0x600], 0xF);
        a.mov(__dword_ptr[0x602], 0x610);
        a.mov(__dword_ptr[0x618], 0x0000_FFFF);
        a.mov(__dword_ptr[0x61C], 0x008F_9300);
        a.lgdt(__fword_ptr[0x600]);
        a.mov(eax, cr0);
        a.or(al, 1);
        a.mov(cr0, eax);
        a.mov(bx, 8);
        a.mov(fs, bx);
        a.and(al, 0xFE);
        a.mov(cr0, eax);
        a.mov(edi, Apic);
        a.mov(__dword_ptr.fs[edi + 0x310], 0);
        a.mov(__dword_ptr.fs[edi + 0x300], Vector);
        a.hlt();
        using MemoryStream stream = new();
        a.Assemble(new StreamCodeWriter(stream), 0);
        return stream.ToArray();
    }

    private static void WriteStart(Assembler a, params IReadOnlyList<byte> code)
    {
        for (int i = 0; i < code.Count; i++)
        {
            a.mov(__byte_ptr[StartAddress + (uint)i], code[i]);
        }
    }

    // To all but itself: INIT, and two start-up messages as systems send them.
    private static void StartOther(Assembler a)
    {
        Command(a, 0x4500);
        Command(a, 0x4600 | StartPage);
        Command(a, 0x4600 | StartPage);
    }

    private static void Command(Assembler a, uint command) => a.mov(__dword_ptr[Apic + 0x300], command | (3 << 18));
}
