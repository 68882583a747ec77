using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using Iced.Intel;
using VirtShell.Cpu;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Tests.Boot;
using VirtShell.State;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Machine.Tests;

public sealed class MachineRunTests
{
    private const long Millisecond = 1_000_000;

    [Fact]
    public void The_debug_exit_port_ends_the_run_with_its_value()
    {
        using Pc machine = Create(a => Exit(a, 0x1234_5678));
        Assert.Equal(new MachineExit(MachineExitKind.DebugExit, 0x1234_5678), machine.Run(1000));
        Assert.Equal(3, machine.Instructions);
    }

    [Theory]
    [InlineData(0x3F8, 1)]
    [InlineData(0x2F8, 2)]
    [InlineData(0xE9, 200)]
    public void Bytes_are_reported_with_their_port(int port, int number)
    {
        using Pc machine = Create(a =>
        {
            a.mov(dx, (ushort)port);
            a.mov(al, (byte)0x78);
            a.@out(dx, al);
            Exit(a, 0);
        });
        List<(int, byte)> seen = [];
        machine.SerialOutput = (outlet, b) => seen.Add((outlet.Number, b));
        machine.Run(1000);
        Assert.Equal([(number, (byte)'x')], seen);
    }

    [Fact]
    public void S5_switches_off_and_the_instruction_behind_it_has_not_run()
    {
        using Pc machine = Create(a =>
        {
            a.mov(dx, 0x604);
            a.mov(eax, 0x2000);
            a.@out(dx, ax);
            Exit(a, 1);
        });
        Assert.Equal(MachineExitKind.PowerOff, machine.Run(1000).Kind);
        Assert.Equal(3, machine.Instructions);
    }

    [Theory]
    [InlineData(0x64, 0xFE)]
    [InlineData(0x92, 0x03)]
    [InlineData(0xCF9, 0x06)]
    public void Resets_are_asked_for_and_start_the_image_again(int port, int value)
    {
        using Pc machine = Create(a =>
        {
            a.mov(ebx, __dword_ptr[0x20_0000]);
            a.mov(__dword_ptr[0x20_0000], 1);
            a.mov(dx, (ushort)port);
            a.mov(al, (byte)value);
            a.@out(dx, al);
            Exit(a, 0);
        });
        Assert.Equal(MachineExitKind.ResetRequested, machine.Run(1000).Kind);
        long instructions = machine.Instructions;
        machine.Reset();
        Assert.Equal(0u, machine.Memory.ReadUInt32(0x20_0000));
        Assert.Equal(instructions, machine.Instructions);
        Assert.Equal(MachineExitKind.ResetRequested, machine.Run(1000).Kind);
        Assert.Equal(0ul, machine.Cpu.GetRegister(3));
        Assert.Equal(2 * instructions, machine.Instructions);
    }

    [Fact]
    public void Halting_with_interrupts_off_is_for_ever()
    {
        using Pc machine = Create(a =>
        {
            a.cli();
            a.hlt();
        });
        Assert.Equal(MachineExitKind.HaltedForever, machine.Run(1000).Kind);
    }

    [Fact]
    public void A_wild_exception_is_a_triple_fault()
    {
        using Pc machine = Create(a => a.ud2());
        Assert.Equal(MachineExitKind.TripleFault, machine.Run(1000).Kind);
        Assert.Equal(MachineExitKind.TripleFault, machine.Run(1000).Kind);
    }

    [Fact]
    public void Halt_skips_to_the_timer_and_time_is_exact()
    {
        using Pc machine = Create(a => Ticker(a, ticks: 100));
        MachineExit exit = machine.Run(1_000_000);
        Assert.Equal(MachineExitKind.DebugExit, exit.Kind);

        // A hundred periods of 11932 ticks of 1.193182 MHz.
        Assert.InRange(machine.GuestTime, 1_000 * Millisecond, 1_000 * Millisecond + (20 * Millisecond / 100));
        Assert.InRange(machine.Instructions, 500, 2000);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1000)]
    public void How_a_run_is_cut_into_quanta_changes_nothing(long quantum)
    {
        using Pc whole = Create(a => Ticker(a, ticks: 20, work: 5_000));
        using Pc cut = Create(a => Ticker(a, ticks: 20, work: 5_000));
        whole.Run(long.MaxValue);
        long rounds = 0;
        while (cut.Run(quantum * 97).Kind == MachineExitKind.QuantumSpent)
        {
            rounds++;
        }

        Assert.True(rounds > 0);
        Assert.Equal(whole.Instructions, cut.Instructions);
        Assert.Equal(whole.GuestTime, cut.GuestTime);
        Assert.Equal(whole.Memory.Hash(), cut.Memory.Hash());
    }

    [Fact]
    public void The_limit_is_exact()
    {
        using Pc machine = Create(Spin);
        Assert.Equal(MachineExitKind.QuantumSpent, machine.Run(12_345).Kind);
        Assert.Equal(12_345, machine.Instructions);
        Assert.Equal(12_345, machine.GuestTime);
    }

    [Fact]
    public void The_alarm_comes_at_its_instruction()
    {
        using Pc machine = Create(Spin);
        List<long> at = [];
        machine.SetAlarm(5_000, () =>
        {
            at.Add(machine.Instructions);
            machine.SetAlarm(6_000, () => at.Add(machine.Instructions));
        });
        machine.Run(10_000);
        Assert.Equal([5_000, 6_000], at);
        machine.SetAlarm(11_000, () => at.Add(0));
        machine.SetAlarm(0, null);
        machine.Run(10_000);
        Assert.Equal(2, at.Count);
    }

    [Fact]
    public void A_stop_is_taken_soon_and_once()
    {
        using Pc machine = Create(Spin);
        machine.SetAlarm(5_000, machine.RequestStop);
        Assert.Equal(MachineExitKind.StopRequested, machine.Run(10_000_000).Kind);
        Assert.Equal(5_000, machine.Instructions);
        Assert.Equal(MachineExitKind.QuantumSpent, machine.Run(10_000).Kind);
        Assert.Equal(15_000, machine.Instructions);
    }

    [Fact]
    public void A_stop_is_taken_between_events_that_are_due()
    {
        using Pc machine = Create(Spin);
        int fired = 0;
        void Again()
        {
            if (++fired == 100)
            {
                machine.RequestStop();
            }

            if (fired < 10_000)
            {
                machine.SetAlarm(machine.GuestTime, Again);
            }
        }

        machine.SetAlarm(5_000, Again);
        Assert.Equal(MachineExitKind.StopRequested, machine.Run(10_000_000).Kind);
        Assert.Equal((100, 5_000L), (fired, machine.Instructions));
        Assert.Equal(MachineExitKind.QuantumSpent, machine.Run(10).Kind);
        Assert.Equal((10_000, 5_010L), (fired, machine.Instructions));
    }

    [Fact]
    public void An_idle_guest_waits_for_input_and_echoes_it()
    {
        using Pc machine = Create(Echo);
        StringBuilder seen = new();
        machine.SerialOutput = (_, b) => seen.Append((char)b);
        Assert.Equal(new MachineExit(MachineExitKind.Idle, IdleUntil: long.MaxValue), machine.Run(1_000_000));
        machine.SendSerial(Outlet.Com1, "a line that is longer than the FIFO of the UART"u8);
        Assert.Equal(MachineExitKind.Idle, machine.Run(1_000_000).Kind);
        Assert.Equal("a line that is longer than the FIFO of the UART", seen.ToString());
        Assert.Throws<ArgumentOutOfRangeException>(() => machine.SendSerial(Outlet.Debug, "x"u8));
    }

    [Fact]
    public void The_host_clock_returns_idle_with_the_next_event()
    {
        using Pc machine = Create(a => Ticker(a, ticks: 3), ClockMode.Host);
        MachineExit exit;
        int idles = 0;
        while ((exit = machine.Run(1_000_000)).Kind != MachineExitKind.DebugExit)
        {
            Assert.Equal(MachineExitKind.Idle, exit.Kind);
            Assert.True(exit.IdleUntil > machine.GuestTime);
            System.Threading.Thread.Sleep(1);
            idles++;
        }

        Assert.True(idles > 0);
        Assert.True(machine.GuestTime >= 30 * Millisecond);
    }

    [Fact]
    public void The_power_button_reaches_a_guest_that_listens()
    {
        using Pc machine = Create(a =>
        {
            a.mov(al, 0xF1);
            a.@out(0xB2, al);
            a.mov(dx, 0x602);
            a.mov(eax, 0x100);
            a.@out(dx, ax);
            a.mov(dx, 0x600);
            Label wait = a.CreateLabel();
            a.Label(ref wait);
            a.@in(ax, dx);
            a.test(eax, 0x100);
            a.jz(wait);
            Exit(a, 7);
        });
        Assert.Equal(MachineExitKind.QuantumSpent, machine.Run(1000).Kind);
        machine.PressPowerButton();
        Assert.Equal(new MachineExit(MachineExitKind.DebugExit, 7), machine.Run(1000));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(10_003)]
    [InlineData(77_777)]
    public void Saved_state_continues_to_the_same_end(long at)
    {
        using Pc whole = Create(a => Ticker(a, ticks: 20, work: 5_000));
        using Pc first = Create(a => Ticker(a, ticks: 20, work: 5_000));
        using Pc second = Create(a => Ticker(a, ticks: 20, work: 5_000));
        StringBuilder expected = new();
        StringBuilder seen = new();
        whole.SerialOutput = (_, b) => expected.Append((char)b);
        first.SerialOutput = second.SerialOutput = (_, b) => seen.Append((char)b);
        whole.Run(long.MaxValue);
        first.Run(at);
        MemoryStream state = new();
        first.Save(state);
        state.Position = 0;
        second.Run(4321);
        seen.Clear();
        second.Load(state);
        Assert.Equal(at, second.Instructions);
        Assert.Equal(MachineExitKind.DebugExit, second.Run(long.MaxValue).Kind);
        Assert.Equal(whole.Instructions, second.Instructions);
        Assert.Equal(whole.GuestTime, second.GuestTime);
        Assert.Equal(whole.Memory.Hash(), second.Memory.Hash());
        Assert.EndsWith(seen.ToString(), expected.ToString(), StringComparison.Ordinal);
    }

    /// <summary>Two counts a nanosecond, of which each instruction takes one.</summary>
    [Theory]
    [InlineData(EngineKind.Interpreter, 0L)]
    [InlineData(EngineKind.Translator, 0L)]
    [InlineData(EngineKind.Interpreter, 10_000_000_000L)]
    [InlineData(EngineKind.Translator, 10_000_000_000L)]
    public void The_timestamp_counter_is_twice_the_time(EngineKind engine, long skipped)
    {
        using Pc machine = Create(
            a =>
            {
                Label loop = a.CreateLabel();
                Label fill = a.CreateLabel();
                a.mov(edi, 0x20_0000);
                a.Label(ref loop);
                a.rdtsc();
                a.mov(__dword_ptr[edi], eax);
                a.mov(__dword_ptr[edi + 4], edx);
                a.mov(ecx, 50);
                a.Label(ref fill);
                a.dec(ecx);
                a.jnz(fill);
                a.add(edi, 8);
                a.cmp(edi, 0x20_0000 + (8 * 100));
                a.jb(loop);
                Exit(a, 0);
            },
            engine: engine);
        machine.Run(1);
        machine.Skip(skipped);
        machine.Run(long.MaxValue);

        // A round has 107 instructions.
        Assert.Equal(
            Enumerable.Range(0, 100).Select(i => 2 * (skipped + 1 + (107L * i))),
            Enumerable.Range(0, 100).Select(i => machine.Memory.ReadUInt32(0x20_0000 + (8 * (ulong)i)) | ((long)machine.Memory.ReadUInt32(0x20_0004 + (8 * (ulong)i)) << 32)));
    }

    /// <summary>A deadline is a value of the guest's counter, wherever the guest has set that before or sets it then.</summary>
    [Theory]
    [InlineData(0, 0, 20_000, 10_000)]
    [InlineData(1_000_000, 0, 1_020_000, 10_000)]
    [InlineData(0, 10_000, 20_000, 5_000)]
    [InlineData(1_000_000, 990_000, 1_020_000, 15_000)]
    [InlineData(0, 50_000, 20_000, 0)]
    [InlineData(1_000_000, 10_000, 20_000, 0)]
    [InlineData(int.MaxValue, 0, 20_000, 0)]
    public void The_deadline_follows_the_guests_counter(int first, int second, int deadline, int nanoseconds)
    {
        using Pc machine = Create(a =>
        {
            SetUp(a, 0x60, () => Exit(a, 1), pic: false);
            WriteMsr(a, 0x6E0, 0);
            a.mov(__dword_ptr[0xFEE000F0], 0x1FF);
            a.mov(__dword_ptr[0xFEE00320], 0x4_0060);
            a.mov(esi, 0);
            if (first != 0)
            {
                WriteMsr(a, 0x10, first);
            }

            WriteMsr(a, 0x6E0, deadline);
            if (second != 0)
            {
                WriteMsr(a, 0x10, second);
            }

            a.sti();
            Label loop = a.CreateLabel();
            a.Label(ref loop);
            a.inc(esi);
            a.jmp(loop);
        });
        Assert.Equal(new MachineExit(MachineExitKind.DebugExit, 1), machine.Run(1_000_000));

        // Setting up takes some instructions, which is why the numbers are round; the end is an access to a port.
        Assert.InRange(machine.GuestTime, nanoseconds + 1_000 - 200, nanoseconds + 1_000 + 200);
    }

    /// <summary>Saved state of before said nothing of a time-stamp counter that ran at 1 GHz.</summary>
    [Fact]
    public void State_of_a_machine_whose_counter_ran_at_another_pace_is_refused()
    {
        MemoryStream state = new();
        StateSaver saver = new(state);
        saver.Value("now", 5L);
        saver.Complete();
        state.Position = 0;
        StateFormatException e = Assert.Throws<StateFormatException>(() => new MachineClock(() => 0).Load(state));
        Assert.Contains("1000 MHz", e.Message, StringComparison.Ordinal);
        Assert.Contains("2000 MHz", e.Message, StringComparison.Ordinal);
    }

    /// <summary>A microsecond for each access to a port, of whatever width, and no event is passed over; none where the host's clock counts.</summary>
    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public void An_access_to_a_port_takes_a_microsecond(EngineKind engine)
    {
        using Pc machine = Create(
            a =>
            {
                Label loop = a.CreateLabel();
                a.mov(ecx, 100);
                a.mov(edx, 0x123);
                a.Label(ref loop);
                a.@in(al, dx);
                a.@out(0x80, al);
                a.@in(eax, dx);
                a.dec(ecx);
                a.jnz(loop);
                Exit(a, 0);
            },
            engine: engine);
        List<long> at = [];
        machine.SetAlarm(10_500, () => at.Add(machine.GuestTime));
        Assert.Equal(MachineExitKind.DebugExit, machine.Run(10_000).Kind);
        Assert.Equal(505, machine.Instructions);
        Assert.Equal([10_500], at);

        // The access in which the alarm came took less.
        Assert.InRange(machine.GuestTime, 300_000 + 205, 301_000 + 205);
    }

    /// <summary>What is read and written port by port ends where the next event is due, on whichever engine.</summary>
    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public void A_repeated_access_is_cut_by_events_alone(EngineKind engine)
    {
        using Pc machine = Create(
            a =>
            {
                a.mov(esi, 0x10_0000);
                a.mov(edx, 0x80);
                a.mov(ecx, 50);
                a.rep.outsb();
                for (int i = 0; i < 20; i++)
                {
                    a.nop();
                }

                Exit(a, 0);
            },
            engine: engine);
        foreach (long due in new[] { 10_000, 20_500, 20_501 })
        {
            machine.SetAlarm(due, () => { });
            Assert.Equal(MachineExitKind.QuantumSpent, machine.Run(due == 10_000 ? 4 : 1).Kind);
        }

        Assert.Equal(MachineExitKind.DebugExit, machine.Run(10_000).Kind);
        (long instructions, long time) = (machine.Instructions, machine.GuestTime);
        Assert.Equal((30, 48_497), (instructions, time));
    }

    private static void WriteMsr(Assembler a, int index, int value)
    {
        a.mov(ecx, index);
        a.mov(eax, value);
        a.xor(edx, edx);
        a.wrmsr();
    }

    private static Pc Create(Action<Assembler> code, ClockMode clock = ClockMode.Virtual, EngineKind engine = EngineKind.Auto) =>
        new(new MachineConfiguration { MemoryBytes = 8 << 20, Clock = clock, Engine = engine, Boot = new MultibootBoot(MultibootImages.Flat(code), "") });

    private static void Exit(Assembler a, int code)
    {
        a.mov(dx, 0x501);
        a.mov(eax, code);
        a.@out(dx, eax);
    }

    private static void Spin(Assembler a)
    {
        Label loop = a.CreateLabel();
        a.Label(ref loop);
        a.inc(eax);
        a.jmp(loop);
    }

    private static void Out(Assembler a, int port, int value)
    {
        a.mov(al, (byte)value);
        a.mov(dx, (ushort)port);
        a.@out(dx, al);
    }

    // A stack, an IDT at 300000h whose entry 'vector' leads to the handler written here, and the first 8259.
    private static void SetUp(Assembler a, int vector, Action handler, bool pic = true)
    {
        Label behind = a.CreateLabel();
        a.mov(esp, 0x40_0000);
        a.call(behind);
        handler();
        a.Label(ref behind);
        a.pop(ecx);
        a.mov(eax, cs);
        a.shl(eax, 16);
        a.mov(ebx, 0x30_0000 + (8 * vector));
        a.mov(ax, cx);
        a.mov(__dword_ptr[ebx], eax);
        a.mov(cx, 0x8E00);
        a.mov(__dword_ptr[ebx + 4], ecx);
        a.mov(__dword_ptr[0x30_1000], 0x07FF_0000);
        a.mov(__dword_ptr[0x30_1004], 0x30_0000);
        a.lidt(__fword_ptr[0x30_1002]);
        foreach ((int port, int value) in pic ? new[] { (0x20, 0x11), (0x21, 0x20), (0x21, 4), (0x21, 1) } : [])
        {
            Out(a, port, value);
        }
    }

    // Counts interrupts of the 8254 every 10 ms, telling each on COM1, with some work in between; then exits.
    private static void Ticker(Assembler a, int ticks, int work = 1)
    {
        Label loop = a.CreateLabel();
        Label spin = a.CreateLabel();
        SetUp(a, 0x20, () =>
        {
            a.inc(esi);
            Out(a, 0x3F8, '.');
            Out(a, 0x20, 0x20);
            a.iretd();
        });
        Out(a, 0x43, 0x34);
        Out(a, 0x40, 11932 & 0xFF);
        Out(a, 0x40, 11932 >> 8);
        Out(a, 0x21, 0xFE);
        a.xor(esi, esi);
        a.sti();
        a.Label(ref loop);
        a.mov(ecx, work);
        a.Label(ref spin);
        a.dec(ecx);
        a.jnz(spin);
        a.hlt();
        a.cmp(esi, ticks);
        a.jb(loop);
        Exit(a, 0);
    }

    // Sends back what COM1 receives, by interrupts.
    private static void Echo(Assembler a)
    {
        Label loop = a.CreateLabel();
        Label more = a.CreateLabel();
        Label done = a.CreateLabel();
        SetUp(a, 0x24, () =>
        {
            a.Label(ref more);
            a.mov(dx, 0x3FD);
            a.@in(al, dx);
            a.test(al, 1);
            a.jz(done);
            a.mov(dx, 0x3F8);
            a.@in(al, dx);
            a.@out(dx, al);
            a.jmp(more);
            a.Label(ref done);
            Out(a, 0x20, 0x20);
            a.iretd();
        });
        Out(a, 0x3FA, 0x41);
        Out(a, 0x3FC, 0x0B);
        Out(a, 0x3F9, 0x01);
        Out(a, 0x21, 0xEF);
        a.sti();
        a.Label(ref loop);
        a.hlt();
        a.jmp(loop);
    }
}
