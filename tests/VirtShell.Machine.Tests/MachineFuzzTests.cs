using System;
using System.Collections.Generic;
using System.IO;
using VirtShell.Machine.Tests.Boot;
using VirtShell.State;
using Xunit;

namespace VirtShell.Machine.Tests;

/// <summary>Random accesses to everything that a machine puts on its bus.</summary>
public sealed class MachineFuzzTests
{
    private const ushort ConfigAddress = 0xCF8;
    private const ushort ConfigData = 0xCFC;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void No_access_throws_and_the_machine_can_be_saved_loaded_and_reset(int seed)
    {
        Random random = new(seed);
        MachineConfiguration configuration = new()
        {
            MemoryBytes = 4 << 20,
            Boot = new MultibootBoot(
                MultibootImages.Flat(a =>
                {
                    Iced.Intel.Label loop = a.CreateLabel();
                    a.Label(ref loop);
                    a.jmp(loop);
                }),
                ""),
        };
        Pc machine = new(configuration);
        try
        {
            for (int i = 0; i < 40_000; i++)
            {
                Touch(machine, random);
                if (i % 50 == 0)
                {
                    // Events fire and interrupts may reach the guest, which has no table for them.
                    machine.Run(1 + random.Next(2000));
                }

                if (i % 8000 == 7999)
                {
                    MemoryStream state = new();
                    machine.Save(state);
                    state.Position = 0;
                    Pc copy = new(configuration);
                    copy.Load(state);
                    Assert.Equal(machine.Memory.Hash(), copy.Memory.Hash());
                    Assert.Equal(machine.GuestTime, copy.GuestTime);
                    machine.Dispose();
                    machine = copy;
                    machine.Reset();
                }
            }
        }
        finally
        {
            machine.Dispose();
        }
    }

    private static void Touch(Pc machine, Random random)
    {
        int size = 1 << random.Next(3);
        uint value = random.Next(4) switch { 0 => 0, 1 => uint.MaxValue, 2 => (uint)random.Next(256), _ => (uint)random.NextInt64(1L << 32) };
        switch (random.Next(8))
        {
            case < 2:
                machine.Bus.ReadPort(Port(machine, random), size);
                break;
            case < 4:
                machine.Bus.WritePort(Port(machine, random), size, value);
                break;
            case 4:
                machine.Bus.ReadMmio(Address(machine, random), 1 << random.Next(4));
                break;
            case 5:
                machine.Bus.WriteMmio(Address(machine, random), 1 << random.Next(4), value);
                break;
            default:
                // PCI configuration: slots 0 to 7, functions 0 to 3.
                machine.Bus.WritePort(ConfigAddress, 4, 0x8000_0000 | ((uint)random.Next(8) << 11) | ((uint)random.Next(4) << 8) | (uint)(random.Next(64) << 2));
                machine.Bus.WritePort((ushort)(ConfigData + random.Next(4)), size, value);
                machine.Bus.ReadPort((ushort)(ConfigData + random.Next(4)), size);
                break;
        }
    }

    private static ushort Port(Pc machine, Random random)
    {
        List<(ushort First, int Count)> ranges = [.. machine.Bus.PortRanges()];
        (ushort first, int count) = ranges[random.Next(ranges.Count)];
        return (ushort)(first + random.Next(count));
    }

    private static ulong Address(Pc machine, Random random)
    {
        List<(ulong Start, ulong Length)> ranges = [.. machine.Bus.MmioRanges()];
        (ulong start, ulong length) = ranges[random.Next(ranges.Count)];
        ulong offset = (ulong)random.NextInt64((long)Math.Min(length, long.MaxValue));
        return start + (random.Next(2) == 0 ? offset & ~0x3ul : offset);
    }
}
