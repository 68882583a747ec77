using System;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Text.RegularExpressions;
using Xunit;

namespace VirtShell.Bench.Tests;

public sealed partial class CatalogTests
{
    [Theory]
    [InlineData("sieve", 1)]
    [InlineData("matrix-*", 2)]
    [InlineData("SIEVE", 1)]
    [InlineData("integer", 8)]
    [InlineData("System", 5)]
    [InlineData("*", 20)]
    public void A_pattern_selects(string pattern, int count) => Assert.Equal(count, BenchCatalog.Select([pattern]).Count);

    [Fact]
    public void Patterns_add_up_in_catalogue_order() => Assert.Equal(["sieve", "set"], BenchCatalog.Select(["set", "sieve", "s?eve"]).Select(p => p.Name));

    [Fact]
    public void Without_patterns_all_run() => Assert.Same(BenchCatalog.All, BenchCatalog.Select([]));

    [Fact]
    public void An_unknown_program_is_an_error_that_lists_them()
    {
        BenchException error = Assert.Throws<BenchException>(() => BenchCatalog.Select(["sieve", "seive"]));

        Assert.Contains("\"seive\"", error.Message, StringComparison.Ordinal);
        Assert.Contains("pointer-chase", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "native,virtshell,qemu,icount")]
    [InlineData("virtshell", "virtshell")]
    [InlineData("qemu,Native", "native,qemu")]
    public void Contestants_are_named_by_words(string words, string expected) =>
        Assert.Equal(expected, string.Join(',', Contestants.Parse([words]).Select(c => c.Word())));

    [Fact]
    public void An_unknown_contestant_is_an_error_that_lists_them() =>
        Assert.Contains("native, virtshell, qemu, icount", Assert.Throws<BenchException>(() => Contestants.Parse(["kvm"])).Message, StringComparison.Ordinal);

    [Fact]
    public void Catalogue_and_sources_hold_the_same_programs()
    {
        Assembly assembly = typeof(BenchCatalog).Assembly;
        string sources = string.Concat(assembly.GetManifestResourceNames().Select(name => new StreamReader(assembly.GetManifestResourceStream(name)!).ReadToEnd()));

        Assert.Equal(BenchCatalog.All.Select(p => p.Name).Order(StringComparer.Ordinal), TableEntry().Matches(sources).Select(m => m.Groups[1].Value).Order(StringComparer.Ordinal));
    }

    [GeneratedRegex(@"\{ ""([a-z0-9-]+)"", [a-z_0-9]+ \}")]
    private static partial Regex TableEntry();
}
