using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using VirtShell.Cpu;
using VirtShell.Host.Inventory;
using VirtShell.Images;
using VirtShell.Settings;
using Xunit;

namespace VirtShell.Host.Tests;

/// <summary>The tables of settings against what they describe.</summary>
public sealed partial class SettingsTests
{
    /// <summary>What the host keeps of a VM and nobody sets.</summary>
    private static readonly string[] s_kept = [nameof(VmDefinition.Id), nameof(VmDefinition.CreatedAt), nameof(VmDefinition.BaseFolder)];

    public static TheoryData<string> Rows => [.. VmSettings.All.Select(s => s.Name)];

    public static TheoryData<string, string> Blocks
    {
        get
        {
            TheoryData<string, string> data = new();
            foreach (string page in Directory.EnumerateFiles(Path.Combine(Root, "docs"), "*.md"))
            {
                foreach (Match match in Block().Matches(File.ReadAllText(page)))
                {
                    data.Add(Path.GetFileName(page), match.Groups["name"].Value);
                }
            }

            return data;
        }
    }

    private static string Root
    {
        get
        {
            string folder = AppContext.BaseDirectory;
            while (!File.Exists(Path.Combine(folder, "VirtShell.sln")))
            {
                folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("These tests must be built within the repository.");
            }

            return folder;
        }
    }

    [Fact]
    public void Everything_that_a_definition_holds_has_a_row()
    {
        AssertComplete(VmSettings.All, s_kept);
        AssertComplete(VmDiskSettings.All, []);
        AssertComplete(VmCdSettings.All, []);
        AssertComplete(VmFloppySettings.All, []);
        AssertComplete(InitramfsSettings.All, []);
    }

    [Fact]
    public void No_setting_is_for_JSON_alone_and_what_a_front_end_lacks_has_a_reason()
    {
        Assert.All(VmSettings.All, s => Assert.Contains(Enum.GetValues<FrontEnd>(), s.Has));
        Assert.All(VmSettings.All.SelectMany(s => s.Absent.Values), reason => Assert.NotEmpty(reason));
    }

    [Fact]
    public void Names_are_given_once()
    {
        AssertUnique(VmSettings.All.Select(s => s.Name));
        AssertUnique(VmSettings.All.Select(s => s.Parameter));
        AssertUnique(VmSettings.All.Select(s => s.Output));
        AssertUnique(VmSettings.Of(FrontEnd.Console).SelectMany(s => s.Options));
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void A_row_reads_and_writes_its_property_and_no_other(string name)
    {
        Setting<VmDefinition> setting = VmSettings.All.Single(s => s.Name == name);
        VmDefinition blank = new() { Name = "a" };
        VmDefinition other = Everything(blank);
        VmDefinition changed = setting.Copy(other, blank);
        foreach (PropertyInfo property in typeof(VmDefinition).GetProperties().Where(p => p.CanWrite))
        {
            Assert.Equal(property.GetValue(property.Name == setting.Property ? other : blank), property.GetValue(changed));
        }

        Assert.NotEqual(blank, changed);
        Assert.Null(setting.Problem(other));
        Assert.Null(setting.Problem(blank));
    }

    [Fact]
    public void A_definition_on_disk_has_the_names_of_the_rows()
    {
        JsonObject written = JsonSerializer.SerializeToNode(Everything(new VmDefinition { Name = "a" }), HostJson.Default.VmDefinition)!.AsObject();
        Assert.All(VmSettings.All, s => Assert.True(written.ContainsKey(s.JsonName), s.JsonName));
        JsonObject disk = written["disks"]![0]!.AsObject();
        Assert.All(VmDiskSettings.All, s => Assert.True(disk.ContainsKey(s.JsonName), s.JsonName));
        JsonObject initramfs = written["initramfs"]!.AsObject();
        Assert.All(InitramfsSettings.All, s => Assert.True(initramfs.ContainsKey(s.JsonName), s.JsonName));
    }

    [Theory]
    [InlineData(64UL << 10, null)]
    [InlineData(1UL << 40, null)]
    [InlineData((64UL << 10) - 4096, "Memory is a multiple of 4K, from 64K to 1T; 60K is not.")]
    [InlineData((1UL << 40) + 4096, "Memory is a multiple of 4K, from 64K to 1T; 1073741828K is not.")]
    [InlineData((1UL << 20) + 1, "Memory is a multiple of 4K, from 64K to 1T; 1048577 is not.")]
    [InlineData(ulong.MaxValue, "Memory is a multiple of 4K, from 64K to 1T; 9223372036854775807 is not.")]
    public void Memory_has_one_pair_of_bounds(ulong bytes, string? problem) => AssertProblem(new VmDefinition { Name = "a", MemoryBytes = bytes }, problem);

    [Fact]
    public void What_is_wrong_is_told_with_what_may_be()
    {
        VmDefinition good = new() { Name = "a" };
        AssertProblem(good with { HangInstructions = -1 }, "Hang limit is 0 or more; -1 is not.");
        AssertProblem(good with { CrashRestartLimit = -1 }, "Limit of restarts after crashes is a whole number of 0 or more; -1 is not.");
        AssertProblem(good with { Engine = (EngineKind)77 }, "Engine is one of auto, translator, interpreter; 77 is not.");
        AssertProblem(good with { Disks = [new VmDisk("a"), new VmDisk("b", OverlayLimit: 4096)] }, "Overlay limit of disk 2 ('b') is from 1M to 512G; 4K is not.");
        AssertProblem(good with { Disks = [new VmDisk(" ")] }, "Source of disk 1 is empty; give it a value, or leave it out.");
        AssertProblem(good with { Kernel = "k", Initramfs = new InitramfsDefinition { Files = new Dictionary<string, string> { ["/init"] = null! } } }, "'initramfs.files' is null or holds a null where a value is needed. Give it a value, or leave it out.");
    }

    [Fact]
    public void Only_live_settings_may_change_while_the_VM_is_on()
    {
        using VmHost host = new(null);
        VirtualMachine vm = host.Started(Vm.Guest("echo"));
        foreach (Setting<VmDefinition> setting in VmSettings.All)
        {
            VmDefinition changed = setting.Copy(Everything(vm.Definition), vm.Definition);
            if (setting.IsLive)
            {
                vm.Configure(changed);
                Assert.Equal(setting.ValueOf(changed), setting.ValueOf(vm.Definition));
            }
            else
            {
                Assert.ThrowsAny<VmException>(() => vm.Configure(changed));
            }
        }
    }

    [Fact]
    public void The_documentation_has_every_part() =>
        Assert.Equal(["cds", "cmdlets", "console", "disks", "floppies", "initramfs", "overview", "suites"], Blocks.Select(row => (string)((object[])row)[1]).Order());

    [Theory]
    [MemberData(nameof(Blocks))]
    public void Documentation_says_what_the_rows_say(string page, string name)
    {
        string path = Path.Combine(Root, "docs", page);
        string text = File.ReadAllText(path);
        Match block = Block().Matches(text).Single(m => m.Groups["name"].Value == name);
        string expected = SettingsPage.Render(name);
        if (Environment.GetEnvironmentVariable("VIRTSHELL_UPDATE_DOCS") == "1")
        {
            Group old = block.Groups["text"];
            File.WriteAllText(path, text[..old.Index] + expected + "\n" + text[(old.Index + old.Length)..]);
            return;
        }

        Assert.True(block.Groups["text"].Value.TrimEnd() == expected, $"docs/{page}, the part \"{name}\", is out of date (VIRTSHELL_UPDATE_DOCS=1 writes it anew). It is to be:\n{expected}");
    }

    private static void AssertComplete<T>(IReadOnlyList<Setting<T>> settings, string[] except)
    {
        IEnumerable<string> properties = typeof(T).GetProperties().Where(p => p.CanWrite).Select(p => p.Name).Except(except);
        Assert.Equal(properties.Order(StringComparer.Ordinal), settings.Select(s => s.Property).Order(StringComparer.Ordinal));
    }

    private static void AssertUnique(IEnumerable<string> names) => Assert.Equal(names.Distinct(StringComparer.OrdinalIgnoreCase), names);

    private static void AssertProblem(VmDefinition definition, string? problem)
    {
        using VmHost host = new(null);
        if (problem is null)
        {
            host.Create(definition);
            return;
        }

        VmException error = Assert.Throws<VmException>(() => host.Create(definition));
        Assert.Equal((VmErrorKind.InvalidDefinition, problem), (error.Kind, error.Message));
    }

    /// <summary>A definition in which each setting has another value than the default, right by itself.</summary>
    private static VmDefinition Everything(VmDefinition start) => start with
    {
        Name = "other",
        Notes = "notes",
        Guest = "timer",
        Kernel = "k",
        KernelSha256 = new string('a', 64),
        Firmware = "f",
        Initrd = "i",
        Initramfs = new InitramfsDefinition { Folder = "f", Busybox = "b", ModulesFrom = "apt:m" },
        Modules = ["m a"],
        CommandLine = "quiet",
        MemoryBytes = 64 << 20,
        CpuModel = CpuModel.Qemu64,
        Clock = start.Clock == Machine.ClockMode.Host ? Machine.ClockMode.Virtual : Machine.ClockMode.Host,
        Engine = EngineKind.Interpreter,
        Seed = 7,
        RtcStart = RtcStart.LocalTime,
        Disks = [new VmDisk("d")],
        Cds = [new VmCdDrive("c")],
        Floppies = [new VmFloppyDrive("f")],
        BootOrder = "cd,disk",
        Parts = ["virtio-rng=off"],
        HangInstructions = 5,
        SerialLogBytes = 1 << 20,
        ResetAction = start.ResetAction == ResetAction.Restart ? ResetAction.EndRun : ResetAction.Restart,
        CrashAction = CrashAction.Pause,
        CrashRestartLimit = 2,
        DetectPanics = !start.DetectPanics,
    };

    [GeneratedRegex(@"<!-- settings: (?<name>\w+) -->\n(?<text>.*?)<!-- end of settings -->", RegexOptions.Singleline)]
    private static partial Regex Block();
}
