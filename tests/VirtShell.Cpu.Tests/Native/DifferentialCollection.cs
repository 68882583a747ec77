using Xunit;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>One after the other: there is one window at the shared address.</summary>
[CollectionDefinition(nameof(DifferentialRunner))]
public sealed class DifferentialCollection : ICollectionFixture<DifferentialRunner>
{
}
