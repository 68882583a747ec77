using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading.Tasks;
using VirtShell.Harness.Execution;
using VirtShell.Harness.Loading;
using Xunit;

namespace VirtShell.Harness.Tests;

/// <summary>What is checked when a suite is loaded, beyond its form.</summary>
public sealed class SuiteChecksTests : IDisposable
{
    private const string Frame = "suite: s\ntests:\n  - name: t\n";

    private readonly string _folder = Directory.CreateTempSubdirectory("virtshell-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(Frame + "    vm: {kernel: no/kernel}\n", "4:18: there is no kernel \"no/kernel\"")]
    [InlineData(Frame + "    vm: {kernel: suite.yaml, initrd: no.img}\n", "4:38: there is no initrd")]
    [InlineData(Frame + "    vm: {guest: hello, disks: [no.img]}\n", "4:32: there is no disk image")]
    [InlineData(Frame + "    vm:\n      kernel: suite.yaml\n      initramfs: {files: {a: no}, busybox: 'apt:busybox#b'}\n", "6:30: there is no file \"no\"")]
    public async Task Missing_files_are_told_before_anything_runs(string yaml, string expected)
    {
        SuiteException e = await Assert.ThrowsAsync<SuiteException>(() => SuiteRunner.RunAsync(Options(yaml)));

        Assert.Contains(expected, Assert.Single(e.Diagnostics).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_not_run_may_be_missing()
    {
        SuiteRunOptions options = Options("suite: s\ntests:\n  - name: a\n    vm: {kernel: no}\n  - name: b\n    vm: hello\n");

        Assert.Equal(2, SuiteRunner.List(options).Count);
        Assert.Equal(Outcome.Passed, (await SuiteRunner.RunAsync(options with { Filter = "/ b" })).Items[0].Outcome);
    }

    [Fact]
    public void Bytes_that_are_no_UTF_8_have_a_place()
    {
        string path = Path.Combine(_folder, "suite.yaml");
        File.WriteAllBytes(path, [.. "suite: s\ntests: "u8, .. "gr\u00FCn"u8, 0xFC, .. "\n"u8]);

        SuiteException e = Assert.Throws<SuiteException>(() => SuiteLoader.Load(path));

        Assert.EndsWith(":2:12: the byte 0xfc is no UTF-8; save the file as UTF-8", Assert.Single(e.Diagnostics).ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Frame + "    vm: {guest: hello, memory: '${{ matrix.x }}'}\n")]
    [InlineData(Frame + "    vm: *none\n")]
    [InlineData("suite: s\ntests:\n  - nme: t\n    vm: hello\n")]
    [InlineData(Frame + "    vm: {guest: hello, disks: [{generate: 100G}]}\n    steps: [{run: '${{ disk.vda.sha256 }}'}]\n")]
    [InlineData(Frame + "    matrix: {a: ['${{ matrix.b }}']}\n    vm: hello\n")]
    [InlineData("suite: '${{ matrix.b }}'\ntests:\n  - name: t\n    vm: hello\n")]
    [InlineData(Frame + "    vm: hello\n    assert: {allow: linux-warnin}\n")]
    [InlineData(Frame + "    vm: hello\n    assert: {allow: linux-warning, never: []}\n")]
    [InlineData(Frame + "    vm: {kernel: 'apt:linux-image-amd64#boot/vmlinuz-*', cmdline: console=ttyS0 printk.time=0}\n    steps: [{run: uname}]\n")]
    public void One_mistake_has_one_message(string yaml)
    {
        SuiteException e = Assert.Throws<SuiteException>(() => SuiteLoader.Parse(yaml, "s.yaml"));

        Assert.True(Assert.Single(e.Diagnostics).Line > 0);
    }

    [Theory]
    [InlineData("console=ttyS0", "run: uname", "printk.time=1 console=ttyS0")]
    [InlineData("", "run: uname", "printk.time=1")]
    [InlineData("console=ttyS0 -- -x", "run: uname", "printk.time=1 console=ttyS0 -- -x")]
    [InlineData("printk.time=0 printk.time=1", "run: uname", "printk.time=0 printk.time=1")]
    [InlineData("quiet", "{run: dmesg, keep-kernel-messages: true}", "quiet")]
    [InlineData("quiet printk.time=0", "expect: x", "quiet printk.time=0")]
    public void A_kernel_has_time_stamps_where_a_command_s_output_is_taken(string cmdline, string step, string expected)
    {
        string given = cmdline.Length == 0 ? string.Empty : $", cmdline: '{cmdline}'";
        LoadedItem item = SuiteLoader.Parse(Frame + $"    vm: {{kernel: 'apt:linux-image-amd64#boot/vmlinuz-*'{given}}}\n    steps: [{(step[0] == '{' ? step : $"{{{step}}}")}]\n", "s.yaml").Items[0];

        Assert.Equal(expected, item.Test.Vm.Definition.CommandLine);
        Assert.Equal("x", SuiteLoader.Parse(Frame + "    vm: {guest: attack, cmdline: x}\n    steps: [{run: uname}]\n", "s.yaml").Items[0].Test.Vm.Definition.CommandLine);
    }

    [Fact]
    public void Names_and_matrix_values_are_expanded()
    {
        Environment.SetEnvironmentVariable("VIRTSHELL_TEST_NAME", "env");
        LoadedSuite suite = SuiteLoader.Parse("suite: s-${{ env.VIRTSHELL_TEST_NAME }}\ntests:\n  - name: t with ${{ matrix.m }}\n    matrix: {m: ['${{ env.VIRTSHELL_TEST_NAME }}-1', b]}\n    vm: hello\n", "s.yaml");

        Assert.Equal(["s-env / t with env-1 (env-1)", "s-env / t with b (b)"], suite.Items.Select(i => i.Name));
    }

    [Theory]
    [InlineData("", true, 15)]
    [InlineData("    assert: {never: []}\n", false, 0)]
    [InlineData("    assert: {allow: [linux-panic, linux-warning]}\n", false, 13)]
    [InlineData("    assert: {never: [], end: panic}\n", true, 0)]
    [InlineData("    assert: {never: [x]}\n", true, 1)]
    public void Allowed_patterns_and_detection_of_panics(string assertion, bool detects, int patterns)
    {
        LoadedItem item = SuiteLoader.Parse(Frame + "    vm: {kernel: 'apt:linux-image-amd64#boot/vmlinuz-*'}\n" + assertion, "s.yaml").Items[0];

        Assert.Equal(detects, Judge.DetectsPanics(item.Test));
        Assert.Equal(patterns, Judge.NeverPatterns(item.Test).Count);
    }

    [Fact]
    public void Thousands_of_tests_are_told_apart()
    {
        var text = new StringBuilder("suite: s\ntests:\n");
        for (int i = 0; i < 20_000; i++)
        {
            text.Append("  - {name: t").Append(i).Append(", vm: hello}\n");
        }

        Assert.Equal(20_000, new HashSet<string>(SuiteLoader.Parse(text.ToString(), "s.yaml").Items.Select(i => i.Name)).Count);
    }

    [Fact]
    public void A_file_s_name_cannot_forge_lines() =>
        Assert.Equal("a\\nPASS  b.yaml: x", new SuiteDiagnostic("a\nPASS  b.yaml", 0, 0, "x").ToString());

    private SuiteRunOptions Options(string yaml)
    {
        string path = Path.Combine(_folder, "suite.yaml");
        File.WriteAllText(path, yaml);
        return new SuiteRunOptions { SuiteFiles = [path] };
    }
}
