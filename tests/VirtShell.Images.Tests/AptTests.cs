using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Images.Apt;
using VirtShell.Images.Initramfs;
using VirtShell.Images.Packages;
using Xunit;

namespace VirtShell.Images.Tests;

/// <summary>Real packages by the host's apt, fetched once for all tests of the class.</summary>
public sealed class AptFixture : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public string CacheFolder => Path.Combine(_folder.Path, "cache");

    public ImageResolver Resolver => field ??= new ImageResolver(CacheFolder);

    public string BaseFolder => _folder.Path;

    public static void Require()
    {
        Skip.If(HostCommand.Find("apt-get") is null, "apt-get is not installed: the host is no Debian or Ubuntu.");
        Skip.If(Environment.GetEnvironmentVariable("VIRTSHELL_OFFLINE") is not null, "VIRTSHELL_OFFLINE is set: no packages are fetched.");
    }

    public void Dispose() => _folder.Dispose();
}

public sealed class AptTests(AptFixture fixture) : IClassFixture<AptFixture>
{
    private const string Busybox = "apt:busybox-static#bin/busybox";
    private const string CloudKernel = "apt:linux-image-cloud-amd64#boot/vmlinuz-*";
    private const int SetupHeader = 0x202;

    [SkippableFact]
    public void A_metapackage_leads_to_its_kernel()
    {
        AptFixture.Require();
        var file = fixture.Resolver.Resolve(CloudKernel, fixture.BaseFolder);
        var kernel = File.ReadAllBytes(file.Path);
        Assert.Equal("HdrS", Encoding.ASCII.GetString(kernel, SetupHeader, 4)); // Linux boot protocol
        Assert.Matches("^apt:linux-image-[0-9.]+.*cloud-amd64 .* amd64 boot/vmlinuz-", file.Origin);
        Assert.Equal(file.Path, fixture.Resolver.Resolve(CloudKernel, fixture.BaseFolder, file.Sha256).Path);
    }

    [SkippableFact]
    public void Another_architecture_needs_nothing_of_the_host()
    {
        AptFixture.Require();
        var before = HostState();
        ResolvedFile file;
        try
        {
            file = fixture.Resolver.Resolve("apt:linux-image-686-pae:i386#boot/vmlinuz-*", fixture.BaseFolder);
        }
        catch (ImageException e) when (e.Message.Contains("have no package", StringComparison.Ordinal))
        {
            throw new SkipException("The host's apt sources serve no i386 kernel (Debian 13 and later have none).");
        }

        Assert.Equal("HdrS", Encoding.ASCII.GetString(File.ReadAllBytes(file.Path), SetupHeader, 4));
        Assert.Equal(before, HostState());

        static string HostState() => string.Join('\n', new[] { "/var/lib/apt/lists", "/var/cache/apt", "/var/lib/dpkg" }
            .Where(Directory.Exists)
            .SelectMany(folder => Directory.EnumerateFileSystemEntries(folder).Order(StringComparer.Ordinal))
            .Select(path => $"{path} {File.GetLastWriteTimeUtc(path):O}"));
    }

    [SkippableFact]
    public void Busybox_and_modules_make_an_initramfs()
    {
        AptFixture.Require();
        var definition = new InitramfsDefinition
        {
            Busybox = Busybox,
            Modules = ["virtio_blk", "virtio_pci"],
            ModulesFrom = "apt:linux-image-cloud-amd64",
            Text = new Dictionary<string, string> { ["/init"] = "#!/bin/sh\n" },
        };
        var file = fixture.Resolver.BuildInitramfs(definition, fixture.BaseFolder);
        var entries = CpioReader.Read(file.Path);
        var order = entries["etc/modules-load"].Text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.All(order, path => Assert.True(entries[path[1..]].Data.AsSpan().StartsWith("\u007FELF"u8)));
        var names = order.Select(path => Path.GetFileNameWithoutExtension(path).Replace('-', '_')).ToList();
        Assert.Contains("virtio_pci", names);
        Assert.True(names.IndexOf("virtio") is >= 0 and var virtio && virtio < names.IndexOf("virtio_pci"));
        Assert.True(names.IndexOf("virtio_ring") < names.IndexOf("virtio_blk"));
        Assert.Equal("busybox", entries["bin/sh"].Text);
        Assert.Equal(file.Sha256, new ImageResolver(fixture.CacheFolder).BuildInitramfs(definition, fixture.BaseFolder).Sha256);
    }

    [SkippableFact]
    public void Applets_read_from_the_binary_are_those_that_it_lists()
    {
        AptFixture.Require();
        Skip.IfNot(OperatingSystem.IsLinux() && System.Runtime.InteropServices.RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.X64, "Only an x86-64 Linux host runs the guest's busybox.");
        var path = fixture.Resolver.Resolve(Busybox, fixture.BaseFolder).Path;
        var copy = Path.Combine(fixture.BaseFolder, "busybox");
        File.Copy(path, copy, overwrite: true);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(copy, UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.UserWrite);
        }

        var listed = HostCommand.Run(HostCommand.Prepare(copy, ["--list"]), CancellationToken.None);
        Assert.Equal(listed.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal), BusyboxApplets.Read(File.ReadAllBytes(path)));
    }

    [SkippableFact]
    public void Our_own_unpacking_agrees_with_dpkg()
    {
        AptFixture.Require();
        Skip.If(HostCommand.Find("dpkg-deb") is null, "dpkg-deb is not installed.");
        fixture.Resolver.Resolve(Busybox, fixture.BaseFolder);
        var deb = Directory.EnumerateFiles(Path.Combine(fixture.CacheFolder, "debs")).Where(path => new FileInfo(path).Length < 4 << 20).MaxBy(path => new FileInfo(path).Length)!;
        Assert.Equal(List(useHostTool: true), List(useHostTool: false));

        List<string> List(bool useHostTool)
        {
            List<string> lines = [];
            DebArchive.ReadFiles(
                deb,
                entry => lines.Add($"{entry.EntryType} {entry.Name} {entry.Length} {entry.LinkName} {(entry.DataStream is { } data ? Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(data)) : string.Empty)}"),
                CancellationToken.None,
                useHostTool);
            return lines;
        }
    }

    [SkippableTheory]
    [InlineData("apt:no-such-package-as-this#x", "have no package no-such-package-as-this for amd64")]
    [InlineData("apt:busybox-static#no/such/file", "No file matches no/such/file in busybox-static")]
    [InlineData("apt:busybox-static#**", "make the glob match one")]
    [InlineData("apt:busybox-static=0.0.0-none#bin/busybox", "have no package busybox-static=0.0.0-none")]
    public void What_cannot_be_had_is_explained(string source, string message)
    {
        AptFixture.Require();
        var error = Assert.Throws<ImageException>(() => fixture.Resolver.Resolve(source, fixture.BaseFolder));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task Several_at_once_share_the_work()
    {
        AptFixture.Require();
        var cache = Path.Combine(fixture.BaseFolder, "shared");
        var paths = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => new ImageResolver(cache).Resolve(Busybox, fixture.BaseFolder).Path)));
        Assert.Single(paths.Distinct());
        Assert.Single(Directory.EnumerateFiles(Path.Combine(cache, "debs")));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(cache, "tmp")));
    }
}
