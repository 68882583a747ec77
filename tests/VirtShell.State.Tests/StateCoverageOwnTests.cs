using System.Collections.Generic;
using VirtShell.State.Tests.Coverage;
using Xunit;

namespace VirtShell.State.Tests;

/// <summary>The search for forgotten fields finds those that are, and no others.</summary>
public sealed class StateCoverageOwnTests
{
    [Fact]
    public void Forgotten_fields_are_named() => Assert.Equal(
        ["Forgetful.<Property>k__BackingField", "Forgetful.Bytes", "Forgetful.Forgotten", "Forgetful.Reference", "Forgetful.Waiting", "Held.Inside"],
        StateCoverage.Of(new Forgetful()).Forgotten);

    [Fact]
    public void Parameters_of_constructors_are_wiring_unless_they_are_stored() => Assert.Equal(
        ["Parameters.<stored>P"],
        StateCoverage.Of(new Parameters(1, 2)).Forgotten);

    [Fact]
    public void What_is_described_or_marked_is_not() => Assert.Empty(StateCoverage.Of(Sample.Filled()).Forgotten);

    private sealed class Forgetful : IStateful
    {
        public readonly byte[] Bytes = new byte[4];
        public readonly Queue<byte> Waiting = new();
        public readonly Held Wiring = new();
        public Held Reference = new();
        public int Described;
        public int Forgotten = 1;

        [NotState("Scratch.")]
        public int Marked = 1;

        public int Property { get; set; }

        [NotState("Scratch.")]
        public int MarkedProperty { get; set; }

        public void Describe(StateVisitor visitor) => visitor.Value("described", ref Described);
    }

    private sealed class Parameters(int kept, int stored) : IStateful
    {
        public void Store() => stored = kept;

        public void Describe(StateVisitor visitor) => visitor.Value("nothing", 0);

        public override string ToString() => $"{kept} {stored}";
    }

    private sealed class Held
    {
        public int Inside = 1;
    }
}
