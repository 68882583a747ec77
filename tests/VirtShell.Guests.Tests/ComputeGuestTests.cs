using System.Numerics;
using VirtShell.Guests.Assembler.Programs;
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
}
