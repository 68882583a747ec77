using System;
using System.IO;
using System.Threading;
using VirtShell.Images.Packages;
using Xunit;

namespace VirtShell.Images.Tests;

public sealed class ResolverTests : IDisposable
{
    private const string HashOfHello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    private readonly TemporaryFolder _folder = new();
    private readonly ImageResolver _resolver;

    public ResolverTests() => _resolver = new ImageResolver(Path.Combine(_folder.Path, "cache"));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Paths_stand_below_the_base_folder()
    {
        var path = _folder.Write("sub/kernel", "hello");
        foreach (var source in (string[])["sub/kernel", "./sub/../sub/kernel", path])
        {
            var file = _resolver.Resolve(source, _folder.Path, HashOfHello);
            Assert.Equal((path, HashOfHello, source), (file.Path, file.Sha256, file.Origin));
        }
    }

    [Theory]
    [InlineData("nothing", null, "There is no file")]
    [InlineData(".", null, "is a folder")]
    [InlineData("", null, "A source is empty")]
    [InlineData("file", "2cf24d", "is not a sha256")]
    [InlineData("file", "0000000000000000000000000000000000000000000000000000000000000000", "has the sha256 " + HashOfHello)]
    [InlineData("http://example.org/x", null, "use https")]
    [InlineData("https://example.org/x", null, "needs a sha256")]
    [InlineData("https://example.org/x", "zz", "is not a sha256")]
    [InlineData("https:", "zz", "is not a URL")]
    [InlineData("apt:", null, "the form is apt:PACKAGE#GLOB")]
    [InlineData("apt:Not A Package#x", null, "the form is apt:PACKAGE#GLOB")]
    [InlineData("apt:package", null, "no file of it")]
    [InlineData("apt:package:i386#", null, "apt:package:i386#boot/vmlinuz-*")]
    public void Mistakes_are_explained(string source, string? sha256, string message)
    {
        _folder.Write("file", "hello");
        var error = Assert.Throws<ImageException>(() => _resolver.Resolve(source, _folder.Path, sha256));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_server_that_is_not_there_is_told_as_such()
    {
        var error = Assert.Throws<ImageException>(() => _resolver.Resolve("https://localhost:9/file#sha256=" + HashOfHello, _folder.Path));
        Assert.Contains("Cannot download", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_cached_download_needs_no_network()
    {
        _folder.Write("cache/downloads/" + HashOfHello, "hello");
        Assert.Equal(HashOfHello, _resolver.Resolve("https://localhost:9/file", _folder.Path, HashOfHello.ToUpperInvariant()).Sha256);
    }

    [Fact]
    public void A_lock_is_waited_for_and_the_wait_can_be_cancelled()
    {
        _folder.Write("cache/locks/x", string.Empty);
        var cache = new ImageCache(Path.Combine(_folder.Path, "cache"));
        using (cache.Lock("x", null, CancellationToken.None))
        {
            using var source = new CancellationTokenSource();
            source.Cancel();
            Assert.Throws<OperationCanceledException>(() => cache.Lock("x", null, source.Token));
        }

        cache.Lock("x", null, CancellationToken.None).Dispose();
    }

    [Theory]
    [InlineData("boot/vmlinuz-*", "boot/vmlinuz-6.1", true)]
    [InlineData("boot/vmlinuz-*", "boot/x/vmlinuz-6.1", false)]
    [InlineData("boot/*", "boot/a/b", false)]
    [InlineData("boot/**", "boot/a/b", true)]
    [InlineData("**/busybox", "bin/busybox", true)]
    [InlineData("**/busybox", "busybox", true)]
    [InlineData("a?c", "abc", true)]
    [InlineData("a?c", "a/c", false)]
    [InlineData("a[bx]c", "axc", true)]
    [InlineData("a[!b]c", "abc", false)]
    [InlineData("a[0-9]", "a7", true)]
    [InlineData("a+b(c).d", "a+b(c).d", true)]
    [InlineData("a.c", "abc", false)]
    public void Globs_match_as_in_a_shell(string glob, string path, bool expected)
    {
        Assert.Equal(expected, new PathGlob(glob).IsMatch(path));
    }

    [Theory]
    [InlineData("./a/b", "a/b")]
    [InlineData("/a//b/", "a/b")]
    [InlineData("a/../b", null)]
    [InlineData("..", null)]
    [InlineData(".", null)]
    public void Archive_paths_are_confined(string path, string? expected)
    {
        Assert.Equal(expected, ConfinedPath.Normalize(path));
    }

    [Theory]
    [InlineData("usr/bin/a", "b", "usr/bin/b")]
    [InlineData("usr/bin/a", "../lib/b", "usr/lib/b")]
    [InlineData("usr/bin/a", "/lib/b", "lib/b")]
    [InlineData("bin/a", "../../etc/passwd", null)]
    public void Links_are_confined(string from, string target, string? expected)
    {
        Assert.Equal(expected, ConfinedPath.FollowLink(from, target));
    }
}
