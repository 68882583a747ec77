using System;
using System.IO;
using VirtShell.Host.Running;
using VirtShell.Images;
using Xunit;

namespace VirtShell.Host.Tests;

/// <summary>Boot images that VMs share.</summary>
public sealed class ImageBytesTests
{
    [Fact]
    public void VMs_of_one_file_share_its_bytes_until_it_changes()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("kernel");
        File.WriteAllText(path, "one");
        byte[] first = ImageBytes.Read(new ResolvedFile(path, null, path));
        Assert.Same(first, ImageBytes.Read(new ResolvedFile(path, null, path)));

        // Same length, so that only the time tells.
        File.WriteAllText(path, "two");
        File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddSeconds(1));
        Assert.Equal("two"u8, ImageBytes.Read(new ResolvedFile(path, null, path)));
        GC.KeepAlive(first);
    }

    [Fact]
    public void Files_of_one_content_share_it_where_the_hash_is_known()
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder.File("a"), "same");
        File.WriteAllText(folder.File("b"), "same");
        string hash = new ResolvedFile(folder.File("a"), null, "a").Sha256;
        byte[] first = ImageBytes.Read(new ResolvedFile(folder.File("a"), hash, "a"));
        Assert.Same(first, ImageBytes.Read(new ResolvedFile(folder.File("b"), hash, "b")));
    }

    [Fact]
    public void A_file_that_has_gone_is_told()
    {
        using TemporaryFolder folder = new();
        VmException error = Assert.Throws<VmException>(() => ImageBytes.Read(new ResolvedFile(folder.File("none"), null, "none")));
        Assert.Equal(VmErrorKind.ImageNotFound, error.Kind);
    }

    /// <summary>Files that do not say how long they are: a pipe's length is 0, and so is what the kernel of the host makes up as it is read.</summary>
    [Fact]
    public void A_file_of_unknown_length_is_read_to_its_end()
    {
        string path = OperatingSystem.IsLinux() ? "/proc/version" : Path.GetTempFileName();
        Assert.Equal(File.ReadAllBytes(path), ImageBytes.Read(new ResolvedFile(path, null, path)));
    }
}
