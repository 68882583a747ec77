using System;
using System.IO;
using System.Linq;
using VirtShell.Cpu;
using VirtShell.Harness.Loading;
using VirtShell.Harness.Model;
using VirtShell.Host;
using Xunit;

namespace VirtShell.Harness.Tests;

public sealed class SuiteLoadingTests
{
    [Theory]
    [InlineData("smoke.yaml")]
    [InlineData("linux.yaml")]
    [InlineData("drives.yaml")]
    [InlineData("crash-isolation.yaml")]
    [InlineData("hostile.yaml")]
    [InlineData("performance.yaml")]
    public void Shipped_suites_load(string name)
    {
        LoadedSuite suite = SuiteLoader.Load(Path.Combine(Repository.Root, "pipelines", name));

        Assert.NotEmpty(suite.Items);
    }

    [Fact]
    public void The_committed_schema_is_current()
    {
        string path = Path.Combine(Repository.Root, "schemas", "suite.schema.json");

        // When this fails: virtshell schema > schemas/suite.schema.json
        Assert.Equal(SuiteSchema.Generate(), File.ReadAllText(path));
    }

    [Fact]
    public void A_matrix_multiplies_excludes_and_includes()
    {
        LoadedSuite suite = Load("""
            suite: s
            tests:
              - name: t
                matrix:
                  guest: [hello, echo]
                  memory: [16M, 32M]
                  exclude:
                    - {guest: echo, memory: 16M}
                  include:
                    - {guest: timer, memory: 64M}
                vm: {guest: "${{ matrix.guest }}", memory: "${{ matrix.memory }}"}
            """);

        Assert.Equal(["s / t (hello, 16M)", "s / t (hello, 32M)", "s / t (echo, 32M)", "s / t (timer, 64M)"], suite.Items.Select(i => i.Name));
        Assert.Equal([16L << 20, 32L << 20, 32L << 20, 64L << 20], suite.Items.Select(i => (long)i.Test.Vm.Definition.MemoryBytes));
    }

    [Fact]
    public void The_engine_can_be_an_axis()
    {
        LoadedSuite suite = Load("""
            suite: s
            tests:
              - name: t
                matrix: {engine: [translator, interpreter, auto]}
                vm: {guest: hello, engine: "${{ matrix.engine }}"}
              - name: plain
                vm: hello
            """);

        Assert.Equal(["s / t (translator)", "s / t (interpreter)", "s / t (auto)", "s / plain"], suite.Items.Select(i => i.Name));
        Assert.Equal([EngineKind.Translator, EngineKind.Interpreter, EngineKind.Auto, EngineKind.Auto], suite.Items.Select(i => i.Test.Vm.Definition.Engine));
    }

    [Theory]
    [InlineData("", "2026-01-01T00:00:00")]
    [InlineData(", rtc: 2026-05-06", "2026-05-06T00:00:00")]
    [InlineData(", rtc: \"2026-05-06 07:08\"", "2026-05-06T07:08:00")]
    [InlineData(", rtc: utc", "utc")]
    [InlineData(", rtc: localtime", "localtime")]
    public void The_clock_starts_at_a_fixed_date_unless_the_suite_says_otherwise(string rtc, string expected)
    {
        LoadedSuite suite = Load($"suite: s\ntests:\n  - name: t\n    vm: {{guest: hello{rtc}}}\n");

        Assert.Equal(expected, suite.Items[0].Test.Vm.Definition.RtcStart.ToString());
    }

    [Fact]
    public void Mapping_values_of_an_axis_have_members_and_a_name()
    {
        LoadedSuite suite = Load("""
            suite: s
            tests:
              - name: t
                matrix:
                  guest:
                    - {name: small, vm: {guest: hello, memory: 16M}, says: Hello}
                vm: ${{ matrix.guest.vm }}
                steps:
                  - expect: "${{ matrix.guest.says }} from"
            """);

        LoadedItem item = Assert.Single(suite.Items);
        Assert.Equal("s / t (small)", item.Name);
        Assert.Equal(16UL << 20, item.Test.Vm.Definition.MemoryBytes);
        Assert.Equal("Hello from", Assert.IsType<ExpectSpec>(Assert.Single(item.Test.Steps)).Pattern.Source);
    }

    [Fact]
    public void Defaults_merge_replace_and_are_removed_by_null()
    {
        LoadedSuite suite = Load("""
            suite: s
            defaults:
              vm: {kernel: bzImage, memory: 32M, cmdline: quiet}
              assert: {end: poweroff, never: [a, b]}
            tests:
              - name: one
                vm: {memory: 64M}
                assert: {never: [c]}
              - name: two
                vm: {guest: hello, kernel: null}
            """);

        TestSpec one = suite.Items[0].Test;
        Assert.Equal(("bzImage", 64UL << 20, "quiet"), (one.Vm.Definition.Kernel, one.Vm.Definition.MemoryBytes, one.Vm.Definition.CommandLine));
        Assert.Equal(["c"], one.Assert.Never!.Select(p => p.Source));
        Assert.Equal(VmEndKind.PowerOff, Assert.Single(Assert.Single(one.Assert.End).Kinds));
        Assert.Equal(("hello", null), (suite.Items[1].Test.Vm.Definition.Guest, suite.Items[1].Test.Vm.Definition.Kernel));
    }

    [Fact]
    public void Anchors_and_merge_keys_work()
    {
        LoadedSuite suite = Load("""
            suite: s
            definitions:
              base: &base {guest: hello, memory: 32M}
            tests:
              - name: t
                vm: {<<: *base, memory: 64M}
            """);

        Assert.Equal(("hello", 64UL << 20), (suite.Items[0].Test.Vm.Definition.Guest, suite.Items[0].Test.Vm.Definition.MemoryBytes));
    }

    [Fact]
    public void A_generated_disk_s_checksum_can_be_named()
    {
        LoadedSuite suite = Load("""
            suite: s
            tests:
              - name: t
                vm: {guest: hello, disks: [{generate: 512}]}
                steps:
                  - expect: ${{ disk.vda.sha256 }} ${{ disk.vda.size }}
            """);

        string expected = Assert.IsType<ExpectSpec>(suite.Items[0].Test.Steps[0]).Pattern.Source;
        Assert.Matches("^[0-9a-f]{64} 512$", expected);
        Assert.Equal(GeneratedDisk.Sha256(512, 0) + " 512", expected);
    }

    [Fact]
    public void The_generator_gives_splitmix64()
    {
        string path = Path.GetTempFileName();
        try
        {
            GeneratedDisk.Write(path, 512, seed: 1234567);

            // The published test vector of SplitMix64 for this seed begins with 6457827717110365317.
            Assert.Equal(6457827717110365317UL, BitConverter.ToUInt64(File.ReadAllBytes(path)));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData("poweroff", VmEndKind.PowerOff, 0, true)]
    [InlineData("poweroff", VmEndKind.TripleFault, 0, false)]
    [InlineData("crash", VmEndKind.TripleFault, 0, true)]
    [InlineData("crash", VmEndKind.PowerOff, 0, false)]
    [InlineData("{debug-exit: 3}", VmEndKind.DebugExit, 3, true)]
    [InlineData("{debug-exit: 3}", VmEndKind.DebugExit, 4, false)]
    [InlineData("debug-exit", VmEndKind.DebugExit, 4, true)]
    [InlineData("{crash: hang}", VmEndKind.Hang, 0, true)]
    [InlineData("{crash: hang}", VmEndKind.TripleFault, 0, false)]
    [InlineData("[poweroff, {crash: any}]", VmEndKind.Panic, 0, true)]
    public void Ends_match(string yaml, VmEndKind end, int code, bool matches)
    {
        LoadedSuite suite = Load($$"""
            suite: s
            tests:
              - name: t
                vm: hello
                assert: {end: {{yaml}}}
            """);

        Assert.Equal(matches, suite.Items[0].Test.Assert.End.Any(e => e.Matches(end, code, timedOut: false)));
    }

    private static LoadedSuite Load(string yaml) => SuiteLoader.Parse(yaml, "s.yaml");
}
