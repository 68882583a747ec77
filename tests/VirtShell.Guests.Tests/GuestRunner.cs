using System;
using System.Collections.Generic;
using System.Text;
using VirtShell.Cpu;
using VirtShell.Machine;
using VirtShell.State;
using Xunit;

namespace VirtShell.Guests.Tests;

/// <summary>A bundled guest on a machine of its own, with what it has said so far.</summary>
internal sealed class GuestRunner : IDisposable
{
    public const ulong Mebibyte = 1 << 20;

    /// <summary>No guest that ends by itself needs more.</summary>
    private const long Limit = 400_000_000;

    private const long Second = 1_000_000_000;
    private const long IdleInstructions = 1000;

    private readonly StringBuilder _serial = new();

    public GuestRunner(string name, ulong memory = 32 * Mebibyte, string commandLine = "", EngineKind engine = EngineKind.Auto, params IReadOnlyList<DiskAttachment> disks)
    {
        Machine = new Pc(new MachineConfiguration
        {
            MemoryBytes = memory,
            Boot = new MultibootBoot(GuestCatalog.Find(name)!.Image, commandLine),
            Engine = engine,
            Disks = disks,
        });
        Machine.SerialOutput = (port, value) =>
        {
            if (port == Outlet.Com1)
            {
                _serial.Append((char)value);
            }
        };
    }

    public Pc Machine { get; }

    public string Serial => _serial.ToString();

    /// <summary>Runs until the guest ends, the limit is reached, or a second has passed for the guest with nearly nothing done.</summary>
    public MachineExit Run(long limit = Limit, long quantum = 1_000_000)
    {
        var end = Machine.Instructions + limit;
        var (instructions, time) = (Machine.Instructions, Machine.GuestTime);
        while (true)
        {
            var exit = Machine.Run(Math.Min(quantum, end - Machine.Instructions));
            if (exit.Kind != MachineExitKind.QuantumSpent || Machine.Instructions >= end)
            {
                return exit;
            }

            // Timers go on ticking for a guest that sleeps, so it is never idle to the machine.
            if (Machine.GuestTime - time >= Second)
            {
                if (Machine.Instructions - instructions < IdleInstructions)
                {
                    return new MachineExit(MachineExitKind.Idle);
                }

                (instructions, time) = (Machine.Instructions, Machine.GuestTime);
            }
        }
    }

    /// <summary>Types a line at the echo guest's prompt and gives what it said until the next one, or its end.</summary>
    public string Type(string keys)
    {
        var before = _serial.Length;
        Machine.SendSerial(Outlet.Com1, Encoding.ASCII.GetBytes(keys));
        Run();
        return _serial.ToString(before, _serial.Length - before);
    }

    public byte[] Save() => Machine.Save();

    public void Load(byte[] state) => Machine.Load(state);

    public void AssertEnd(MachineExitKind kind, MachineExit exit) =>
        Assert.True(kind == exit.Kind, $"The guest ended with {exit} after {Machine.Instructions} instructions, having said: {Serial}");

    public void Dispose() => Machine.Dispose();
}
