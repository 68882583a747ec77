using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Text;
using VirtShell.Images.Apt;
using Xunit;

namespace VirtShell.Images.Tests;

public sealed class InitramfsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ImageResolver _resolver;

    public InitramfsTests() => _resolver = new ImageResolver(Path.Combine(_folder.Path, "cache"));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void An_empty_definition_still_has_what_every_kernel_needs()
    {
        var entries = Build(new InitramfsDefinition());

        Assert.Equal(["dev", "dev/console", "dev/null", "dev/ttyS0", "proc", "run", "sys", "tmp"], entries.Keys);
        Assert.Equal((0x2180u, 5u, 1u), (entries["dev/console"].Mode, entries["dev/console"].Major, entries["dev/console"].Minor));
        Assert.Equal((0x21B6u, 1u, 3u), (entries["dev/null"].Mode, entries["dev/null"].Major, entries["dev/null"].Minor));
        Assert.Equal((4u, 64u), (entries["dev/ttyS0"].Major, entries["dev/ttyS0"].Minor));
        Assert.All(entries.Values, entry => Assert.Equal((0u, 0u), (entry.Owner, entry.Time)));
        Assert.Equal(entries.Count, entries.Values.Select(entry => entry.Inode).Distinct().Count());
    }

    [Fact]
    public void Parts_are_laid_in_order_with_parents_and_modes()
    {
        _folder.Write("root/etc/motd", "from the folder");
        _folder.Write("root/etc/other", "other");
        _folder.Write("data.bin", [1, 2, 3]);
        var entries = Build(new InitramfsDefinition
        {
            Folder = "root",
            Files = new Dictionary<string, string> { ["/opt/a/data"] = "data.bin", ["/usr/bin/tool"] = "data.bin" },
            Text = new Dictionary<string, string> { ["/init"] = "#!/bin/sh\r\necho\r\n", ["etc/motd"] = "from the text" },
            Links = new Dictionary<string, string> { ["/bin/link"] = "../opt/a/data" },
            Nodes = new Dictionary<string, string> { ["/dev/vda"] = "b 254 0" },
        });

        Assert.Equal("from the text", entries["etc/motd"].Text);
        Assert.Equal("other", entries["etc/other"].Text);
        Assert.Equal([1, 2, 3], entries["opt/a/data"].Data);
        Assert.Equal(0x41EDu, entries["opt/a"].Mode);
        Assert.Equal(0x81A4u, entries["opt/a/data"].Mode);
        Assert.Equal(0x81EDu, entries["usr/bin/tool"].Mode);
        Assert.Equal((0x81EDu, "#!/bin/sh\necho\n"), (entries["init"].Mode, entries["init"].Text));
        Assert.Equal((0xA1FFu, "../opt/a/data"), (entries["bin/link"].Mode, entries["bin/link"].Text));
        Assert.Equal((0x6180u, 254u, 0u), (entries["dev/vda"].Mode, entries["dev/vda"].Major, entries["dev/vda"].Minor));
    }

    [Fact]
    public void The_same_inputs_give_the_same_bytes_elsewhere()
    {
        _folder.Write("root/a", "a");
        var definition = new InitramfsDefinition { Folder = "root", Text = new Dictionary<string, string> { ["/z"] = "z", ["/b"] = "b" } };
        var first = _resolver.BuildInitramfs(definition, _folder.Path);
        File.SetLastWriteTimeUtc(Path.Combine(_folder.Path, "root", "a"), DateTime.UnixEpoch);
        var other = new ImageResolver(Path.Combine(_folder.Path, "other")).BuildInitramfs(definition, _folder.Path);

        Assert.NotEqual(first.Path, other.Path);
        Assert.Equal(first.Sha256, other.Sha256);
        _folder.Write("root/a", "A");
        Assert.NotEqual(first.Sha256, _resolver.BuildInitramfs(definition, _folder.Path).Sha256);
    }

    [Fact]
    public void Gzip_holds_the_same_archive()
    {
        var text = new Dictionary<string, string> { ["/init"] = "x" };
        var plain = _resolver.BuildInitramfs(new InitramfsDefinition { Text = text }, _folder.Path);
        var packed = _resolver.BuildInitramfs(new InitramfsDefinition { Text = text, Gzip = true }, _folder.Path);
        using var stream = new GZipStream(File.OpenRead(packed.Path), CompressionMode.Decompress);
        using var memory = new MemoryStream();
        stream.CopyTo(memory);
        Assert.Equal(File.ReadAllBytes(plain.Path), memory.ToArray());
    }

    [Theory]
    [InlineData("../escape")]
    [InlineData("/a/../../b")]
    [InlineData("/")]
    [InlineData("a\0b")]
    public void Paths_stay_inside(string path)
    {
        var error = Assert.Throws<ImageException>(() => Build(new InitramfsDefinition { Text = new Dictionary<string, string> { [path] = "x" } }));
        Assert.Contains("not a path in an initramfs", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("c 1")]
    [InlineData("x 1 2")]
    [InlineData("c 1 -2")]
    [InlineData("c 99999 1")]
    public void Bad_device_nodes_say_the_form(string text)
    {
        var error = Assert.Throws<ImageException>(() => Build(new InitramfsDefinition { Nodes = new Dictionary<string, string> { ["/dev/x"] = text } }));
        Assert.Contains("c MAJOR MINOR", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_is_no_folder_and_a_full_folder_no_file()
    {
        Assert.Contains("is not a folder", Assert.Throws<ImageException>(() => Build(new InitramfsDefinition { Text = new Dictionary<string, string> { ["/a"] = "x", ["/a/b"] = "y" } })).Message, StringComparison.Ordinal);
        Assert.Contains("holds other things", Assert.Throws<ImageException>(() => Build(new InitramfsDefinition { Text = new Dictionary<string, string> { ["/a/b"] = "x", ["/a"] = "y" } })).Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Links_among_folders_are_followed()
    {
        Skip.If(OperatingSystem.IsWindows(), "Symbolic links need a Unix host.");
        Directory.CreateDirectory(Path.Combine(_folder.Path, "root/usr/bin"));
        File.CreateSymbolicLink(Path.Combine(_folder.Path, "root/bin"), "usr/bin");
        var entries = Build(new InitramfsDefinition { Folder = "root", Text = new Dictionary<string, string> { ["/bin/tool"] = "x" } });
        Assert.Equal("usr/bin", entries["bin"].Text);
        Assert.Equal("x", entries["usr/bin/tool"].Text);
        Assert.DoesNotContain("bin/tool", entries.Keys);
    }

    [Fact]
    public void Busybox_names_its_applets_and_brings_an_init()
    {
        _folder.Write("busybox", FakeBusybox(out var applets));
        var entries = Build(new InitramfsDefinition { Busybox = "busybox", Text = new Dictionary<string, string> { ["/bin/cat"] = "mine" } });

        Assert.All(applets.Where(applet => applet != "cat"), applet => Assert.Equal("busybox", entries["bin/" + applet].Text));
        Assert.Equal("mine", entries["bin/cat"].Text);
        Assert.StartsWith("#!/bin/sh\n", entries["init"].Text, StringComparison.Ordinal);
        Assert.DoesNotContain('\r', entries["init"].Text);

        var own = Build(new InitramfsDefinition { Busybox = "busybox", Links = new Dictionary<string, string> { ["/init"] = "bin/busybox" } });
        Assert.Equal("bin/busybox", own["init"].Text);
    }

    [SkippableFact]
    public void Cpio_lists_the_archive()
    {
        var cpio = HostCommand.Find("cpio");
        Skip.If(cpio is null, "cpio is not installed.");
        var file = _resolver.BuildInitramfs(new InitramfsDefinition { Text = new Dictionary<string, string> { ["/init"] = "x", ["/etc/a b"] = string.Empty } }, _folder.Path);
        using var process = Process.Start(new ProcessStartInfo("sh") { ArgumentList = { "-c", "exec cpio -t --quiet < \"$1\"", "sh", file.Path }, RedirectStandardOutput = true })!;
        var names = process.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        Assert.Equal(CpioReader.Read(file.Path).Keys, names);
    }

    private static byte[] FakeBusybox(out string[] applets)
    {
        applets = ["[", "[[", .. Enumerable.Range(0, 30).Select(i => $"applet{i:00}"), "cat", "env", "modprobe", "sh"];
        return Encoding.ASCII.GetBytes("\u007fELF....usage: [\0[[\0no run\0....\0" + string.Join('\0', applets) + "\0\0rest");
    }

    private Dictionary<string, CpioEntry> Build(InitramfsDefinition definition) => CpioReader.Read(_resolver.BuildInitramfs(definition, _folder.Path).Path);
}
