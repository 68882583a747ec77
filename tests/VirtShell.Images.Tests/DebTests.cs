using System;
using System.Collections.Generic;
using System.Formats.Tar;
using System.IO;
using System.IO.Compression;
using System.Text;
using System.Threading;
using VirtShell.Images.Apt;
using VirtShell.Images.Packages;
using Xunit;

namespace VirtShell.Images.Tests;

public sealed class DebTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [SkippableTheory]
    [InlineData("", false)]
    [InlineData(".gz", false)]
    [InlineData(".zst", false)]
    [InlineData(".gz", true)]
    public void Files_are_listed_and_unpacked(string compression, bool byHostTool)
    {
        Skip.If(byHostTool && HostCommand.Find("dpkg-deb") is null, "dpkg-deb is not installed.");
        var deb = _folder.Write("p.deb", Deb(compression, Sample()));
        Dictionary<string, string> files = [];
        DebArchive.ReadFiles(deb, entry => files[entry.Name] = entry.DataStream is null ? entry.LinkName : new StreamReader(entry.DataStream).ReadToEnd(), CancellationToken.None, byHostTool);
        Assert.Equal("kernel", files["./boot/vmlinuz-1"]);
        Assert.Equal("vmlinuz-1", files["./boot/link"]);
        Assert.Equal(string.Empty, files["./usr/"]);
    }

    [Fact]
    public void Contents_follow_links_within_the_package_and_nothing_leaves_it()
    {
        var contents = Open(Deb(".gz", Sample()));
        Assert.Equal("kernel", File.ReadAllText(Extract(contents, "boot/vmlinuz-*")));
        Assert.Equal("kernel", File.ReadAllText(Extract(contents, "boot/link")));
        Assert.Equal("tool", File.ReadAllText(Extract(contents, "bin/tool"))); // found below usr/
        Assert.Empty(contents.Match("**/escape"));
        var error = Assert.Throws<ImageException>(() => Extract(contents, "boot/outside"));
        Assert.Contains("which the package does not hold", error.Message, StringComparison.Ordinal);
        Assert.Contains("is not a file", Assert.Throws<ImageException>(() => Extract(contents, "boot/loop")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("./usr/lib/modules/7.2-amd64/vmlinuz", "boot/vmlinuz-*")]
    [InlineData("./lib/modules/7.2-amd64/vmlinuz", "boot/vmlinuz-7.*")]
    [InlineData("./usr/lib/modules/7.2-amd64/vmlinuz", "lib/modules/*/vmlinuz")]
    public void A_kernel_is_found_beside_its_modules(string path, string glob)
    {
        var contents = Open(Deb(".gz", [new GnuTarEntry(TarEntryType.RegularFile, path) { DataStream = new MemoryStream("new"u8.ToArray()) }]));
        Assert.Equal("new", File.ReadAllText(Extract(contents, glob)));
        Assert.Empty(contents.Match("boot/vmlinuz-8*"));
        Assert.Equal([path[2..]], contents.Near("boot/vmlinuz-8*"));
        Assert.Empty(contents.Near("etc/x"));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(100)]
    [InlineData(250)]
    public void Damaged_packages_are_told_as_such(int length)
    {
        var deb = _folder.Write("p.deb", Deb(".gz", Sample())[..length]);
        var error = Assert.Throws<ImageException>(() => DebArchive.ReadFiles(deb, _ => { }, CancellationToken.None, useHostTool: false));
        Assert.Contains("is damaged", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Package_records_are_read()
    {
        var package = AptPackage.Parse(
            """
            Package: linux-image-amd64
            Version: 6.1-2
            Architecture: amd64
            Depends: kmod, linux-base (>= 4), linux-image-6.1-amd64 (= 6.1-2), linux-image-extra | foo, linux-modules-6.1
            Description: a
             continued
            Size: 12
            SHA256: ABCD

            Package: other
            """)!;
        Assert.Equal(("linux-image-amd64", "6.1-2", "abcd", 12L), (package.Name, package.Version, package.Sha256, package.Size));
        Assert.Equal(["linux-image-6.1-amd64", "linux-image-extra", "linux-modules-6.1"], package.LikelyContent());
        Assert.Null(AptPackage.Parse("N: no such package"));
    }

    private PackageContents Open(byte[] deb) =>
        PackageContents.Open(new ImageCache(Path.Combine(_folder.Path, "cache")), _folder.Write("p.deb", deb), "hash", "p 1", null, CancellationToken.None);

    private static string Extract(PackageContents contents, string glob) => Assert.Single(contents.Extract(contents.Match(glob), null, CancellationToken.None));

    private static TarEntry[] Sample()
    {
        static TarEntry Regular(string name, string text) => new GnuTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(Encoding.UTF8.GetBytes(text)) };
        static TarEntry Link(string name, string target) => new GnuTarEntry(TarEntryType.SymbolicLink, name) { LinkName = target };
        return
        [
            Regular("./boot/vmlinuz-1", "kernel"),
            Link("./boot/link", "vmlinuz-1"),
            Link("./boot/outside", "../../../etc/passwd"),
            Link("./boot/loop", "loop"),
            Regular("../escape", "no"),
            new GnuTarEntry(TarEntryType.Directory, "./usr/"),
            Regular("./usr/bin/tool", "tool"),
        ];
    }

    private static byte[] Deb(string compression, IEnumerable<TarEntry> entries)
    {
        using var tar = new MemoryStream();
        using (var writer = new TarWriter(tar, TarEntryFormat.Gnu, leaveOpen: true))
        {
            foreach (var entry in entries)
            {
                writer.WriteEntry(entry);
            }
        }

        using var deb = new MemoryStream();
        deb.Write("!<arch>\n"u8);
        Member("debian-binary", "2.0\n"u8.ToArray());
        Member("control.tar.gz", Pack(new byte[1024], ".gz"));
        Member("data.tar" + compression, Pack(tar.ToArray(), compression));
        return deb.ToArray();

        void Member(string name, byte[] content)
        {
            deb.Write(Encoding.ASCII.GetBytes($"{name,-16}{0,-12}{0,-6}{0,-6}{100644,-8}{content.Length,-10}`\n"));
            deb.Write(content);
            if (content.Length % 2 != 0)
            {
                deb.WriteByte((byte)'\n');
            }
        }
    }

    private static byte[] Pack(byte[] content, string compression)
    {
        using var packed = new MemoryStream();
        Stream stream = compression switch
        {
            ".gz" => new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true),
            ".zst" => new ZstdSharp.CompressionStream(packed, leaveOpen: true),
            _ => packed,
        };
        stream.Write(content);
        if (!ReferenceEquals(stream, packed))
        {
            stream.Dispose();
        }

        return packed.ToArray();
    }
}
