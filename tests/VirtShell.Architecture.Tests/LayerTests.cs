using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Xml.Linq;
using Xunit;

namespace VirtShell.Architecture.Tests;

/// <summary>The layer table of docs/architecture.md: nothing knows what is above it.</summary>
public sealed class LayerTests
{
    /// <summary>What each assembly may refer to among our own.</summary>
    private static readonly Dictionary<string, string[]> s_allowed = new()
    {
        ["VirtShell.State"] = [],
        ["VirtShell.Settings"] = [],
        ["VirtShell.Cpu"] = ["VirtShell.State"],
        ["VirtShell.Storage"] = ["VirtShell.State"],
        ["VirtShell.Machine"] = ["VirtShell.State", "VirtShell.Cpu", "VirtShell.Storage"],
        ["VirtShell.Images"] = ["VirtShell.Storage"],
        ["VirtShell.Guests"] = [],
        ["VirtShell.Guests.Assembler"] = [],
        ["VirtShell.Host"] = ["VirtShell.Settings", "VirtShell.State", "VirtShell.Cpu", "VirtShell.Machine", "VirtShell.Storage", "VirtShell.Images", "VirtShell.Guests"],
        ["VirtShell.Harness"] = ["VirtShell.Settings", "VirtShell.State", "VirtShell.Host", "VirtShell.Images", "VirtShell.Guests", "VirtShell.Machine", "VirtShell.Cpu", "VirtShell.Storage"],
        ["VirtShell.PowerShell"] = ["VirtShell.Settings", "VirtShell.Host", "VirtShell.Harness", "VirtShell.Images", "VirtShell.Guests", "VirtShell.Machine", "VirtShell.Cpu", "VirtShell.Storage"],
        ["VirtShell.Bench"] = ["VirtShell.Cpu", "VirtShell.Machine", "VirtShell.Images"],
        ["VirtShell.Cli"] = ["VirtShell.Settings", "VirtShell.State", "VirtShell.Host", "VirtShell.Harness", "VirtShell.Bench", "VirtShell.Images", "VirtShell.Guests", "VirtShell.Machine", "VirtShell.Cpu", "VirtShell.Storage"],
    };

    /// <summary>Of the engine, what people configure, see and type, and what a run reports; nothing else goes beyond Host.</summary>
    private static readonly string[] s_engineVocabulary =
    [
        "VirtShell.Cpu.CpuModel",
        "VirtShell.Cpu.EngineKind",
        "VirtShell.Machine.ClockMode",
        "VirtShell.Machine.MachineExitKind",
        "VirtShell.Machine.Outlet",
        "VirtShell.Machine.Display.ScreenKind",
        "VirtShell.Machine.Display.ScreenPicture",
        "VirtShell.Machine.Display.ScreenSnapshot",
        "VirtShell.Machine.Display.TextCell",
        "VirtShell.Machine.Drives.DriveKind",
        "VirtShell.Machine.Input.KeyLayout",
        "VirtShell.Machine.Input.KeyNames",
        "VirtShell.Machine.Input.KeyStroke",
        "VirtShell.Machine.Input.MachineKeyboard",
        "VirtShell.Machine.Input.MachineMouse",
        "VirtShell.Machine.Input.MouseButtons",
        "VirtShell.Machine.Input.PcKey",
    ];

    private static readonly string[] s_engineAssemblies = ["VirtShell.Cpu", "VirtShell.Machine"];

    public static TheoryData<string> Projects => [.. ProjectNames()];

    /// <summary>All but the build-time tool.</summary>
    public static TheoryData<string> ShippedProjects => [.. ProjectNames().Where(name => name != "VirtShell.Guests.Assembler")];

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_project_refers_only_to_what_lies_below(string project)
    {
        Assert.True(s_allowed.ContainsKey(project), $"{project} has no row in the layer table.");
        foreach (var reference in ProjectReferences(project))
        {
            Assert.True(s_allowed[project].Contains(reference), $"{project} must not refer to {reference}.");
        }
    }

    [Theory]
    [MemberData(nameof(ShippedProjects))]
    public void A_compiled_assembly_uses_only_what_lies_below(string project)
    {
        using var assembly = Open(project);
        var metadata = assembly.GetMetadataReader();
        foreach (var handle in metadata.AssemblyReferences)
        {
            var name = metadata.GetString(metadata.GetAssemblyReference(handle).Name);
            if (name.StartsWith("VirtShell.", StringComparison.Ordinal))
            {
                Assert.True(s_allowed[project].Contains(name), $"{project} must not use {name}.");
            }
        }
    }

    [Theory]
    [InlineData("VirtShell.PowerShell")]
    [InlineData("VirtShell.Cli")]
    [InlineData("VirtShell.Harness")]
    public void Engine_internals_stay_behind_the_host(string project)
    {
        using var assembly = Open(project);
        var metadata = assembly.GetMetadataReader();
        List<string> wrong = [];
        foreach (var handle in metadata.TypeReferences)
        {
            var type = metadata.GetTypeReference(handle);
            if (type.ResolutionScope.Kind != HandleKind.AssemblyReference)
            {
                continue;
            }

            var from = metadata.GetString(metadata.GetAssemblyReference((AssemblyReferenceHandle)type.ResolutionScope).Name);
            if (s_engineAssemblies.Contains(from))
            {
                var name = $"{metadata.GetString(type.Namespace)}.{metadata.GetString(type.Name)}";
                if (!s_engineVocabulary.Contains(name))
                {
                    wrong.Add($"{project} must not use {name}: go through VirtShell.Host.");
                }
            }
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void The_table_has_no_circles()
    {
        foreach (var (project, below) in s_allowed)
        {
            foreach (var lower in below)
            {
                Assert.DoesNotContain(project, s_allowed[lower]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void Every_project_has_tests(string project)
    {
        string[] coveredElsewhere = project switch
        {
            "VirtShell.PowerShell" => ["VirtShell.Module.Tests"],
            "VirtShell.Guests.Assembler" => ["VirtShell.Guests.Tests"],
            "VirtShell.Cli" => ["VirtShell.EndToEnd.Tests"],
            _ => [project + ".Tests"],
        };
        Assert.All(coveredElsewhere, name => Assert.True(Directory.Exists(Path.Combine(Repository.Root, "tests", name)), $"tests/{name} is missing."));
    }

    private static IEnumerable<string> ProjectNames() =>
        Directory.EnumerateDirectories(Path.Combine(Repository.Root, "src")).Select(folder => Path.GetFileName(folder)).Order(StringComparer.Ordinal);

    private static IEnumerable<string> ProjectReferences(string project)
    {
        var document = XDocument.Load(Path.Combine(Repository.Root, "src", project, project + ".csproj"));
        return document.Descendants("ProjectReference")
            .Where(reference => (string?)reference.Attribute("ReferenceOutputAssembly") != "false")
            .Select(reference => Path.GetFileNameWithoutExtension(((string)reference.Attribute("Include")!).Replace('\\', '/')));
    }

    private static PEReader Open(string project)
    {
        var name = project == "VirtShell.Cli" ? "virtshell" : project;
        var path = Path.Combine(AppContext.BaseDirectory, name + ".dll");
        Assert.True(File.Exists(path), $"{path} is missing: the architecture tests must refer to {project}.");
        return new PEReader(File.OpenRead(path));
    }
}
