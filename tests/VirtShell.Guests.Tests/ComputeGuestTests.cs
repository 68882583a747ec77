using System;
using System.Numerics;
using VirtShell.Guests.Assembler.Programs;
using VirtShell.Machine;
using Xunit;

namespace VirtShell.Guests.Tests;

public sealed class ComputeGuestTests
{
    [Fact]
    public void Published_counts_are_those_of_the_program()
    {
        Assert.Equal(Compute.Iterations, ComputeGuest.Iterations);
        Assert.Equal(Compute.InstructionsPerIteration, ComputeGuest.InstructionsPerIteration);
    }

    [Fact]
    public void Checksum_is_what_the_loop_computes()
    {
        uint state = 1, sum = 0, memory = 0;
        for (var i = 0; i < ComputeGuest.Iterations; i++)
        {
            state = unchecked((state * 1664525) + 1013904223);
            sum = BitOperations.RotateLeft(sum ^ state, 5);
            memory = unchecked(memory + (state >> 24));
            sum = unchecked(sum + memory);
        }

        Assert.Equal(ComputeGuest.Checksum, sum);
    }

    [Fact]
    public void The_loop_takes_exactly_as_many_instructions_as_published()
    {
        // imul eax,eax,1664525 begins the loop, a backward jne ends it.
        var image = GuestCatalog.Find("compute")!.Image.Span;
        var start = image.IndexOf((ReadOnlySpan<byte>)[0x69, 0xC0, 0x0D, 0x66, 0x19, 0x00]);
        var end = start + image[start..].IndexOf((byte)0x75) + 2;
        const ulong load = 0x10_0000;

        using var guest = new GuestRunner("compute");
        guest.Machine.Cpu.Breakpoints.Add(load + (ulong)start);
        guest.AssertEnd(MachineExitKind.Breakpoint, guest.Run());
        var before = guest.Machine.Instructions;
        guest.Machine.Cpu.Breakpoints.Clear();

        // A million is a multiple of the loop: a quantum ends right at the breakpoint, which must not be missed for that.
        guest.Machine.Cpu.Breakpoints.Add(load + (ulong)end);
        guest.AssertEnd(MachineExitKind.Breakpoint, guest.Run());
        Assert.Equal(ComputeGuest.LoopInstructions, guest.Machine.Instructions - before);
        Assert.Empty(guest.Serial);
    }

    [Theory]
    [InlineData(1_000_000)]
    [InlineData(777_777)]
    [InlineData(long.MaxValue)]
    public void A_whole_run_takes_exactly_as_many_instructions_as_published(long quantum)
    {
        using var guest = new GuestRunner("compute");
        guest.AssertEnd(MachineExitKind.PowerOff, guest.Run(quantum: quantum));
        Assert.Equal(ComputeGuest.TotalInstructions, guest.Machine.Instructions);
    }
}
