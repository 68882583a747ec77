using System;
using System.IO;
using System.Linq;
using System.Text;
using VirtShell.Harness.Loading;
using Xunit;

namespace VirtShell.Harness.Tests;

public sealed class SuiteDiagnosticsTests
{
    private const string Frame = "suite: s\ntests:\n  - name: t\n";

    [Theory]
    [InlineData("", "1:1", "the file is empty")]
    [InlineData("# only a comment\n", "1:1", "the file is empty")]
    [InlineData("~\n", "1:1", "the file is empty")]
    [InlineData("suite: s\n", "1:1", "a suite needs \"tests\"")]
    [InlineData("suite: s\ntests: []\n", "2:8", "an empty list")]
    [InlineData("suite: s\ntests: 5\n", "2:8", "needs a list of tests, found \"5\"")]
    [InlineData("- a\n", "1:1", "found a list")]
    [InlineData("suite: s\nsuite: t\ntests: []\n", "2:1", "\"suite\" is given twice; the first one is on line 1")]
    [InlineData("suite: s\ntest: []\n", "2:1", "unknown key \"test\" in a suite; did you mean \"tests\"?")]
    [InlineData("suite: s\ntests:\n\t- a\n", "3:1", "not valid YAML")]
    [InlineData("suite: [s\n", "2:1", "not valid YAML")]
    [InlineData("suite: s\ntests: *none\n", "2:8", "unknown anchor \"*none\"")]
    [InlineData("suite: s\ntests: []\n---\nsuite: t\n", "3:1", "one YAML document")]
    [InlineData("{a: b}: c\n", "1:1", "a key must be a word")]
    [InlineData(Frame, "3:5", "a test needs \"vm\"")]
    [InlineData(Frame + "    vm: {gest: hello}\n", "4:10", "did you mean \"guest\"? Allowed: boot-order, cds, clock, cmdline, cpu")]
    [InlineData(Frame + "    vm: {guest: helo}\n", "4:17", "did you mean \"hello\"?")]
    [InlineData(Frame + "    vm: helo\n", "4:9", "did you mean \"hello\"?")]
    [InlineData(Frame + "    vm: {guest: hello, parts: [com1.pace=on, tape=off]}\n", "4:31", "has no part 'tape'")]
    [InlineData(Frame + "    vm: {guest: hello, disks: {generate: 1M}, parts: virtio-blk=off}\n", "4:54", "which they need, is left out")]
    [InlineData(Frame + "    vm: {memory: 64M}\n", "4:9", "a vm needs \"guest\"")]
    [InlineData(Frame + "    vm: {guest: hello, memory: lots}\n", "4:32", "expected a size such as 64K, 128M or 1G")]
    [InlineData(Frame + "    vm: {guest: hello, memory: 1001}\n", "4:32", "a multiple of 4K")]
    [InlineData(Frame + "    vm: {guest: hello, cpu: x86-64-v4}\n", "4:29", "unknown word \"x86-64-v4\"; did you mean \"x86-64-v2\"?")]
    [InlineData(Frame + "    vm: {guest: hello, engine: jit}\n", "4:32", "unknown word \"jit\". Allowed: auto, interpreter, translator")]
    [InlineData(Frame + "    vm: {guest: hello, engine: translater}\n", "4:32", "unknown word \"translater\"; did you mean \"translator\"?")]
    [InlineData(Frame + "    vm: {guest: hello, engine: [auto]}\n", "4:32", "expected one of auto, translator, interpreter, found a list")]
    [InlineData(Frame + "    vm: {guest: hello, kernel: a}\n", "4:24", "exclude each other")]
    [InlineData(Frame + "    vm: {kernel: 'https://x/y'}\n", "4:18", "needs \"kernel-sha256\"")]
    [InlineData(Frame + "    vm: hello\n    steps: [bot]\n", "5:13", "unknown step \"bot\"; did you mean \"boot\"?")]
    [InlineData(Frame + "    vm: hello\n    steps: [expect]\n", "5:13", "the step expect needs a value")]
    [InlineData(Frame + "    vm: hello\n    steps:\n      - expct: x\n", "6:9", "unknown step \"expct\"; did you mean \"expect\"?")]
    [InlineData(Frame + "    vm: hello\n    steps:\n      - expect: x\n        run: y\n", "7:9", "one step holds both")]
    [InlineData(Frame + "    vm: hello\n    steps:\n      - expect: x\n        timeout: 5\n", "7:18", "expected a duration such as 500ms, 30s or 2m")]
    [InlineData(Frame + "    vm: hello\n    steps:\n      - expect: {regex: '('}\n", "6:25", "not a regular expression")]
    [InlineData(Frame + "    vm: hello\n    steps:\n      - expect: {regx: a}\n", "6:18", "did you mean \"regex\"?")]
    [InlineData(Frame + "    vm: hello\n    steps:\n      - expect: a\n      - boot\n", "7:9", "boot can only be the first step")]
    [InlineData(Frame + "    vm: hello\n    steps:\n      - stop\n      - expect: a\n", "7:9", "nothing can follow stop")]
    [InlineData(Frame + "    vm: hello\n    steps:\n      - eject: cd\n", "6:9", "the vm has no drive cd; add it under \"cds\"")]
    [InlineData(Frame + "    vm: {guest: hello, cds: {}}\n    steps:\n      - change-media: apt:a#b\n        drive: floppy\n", "6:9", "no drive floppy")]
    [InlineData(Frame + "    vm: {guest: hello, floppies: [{}, {}, {}]}\n", "4:34", "at most 2 floppy drives")]
    [InlineData(Frame + "    vm: {guest: hello, cds: {place: third}}\n", "4:37", "unknown word \"third\"")]
    [InlineData(Frame + "    vm: hello\n    steps:\n      - boot: now\n", "6:15", "expected nothing after \"boot:\"")]
    [InlineData(Frame + "    vm: hello\n    steps:\n      - run: a\n        status: 300\n", "7:17", "expected an exit status from 0 to 255, or any")]
    [InlineData(Frame + "    vm: hello\n    assert: {end: power-off}\n", "5:19", "unknown end \"power-off\"; did you mean \"poweroff\"?")]
    [InlineData(Frame + "    vm: hello\n    assert: {end: {crash: tripel-fault}}\n", "5:27", "did you mean \"triple-fault\"?")]
    [InlineData(Frame + "    vm: hello\n    assert: {end: {debug-exit: x}}\n", "5:32", "expected a whole number")]
    [InlineData(Frame + "    vm: hello\n    assert: {metrics: {instructions: {}}}\n", "5:38", "needs a bound")]
    [InlineData(Frame + "    vm: hello\n    assert: {metrics: {instructions: {min: 2, max: 1}}}\n", "5:44", "a min above its max")]
    [InlineData(Frame + "    vm: hello\n    assert: {metrics: {instructions: {tolerance: 1%}}}\n", "5:38", "names none")]
    [InlineData(Frame + "    vm: hello\n    assert: {metrics: {engine-exit: {max: 1}}}\n", "5:24", "did you mean \"engine-exits\"?")]
    [InlineData(Frame + "    vm: hello\n    assert: {metrics: {engine-exits: {}}}\n", "5:38", "the metric engine-exits needs a bound")]
    [InlineData(Frame + "    vm: ${{ matrix.x }}\n", "4:9", "this test has no matrix")]
    [InlineData(Frame + "    matrix: {guest: [hello]}\n    vm: ${{ matrix.gust }}\n", "5:9", "did you mean \"guest\"?")]
    [InlineData(Frame + "    matrix: {guest: hello}\n    vm: hello\n", "4:21", "needs a list of values")]
    [InlineData(Frame + "    matrix: {guest: [hello], exclude: [{gust: hello}]}\n    vm: hello\n", "4:41", "unknown axis \"gust\"; did you mean \"guest\"?")]
    [InlineData(Frame + "    matrix: {guest: [hello], exclude: [{guest: echo}]}\n    vm: hello\n", "4:40", "excludes nothing")]
    [InlineData(Frame + "    matrix: {a: [1], b: [2], include: [{a: 3}]}\n    vm: hello\n", "4:40", "missing: b")]
    [InlineData(Frame + "    vm: ${{ machine.x }}\n", "4:9", "unknown name \"machine.x\"")]
    [InlineData(Frame + "    vm: ${{ env.VIRTSHELL_NOT_SET }}\n", "4:9", "is not set")]
    [InlineData(Frame + "    vm: ${{ matrix\n", "4:9", "without \"}}\"")]
    [InlineData(Frame + "    vm: hello\n  - name: t\n    vm: hello\n", "5:11", "two tests are named \"t\"; the first is on line 3")]
    [InlineData(Frame + "    vm: {guest: hello, clock: host}\n    neighbours: hello\n", "4:9", "needs \"clock: virtual\"")]
    [InlineData(Frame + "    vm: {guest: hello, disks: [{}]}\n", "4:32", "a disk needs \"source\"")]
    [InlineData(Frame + "    vm: {guest: hello, disks: [{generate: 100}]}\n", "4:43", "multiple of 512")]
    [InlineData(Frame + "    vm: {guest: hello, disks: [{generate: 1M, overlay-limit: 4K}]}\n", "4:62", "1M to 512G")]
    public void Says_where_and_what(string yaml, string place, string message)
    {
        SuiteException error = Assert.Throws<SuiteException>(() => SuiteLoader.Parse(yaml, "suite.yaml"));

        Assert.Contains(error.Diagnostics, d => $"{d.Line}:{d.Column}" == place && d.Message.Contains(message, StringComparison.Ordinal));
        Assert.StartsWith("suite.yaml:", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Reports_every_problem_at_once_in_file_order()
    {
        const string Yaml = """
            suite: s
            tests:
              - name: a
                vm: {guest: hello, memry: 1}
                steps:
                  - expct: x
              - name: b
                vm: {guest: helo}
                assert: {end: nowhere}
            """;

        SuiteException error = Assert.Throws<SuiteException>(() => SuiteLoader.Parse(Yaml, "s.yaml"));

        Assert.Equal([4, 6, 8, 9], error.Diagnostics.Select(d => d.Line));
    }

    [Fact]
    public void A_problem_in_a_matrix_test_counts_once()
    {
        const string Yaml = """
            suite: s
            tests:
              - name: a
                matrix: {memory: [16M, 32M, 64M]}
                vm: {guest: hello, memory: "${{ matrix.memory }}", cpu: none}
            """;

        SuiteException error = Assert.Throws<SuiteException>(() => SuiteLoader.Parse(Yaml, "s.yaml"));

        Assert.Single(error.Diagnostics);
    }

    [Fact]
    public void A_missing_file_and_a_folder_are_told_apart()
    {
        SuiteException missing = Assert.Throws<SuiteException>(() => SuiteLoader.Load("no/such/suite.yaml"));
        SuiteException folder = Assert.Throws<SuiteException>(() => SuiteLoader.Load(Path.GetTempPath()));

        Assert.Equal("no/such/suite.yaml: there is no such suite file", missing.Message);
        Assert.Contains("this is a folder", folder.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Aliases_that_multiply_are_stopped()
    {
        var yaml = new StringBuilder("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for (int i = 1; i < 12; i++)
        {
            string previous = string.Join(", ", Enumerable.Repeat($"*a{i - 1}", 10));
            yaml.Append($"a{i}: &a{i} [{previous}]\n");
        }

        SuiteException error = Assert.Throws<SuiteException>(() => SuiteLoader.Parse(yaml.ToString(), "s.yaml"));

        Assert.Contains("once aliases are expanded", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_anchor_that_holds_itself_is_stopped()
    {
        SuiteException error = Assert.Throws<SuiteException>(() => SuiteLoader.Parse("suite: s\ntests: &t\n  - *t\n", "s.yaml"));

        Assert.Contains("\"&t\" contains itself", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Deep_nesting_is_stopped()
    {
        SuiteException error = Assert.Throws<SuiteException>(() => SuiteLoader.Parse(new string('[', 1000), "s.yaml"));

        Assert.Contains("deeper than", error.Message, StringComparison.Ordinal);
    }

    /// <summary>Whatever bytes a file holds, the answer is a suite or diagnostics, never another exception.</summary>
    [Fact]
    public void Random_mutations_of_a_good_suite_never_escape()
    {
        string good = File.ReadAllText(Path.Combine(Repository.Root, "pipelines", "smoke.yaml"));
        var random = new Random(20260101);
        const string Alphabet = "{}[]&*:-#!|>'\"%@`,?~ \n\tab$0";
        for (int i = 0; i < 400; i++)
        {
            var text = new StringBuilder(good);
            for (int change = 0; change < 4; change++)
            {
                int at = random.Next(text.Length);
                switch (random.Next(3))
                {
                    case 0: text.Remove(at, Math.Min(random.Next(1, 8), text.Length - at)); break;
                    case 1: text.Insert(at, Alphabet[random.Next(Alphabet.Length)]); break;
                    default: text[at] = Alphabet[random.Next(Alphabet.Length)]; break;
                }
            }

            try
            {
                SuiteLoader.Parse(text.ToString(), "s.yaml");
            }
            catch (SuiteException e)
            {
                Assert.NotEmpty(e.Diagnostics);
            }
        }
    }
}
