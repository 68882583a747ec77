using System;
using System.Diagnostics;
using System.IO;
using Xunit;

namespace VirtShell.Storage.Tests;

public sealed class RawImageTests : TemporaryFolder
{
    [Theory]
    [InlineData(512)]
    [InlineData(512 * 3)]
    [InlineData(1 << 20)]
    public void Reads_and_writes_any_range(int length)
    {
        string path = MakeImage("disk.img", length);
        byte[] expected = Pattern(0, length);
        using (RawImage image = RawImage.Open(path, readOnly: false))
        {
            Assert.Equal(length, image.Length);
            Assert.Equal(expected, ReadAll(image));
            byte[] change = Pattern(1, 300);
            image.Write(101, change);
            change.CopyTo(expected, 101);
            image.WriteZeroes(7, 60);
            expected.AsSpan(7, 60).Clear();
            image.Flush();
            Assert.Equal(expected, ReadAll(image));
        }

        Assert.Equal(expected, File.ReadAllBytes(path));
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(0, 1025)]
    [InlineData(1024, 1)]
    [InlineData(long.MaxValue, 1)]
    public void Refuses_ranges_outside_the_disk(long offset, int count)
    {
        using RawImage image = RawImage.Open(MakeImage("disk.img", 1024), readOnly: false);
        Assert.Throws<ArgumentOutOfRangeException>(() => image.Read(offset, new byte[count]));
        Assert.Throws<ArgumentOutOfRangeException>(() => image.Write(offset, new byte[count]));
        Assert.Throws<ArgumentOutOfRangeException>(() => image.Discard(offset, count));
        Assert.Throws<ArgumentOutOfRangeException>(() => image.WriteZeroes(offset, count));
    }

    [Theory]
    [InlineData(0, "is empty")]
    [InlineData(511, "not a multiple of 512")]
    [InlineData(1000, "truncate -s 1024")]
    public void Refuses_odd_sizes(int length, string says)
    {
        string path = MakeImage("odd.img", length);
        StorageException e = Assert.Throws<StorageException>(() => RawImage.Open(path, readOnly: true));
        Assert.Contains(says, e.Message);
        Assert.Contains(path, e.Message);
        File.Delete(path);
    }

    [Fact]
    public void Says_what_is_wrong_with_a_path()
    {
        Assert.Contains("does not exist", Assert.Throws<StorageException>(() => RawImage.Open(PathOf("none.img"), readOnly: true)).Message);
        Assert.Contains("does not exist", Assert.Throws<StorageException>(() => RawImage.Open(PathOf("no/folder/none.img"), readOnly: false)).Message);
        Assert.Contains("is a folder", Assert.Throws<StorageException>(() => RawImage.Open(Folder, readOnly: true)).Message);
        if (OperatingSystem.IsLinux())
        {
            Assert.Contains("not a regular file", Assert.Throws<StorageException>(() => RawImage.Open("/dev/zero", readOnly: true)).Message);
        }
    }

    [Fact]
    public void One_writer_or_many_readers()
    {
        string path = MakeImage("disk.img", 4096);
        using (RawImage.Open(path, readOnly: false))
        {
            StorageException writer = Assert.Throws<StorageException>(() => RawImage.Open(path, readOnly: false));
            Assert.Contains("in use by another VM", writer.Message);
            Assert.Contains(path, writer.Message);
            StorageException reader = Assert.Throws<StorageException>(() => RawImage.Open(path, readOnly: true));
            Assert.Contains("open for writing", reader.Message);
        }

        using RawImage first = RawImage.Open(path, readOnly: true);
        using RawImage second = RawImage.Open(path, readOnly: true);
        Assert.Equal(ReadAll(first), ReadAll(second));
        Assert.Contains("in use", Assert.Throws<StorageException>(() => RawImage.Open(path, readOnly: false)).Message);
    }

    [Fact]
    public void Read_only_refuses_writes()
    {
        using RawImage image = RawImage.Open(MakeImage("disk.img", 4096), readOnly: true);
        Assert.True(image.IsReadOnly);
        Assert.Contains("read-only", Assert.Throws<StorageException>(() => image.Write(0, new byte[512])).Message);
        Assert.Contains("read-only", Assert.Throws<StorageException>(() => image.Discard(0, 512)).Message);
        image.Flush();
    }

    [SkippableTheory]
    [InlineData("delete", "vanished")]
    [InlineData("move", "vanished")]
    [InlineData("replace", "replaced")]
    [InlineData("truncate", "cut short from 8192 to 1024")]
    public void Notices_an_image_that_goes_away_underneath(string how, string says)
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "needs a host where an open file can be deleted and identified (Linux)");
        string path = MakeImage("disk.img", 8192);
        using RawImage image = RawImage.Open(path, readOnly: false);
        image.Read(0, new byte[512]);
        switch (how)
        {
            case "delete":
                File.Delete(path);
                break;
            case "move":
                File.Move(path, path + ".moved");
                break;
            case "replace":
                MakeImage("other.img", 8192);
                File.Move(PathOf("other.img"), path, overwrite: true);
                break;
            default:
                // As another program would: past the advisory lock, which truncate(1) does not ask for.
                Assert.Equal(0, Run("truncate", "-s", "1024", path));
                break;
        }

        Action[] accesses = [() => image.Read(0, new byte[512]), () => image.Write(0, new byte[512]), image.Flush, () => image.Discard(0, 512), () => image.WriteZeroes(0, 512)];
        foreach (Action access in accesses)
        {
            StorageException e = Assert.Throws<StorageException>(access);
            Assert.Contains(says, e.Message);
            Assert.Contains(path, e.Message);
        }

        if (how == "move")
        {
            File.Move(path + ".moved", path);
            image.Read(0, new byte[512]);
        }
    }

    [SkippableFact]
    public void A_full_host_disk_says_so()
    {
        string mount = PathOf("full");
        Directory.CreateDirectory(mount);
        Skip.IfNot(OperatingSystem.IsLinux() && Run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", mount) == 0, "needs to mount a small tmpfs (Linux, as root)");
        try
        {
            using RawImage image = RawImage.Create(Path.Combine(mount, "disk.img"), 1 << 20);
            StorageException e = Assert.Throws<StorageException>(() => image.Write(0, Pattern(0, 1 << 20)));
            Assert.Contains("is full", e.Message);
            Assert.Contains(image.FilePath, e.Message);
        }
        finally
        {
            Assert.Equal(0, Run("umount", mount));
        }
    }

    [SkippableFact]
    public void The_hosts_disk_full_error_is_recognised()
    {
        Skip.IfNot(File.Exists("/dev/full"), "needs /dev/full, a device that is always full (Linux)");
        using Microsoft.Win32.SafeHandles.SafeFileHandle handle = File.OpenHandle("/dev/full", FileMode.Open, FileAccess.Write);
        Assert.True(HostError.IsDiskFull(Assert.ThrowsAny<IOException>(() => RandomAccess.Write(handle, new byte[512], 0))));
    }

    [Fact]
    public void Create_rounds_up_and_keeps_what_exists()
    {
        string path = PathOf("new.img");
        using (RawImage image = RawImage.Create(path, 1000))
        {
            Assert.Equal(1024, image.Length);
            Assert.Equal(new byte[1024], ReadAll(image));
        }

        Assert.Equal(1024, new FileInfo(path).Length);
        Assert.Contains("exists already", Assert.Throws<StorageException>(() => RawImage.Create(path, 1000)).Message);
        Assert.Contains("cannot be created", Assert.Throws<StorageException>(() => RawImage.Create(PathOf("no/folder.img"), 1000)).Message);
    }

    private static int Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode;
    }
}
