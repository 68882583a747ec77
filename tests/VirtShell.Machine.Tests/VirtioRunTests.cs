using System;
using System.IO;
using Iced.Intel;
using VirtShell.Machine.Tests.Boot;
using VirtShell.Machine.Virtio;
using VirtShell.State;
using VirtShell.Storage;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Machine.Tests;

/// <summary>A whole machine whose guest hands a device megabytes in one instruction.</summary>
public sealed class VirtioRunTests
{
    private const int ConsoleSlot = 5;
    private const int DiskSlot = 6;
    private const int Requests = 64;
    private const int RequestBytes = 64 << 10;
    private const int TotalBytes = Requests * RequestBytes;

    // Where the guest finds the port that it notifies.
    private const ulong PortAt = 0x20_0000;

    /// <summary>The guest spins behind its notification: a stop asked for at the first byte comes within the same piece.</summary>
    [Fact]
    public void A_stop_request_ends_a_run_amid_the_output()
    {
        using Pc machine = Create(Spin);
        long sent = 0;
        machine.SerialOutput = (_, _) =>
        {
            if (sent++ == 0)
            {
                machine.RequestStop();
            }
        };
        HandOutput(machine);
        Assert.Equal(MachineExitKind.StopRequested, machine.Run(100_000_000).Kind);
        Assert.Equal(VirtioConsole.OutputPieceBytes, sent);
        Assert.Equal(3, machine.Instructions);

        // The rest comes with the next runs.
        machine.Run(100_000_000);
        Assert.Equal(TotalBytes, sent);
    }

    /// <summary>The same for a disk, also where a queue of requests has long been due, as under the host's clock.</summary>
    [Theory]
    [InlineData(ClockMode.Virtual)]
    [InlineData(ClockMode.Host)]
    public void A_stop_request_ends_a_run_amid_a_request_to_a_disk(ClockMode clock)
    {
        StoppingDisk disk = new(TotalBytes);
        using Pc machine = Create(Spin, clock, disk);
        disk.Accessed = machine.RequestStop;
        VirtioTestDriver driver = Drive(machine, DiskSlot, 0, out VirtioTestQueue queue);
        ulong header = driver.Place(new byte[16]);
        ulong data = driver.Allocate(1 << 20);
        for (int i = 0; i < 4; i++)
        {
            queue.Add(new TestBuffer(header, 16, false), new TestBuffer(data, 1 << 20, true), new TestBuffer(driver.Allocate(1), 1, true));
        }

        for (int piece = 1; piece <= 4 << 20 >> 16; piece++)
        {
            while (machine.Run(100_000_000).Kind != MachineExitKind.StopRequested)
            {
            }

            Assert.Equal(piece, disk.Accesses);
        }

        machine.Run(1_000_000);
        Assert.Equal(4, queue.UsedIndex);
    }

    /// <summary>What a guest hands over just before it stops for good is sent all the same.</summary>
    [Theory]
    [InlineData("power off", MachineExitKind.PowerOff)]
    [InlineData("halt", MachineExitKind.HaltedForever)]
    [InlineData("debug exit", MachineExitKind.DebugExit)]
    [InlineData("reset", MachineExitKind.ResetRequested)]
    public void Output_is_sent_before_the_end(string how, MachineExitKind kind)
    {
        using Pc machine = Create(a =>
        {
            switch (how)
            {
                case "power off":
                    a.mov(dx, 0x604);
                    a.mov(eax, 0x2000);
                    a.@out(dx, ax);
                    break;
                case "debug exit":
                    a.mov(dx, 0x501);
                    a.@out(dx, eax);
                    break;
                case "reset":
                    a.mov(al, (byte)6);
                    a.mov(dx, 0xCF9);
                    a.@out(dx, al);
                    break;
                default:
                    a.cli();
                    a.hlt();
                    break;
            }
        });
        long sent = 0;
        machine.SerialOutput = (_, _) => sent++;
        HandOutput(machine);
        Assert.Equal(kind, machine.Run(1_000_000).Kind);
        Assert.Equal(TotalBytes, sent);
    }

    /// <summary>How a run is cut, by budgets or by saving it to another machine, changes nothing of what is sent and when.</summary>
    [Fact]
    public void A_run_cut_and_saved_amid_the_output_goes_on_the_same()
    {
        using Pc whole = Create(Spin);
        long sum = 0;
        long instructions = 0;
        Action<Outlet, byte> Counting(Pc machine) => (_, value) => sum = (sum * 31) + value + machine.GuestTime;
        whole.SerialOutput = Counting(whole);
        HandOutput(whole);
        whole.Run(60_000_000);
        (long expected, sum) = (sum, 0);

        Pc machine = Create(Spin);
        HandOutput(machine);
        for (int i = 0; i < 60; i++)
        {
            machine.SerialOutput = Counting(machine);
            machine.Run(1_000_000);
            instructions = machine.Instructions;
            using MemoryStream saved = new();
            machine.Save(saved);
            machine.Dispose();
            saved.Position = 0;
            machine = Create(Spin);
            machine.Load(saved);
        }

        using (machine)
        {
            Assert.Equal(60_000_000, instructions);
            Assert.Equal(expected, sum);
            Assert.Equal(whole.Memory.Hash(), machine.Memory.Hash());
        }
    }

    // The guest: OUT to the port that it finds in memory, with the queue in AX, then what the test wants.
    private static Pc Create(Action<Assembler> then, ClockMode clock = ClockMode.Virtual, IBlockDevice? disk = null) => new(new MachineConfiguration
    {
        MemoryBytes = 8 << 20,
        Clock = clock,
        Disks = disk is null ? [] : [new DiskAttachment(disk, "run")],
        Boot = new MultibootBoot(
            MultibootImages.Flat(a =>
            {
                a.mov(dx, __word_ptr[(long)PortAt]);
                a.mov(ax, __word_ptr[(long)PortAt + 4]);
                a.@out(dx, ax);
                then(a);
            }),
            string.Empty),
    });

    private static void Spin(Assembler a)
    {
        Label loop = a.CreateLabel();
        a.Label(ref loop);
        a.jmp(loop);
    }

    private static VirtioTestDriver Drive(Pc machine, int slot, int index, out VirtioTestQueue queue)
    {
        VirtioTestDriver driver = new(machine.Bus, machine.Memory, slot, 0x30_0000, legacy: true);
        driver.Negotiate(0);
        queue = driver.SetUpQueue(index, 0);
        driver.Start();
        machine.Memory.WriteUInt16(PortAt, (ushort)(driver.Ports + 0x10));
        machine.Memory.WriteUInt16(PortAt + 4, (ushort)index);
        return driver;
    }

    private static void HandOutput(Pc machine)
    {
        VirtioTestDriver driver = Drive(machine, ConsoleSlot, 1, out VirtioTestQueue queue);
        byte[] text = new byte[RequestBytes];
        new Random(1).NextBytes(text);
        ulong at = driver.Place(text);
        for (int i = 0; i < Requests; i++)
        {
            queue.Add(new TestBuffer(at, RequestBytes, false));
        }
    }

    /// <summary>A disk that tells of each access.</summary>
    private sealed class StoppingDisk(long length) : IBlockDevice
    {
        private readonly MemoryDisk _inner = new(length);

        public Action? Accessed { get; set; }

        public int Accesses { get; private set; }

        public long Length => _inner.Length;

        public bool IsReadOnly => false;

        public void Read(long offset, Span<byte> destination)
        {
            Accesses++;
            Accessed?.Invoke();
            _inner.Read(offset, destination);
        }

        public void Write(long offset, ReadOnlySpan<byte> source) => _inner.Write(offset, source);

        public void Flush()
        {
        }

        public void Discard(long offset, long length) => _inner.Discard(offset, length);

        public void Dispose() => _inner.Dispose();
    }
}
