using System;
using System.IO;
using System.Linq;
using System.Text;
using VirtShell.Harness.Execution;
using VirtShell.Harness.Loading;
using VirtShell.State.Tests.Mutation;
using Xunit;

namespace VirtShell.Harness.Tests;

/// <summary>Damaged copies of suites and baselines: each is read or refused with a <see cref="SuiteException"/>.</summary>
public sealed class SuiteMutationTests
{
    private const long MiB = 1 << 20;

    private static readonly string[] s_words = ["null", "~", "{", "}", "[", "]", ": ", "- ", "\n", "&a ", "*a", "<<: *a", "!!int ", "!x ", "|\n", ">", "'", "\"", "? ", "%YAML 9.9\n", "---\n", "...\n", "${{ x }}", "\t", "# "];

    [Fact]
    public void Suites()
    {
        byte[][] goods = [.. Directory.GetFiles(Path.Combine(Repository.Root, "pipelines"), "*.yaml").Select(File.ReadAllBytes)];
        MutationRun.Check("suites", goods, s_words, copy => _ = SuiteLoader.Parse(Encoding.UTF8.GetString(copy), Path.Combine(Repository.Root, "pipelines", "copy.yaml")), 512 * MiB, typeof(SuiteException));
    }

    [Fact]
    public void Baselines()
    {
        string path = Path.GetTempFileName();
        try
        {
            byte[] good = File.ReadAllBytes(Path.Combine(Repository.Root, "pipelines", "performance.baseline.json"));
            MutationRun.Check("baselines", [good], ["null", "[]", "{}", "1.5", "1e400", "\"\"", "\"\\ud800\"", "\"version\": 1,"], Load, 64 * MiB, typeof(SuiteException));
        }
        finally
        {
            File.Delete(path);
        }

        void Load(byte[] copy)
        {
            File.WriteAllBytes(path, copy);
            _ = BaselineFile.Load(path);
        }
    }

    [Fact]
    public void A_baseline_is_not_written_through_a_link_beside_it()
    {
        string folder = Directory.CreateTempSubdirectory("virtshell-baseline-").FullName;
        try
        {
            string victim = Path.Combine(folder, "victim");
            File.WriteAllText(victim, "untouched");
            string path = Path.Combine(folder, "base.json");
            File.CreateSymbolicLink(path + ".new", victim);
            BaselineFile baseline = BaselineFile.Load(path);
            baseline.Set("item", "instructions", 5);
            baseline.Save();
            Assert.Equal("untouched", File.ReadAllText(victim));
            Assert.Equal(5, BaselineFile.Load(path).Find("item", "instructions"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [SkippableFact]
    public void A_device_is_no_suite_and_no_baseline()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "/dev/zero is Linux'.");
        Assert.Contains("device", Assert.Throws<SuiteException>(() => SuiteLoader.Load("/dev/zero")).Message);
        Assert.Contains("device", Assert.Throws<SuiteException>(() => BaselineFile.Load("/dev/zero")).Message);
    }
}
