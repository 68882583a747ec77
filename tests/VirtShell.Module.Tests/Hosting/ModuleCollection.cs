using Xunit;

namespace VirtShell.Module.Tests.Hosting;

/// <summary>The home folder is named by an environment variable, of which a process has one: these tests run one after the other.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ModuleCollection
{
    public const string Name = "module";
}
