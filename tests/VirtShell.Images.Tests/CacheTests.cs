using System;
using System.IO;
using System.Linq;
using System.Threading;
using VirtShell.Images.Packages;
using Xunit;

namespace VirtShell.Images.Tests;

/// <summary>What the cache holds is checked by content when it is taken, and made anew when it is wrong.</summary>
public sealed class CacheTests : IDisposable
{
    private const string HashOfHello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    private readonly TemporaryFolder _folder = new();
    private readonly ImageResolver _resolver;
    private readonly ImageCache _cache;

    public CacheTests()
    {
        _resolver = new ImageResolver(Path.Combine(_folder.Path, "cache"));
        _cache = new ImageCache(Path.Combine(_folder.Path, "cache"));
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>Ways in which a file of the cache is damaged.</summary>
    public static TheoryData<string> Damages => ["cut", "grown", "changed", "emptied", "folder"];

    [Theory]
    [InlineData("cut")]
    [InlineData("changed")]
    [InlineData("emptied")]
    public void A_damaged_download_is_fetched_anew_or_named(string damage)
    {
        var path = _folder.Write("cache/downloads/" + HashOfHello, "hello");
        Assert.Equal(path, _resolver.Resolve("https://localhost:9/file", _folder.Path, HashOfHello).Path);
        Damage(path, damage);
        var error = Assert.Throws<ImageException>(() => _resolver.Resolve("https://localhost:9/file", _folder.Path, HashOfHello));
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Contains("is damaged", error.Message, StringComparison.Ordinal);
        Assert.Contains("Check the network", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("grown")]
    [InlineData("changed")]
    [InlineData("emptied")]
    public void A_damaged_initramfs_is_built_anew(string damage)
    {
        var definition = new InitramfsDefinition { Text = new System.Collections.Generic.Dictionary<string, string> { ["/init"] = "#!/bin/sh\n" } };
        var first = _resolver.BuildInitramfs(definition, _folder.Path);
        var bytes = File.ReadAllBytes(first.Path);
        Damage(first.Path, damage);
        var second = _resolver.BuildInitramfs(definition, _folder.Path);
        Assert.Equal(bytes, File.ReadAllBytes(second.Path));
        Assert.True(_resolver.BuildInitramfs(definition, _folder.Path).IsHashed);
    }

    [Theory]
    [MemberData(nameof(Damages))]
    public void A_damaged_file_of_a_package_is_unpacked_anew(string damage)
    {
        var deb = DebFiles.Sample(".gz");
        var contents = Open(deb);
        var local = Extract(contents);
        if (damage == "folder")
        {
            File.Delete(local);
        }
        else
        {
            Damage(local, damage);
        }

        Assert.Equal("kernel", File.ReadAllText(Extract(contents)));
        Assert.Equal("kernel", File.ReadAllText(Extract(Open(deb))));
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("changed")]
    [InlineData("emptied")]
    public void A_damaged_list_of_files_is_read_anew(string damage)
    {
        var deb = DebFiles.Sample(".gz");
        Assert.NotEmpty(Open(deb).Entries);
        Damage(Path.Combine(_folder.Path, "cache", "packages", DebFiles.Hash(deb), "index.tsv"), damage);
        Assert.Equal("kernel", File.ReadAllText(Extract(Open(deb))));
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("changed")]
    public void A_damaged_package_is_fetched_anew_or_named(string damage)
    {
        var deb = DebFiles.Sample(".gz");
        var path = _folder.Write("cached.deb", deb);
        Damage(path, damage);
        var fresh = _folder.Write("fresh.deb", deb);
        var file = new PackageFile(path, DebFiles.Hash(deb), () => fresh);
        Assert.Equal("kernel", File.ReadAllText(Extract(PackageContents.Open(_cache, file, DebFiles.Hash(deb), "p 1", null, CancellationToken.None))));

        var offline = new PackageFile(path, DebFiles.Hash(deb), () => throw new ImageException("There is no network."));
        var error = Assert.Throws<ImageException>(() => PackageContents.Open(new ImageCache(Path.Combine(_folder.Path, "other")), offline, DebFiles.Hash(deb), "p 1", null, CancellationToken.None));
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Contains("There is no network.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_has_no_record_is_not_taken()
    {
        var path = Path.Combine(_cache.Sub("initramfs"), "x");
        _cache.WriteWhole(path, stream => stream.Write("hello"u8));
        Assert.Equal(HashOfHello, _cache.Find(path));
        foreach (var record in Directory.GetFiles(Path.Combine(_cache.Folder, "checks"), "*", SearchOption.AllDirectories))
        {
            File.Delete(record);
        }

        Assert.Null(_cache.Find(path));
    }

    /// <summary>Only a lock that somebody holds is waited for.</summary>
    [Fact]
    public void A_lock_that_cannot_be_opened_is_an_error()
    {
        Directory.CreateDirectory(Path.Combine(_cache.Sub("locks"), "x"));
        Assert.ThrowsAny<Exception>(() => _cache.Lock("x", null, CancellationToken.None)).GetType();
        Directory.CreateDirectory(Path.Combine(_cache.Sub("locks"), HashOfHello));
        Assert.Throws<ImageException>(() => _resolver.Resolve("https://localhost:9/file", _folder.Path, HashOfHello));
    }

    [Fact]
    public void What_killed_processes_left_is_deleted()
    {
        var old = _folder.Write("cache/tmp/" + Guid.NewGuid().ToString("N"), "x");
        var young = _folder.Write("cache/tmp/" + Guid.NewGuid().ToString("N"), "x");
        File.SetLastWriteTimeUtc(old, DateTime.UtcNow.AddDays(-1));
        new ImageCache(Path.Combine(_folder.Path, "cache")).Lock("x", null, CancellationToken.None).Dispose();
        Assert.False(File.Exists(old));
        Assert.True(File.Exists(young));
    }

    [SkippableFact]
    public void Others_cannot_read_what_is_cached()
    {
        Skip.If(OperatingSystem.IsWindows(), "Windows has no file modes.");
        var file = _resolver.BuildInitramfs(new InitramfsDefinition { Text = new System.Collections.Generic.Dictionary<string, string> { ["/secret"] = "s" } }, _folder.Path);
        Assert.All(Directory.GetDirectories(_cache.Folder), path => Assert.Equal(0, (int)Mode(path) & 0x3F));
        Assert.Equal(0, (int)Mode(file.Path) & 0x3F);

        static UnixFileMode Mode(string path) => OperatingSystem.IsWindows() ? default : File.GetUnixFileMode(path);
    }

    private PackageContents Open(byte[] deb) => PackageContents.Open(_cache, DebFiles.OnDisk(_folder, deb), DebFiles.Hash(deb), "p 1", null, CancellationToken.None);

    private static string Extract(PackageContents contents) => contents.Extract(contents.Match("boot/vmlinuz-*"), null, CancellationToken.None).Single();

    private static void Damage(string path, string damage)
    {
        var bytes = File.ReadAllBytes(path);
        File.WriteAllBytes(path, damage switch
        {
            "cut" => bytes[..^1],
            "grown" => [.. bytes, 0],
            "changed" => [(byte)(bytes[0] ^ 1), .. bytes[1..]],
            _ => [],
        });
    }
}
