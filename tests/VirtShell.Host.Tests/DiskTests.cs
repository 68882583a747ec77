using System;
using System.IO;
using System.Linq;
using VirtShell.Host.Running;
using VirtShell.Storage;
using Xunit;

namespace VirtShell.Host.Tests;

/// <summary>Disks as a run holds them.</summary>
public sealed class DiskTests
{
    [Fact]
    public void A_vanished_image_is_told_to_the_run_and_to_the_guest()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("disk.img");
        File.WriteAllBytes(path, new byte[1 << 20]);
        int accesses = 0;
        StorageException? told = null;
        using GuardedDisk disk = new(RawImage.Open(path, readOnly: false), "disk.img") { Accessed = () => accesses++, Failed = e => told = e };
        disk.Write(0, new byte[512]);
        disk.Read(0, new byte[512]);
        Assert.Null(told);
        File.Delete(path);
        StorageException seen = Assert.Throws<StorageException>(() => disk.Read(0, new byte[512]));
        Assert.Same(seen, told);
        Assert.Contains(path, seen.Message);
        Assert.Equal(3, accesses);
        Assert.Equal((512, 512, 2), (disk.BytesRead, disk.BytesWritten, disk.Operations));
    }

    [Fact]
    public void What_the_guest_does_wrong_is_not_the_images_fault()
    {
        StorageException? told = null;
        using GuardedDisk disk = new(new ReadOnlyView(new MemoryDisk(4096), ownsInner: true), "ro") { Failed = e => told = e };
        Assert.Throws<StorageException>(() => disk.Write(0, new byte[512]));
        Assert.Throws<StorageException>(() => disk.WriteZeroes(0, 512));
        Assert.Throws<StorageException>(() => disk.Discard(0, 512));
        Assert.Throws<ArgumentOutOfRangeException>(() => disk.Read(4096, new byte[512]));
        Assert.Null(told);
    }

    /// <summary>No room is told to the guest as an I/O error and kept as a warning; the run goes on.</summary>
    [Fact]
    public void A_full_overlay_is_a_warning_and_no_fault()
    {
        StorageException? told = null;
        using GuardedDisk disk = new(new MemoryOverlay(new MemoryDisk(1L << 30), ownsBase: true, memoryLimit: 1 << 20), "root.img") { Failed = e => told = e };
        disk.Write(0, new byte[1 << 20]);
        Assert.Null(disk.Warning);
        Assert.InRange(disk.StoredBytes, 1 << 20, 2 << 20);
        StorageException full = Assert.Throws<StorageException>(() => disk.Write(1 << 21, new byte[4096]));
        Assert.True(full.IsFull);
        Assert.Null(told);
        string warning = Assert.IsType<string>(disk.Warning);
        Assert.Contains("root.img", warning);
        Assert.Contains("limit of 1 MiB", warning);
        Assert.Throws<StorageException>(() => disk.Write(1 << 22, new byte[4096]));
        Assert.Equal(warning, disk.Warning);
        disk.Discard(0, 1 << 20);
        disk.Write(1 << 21, new byte[4096]);
    }

    [Fact]
    public void A_request_without_memory_fails_alone()
    {
        using GuardedDisk disk = new(new OutOfMemoryDisk(), "root.img") { Failed = _ => Assert.Fail("the image did not fail") };
        Assert.True(Assert.Throws<StorageException>(() => disk.Write(0, new byte[512])).IsFull);
        Assert.Contains("root.img", disk.Warning);
    }

    /// <summary>Changes that memory has no room for go to a file below the cache that no listing shows.</summary>
    [Fact]
    public void Overlays_of_a_host_spill_below_its_cache()
    {
        using TemporaryFolder folder = new();
        using (FileStream image = File.Create(folder.File("disk.img")))
        {
            image.SetLength(1L << 30);
        }

        Images.ImageResolver images = new(folder.File("cache"));
        VmDefinition definition = Vm.Guest("hello") with { Disks = [new VmDisk("disk.img", OverlayLimit: 80 << 20)], BaseFolder = folder.Path };
        using MachineBuild build = MachineBuild.Prepare(definition, images, null, default);
        byte[] piece = new byte[1 << 20];
        for (int i = 0; i < 80; i++)
        {
            build.Disks[0].Write((long)i << 20, piece);
        }

        Assert.Equal(16L << 20, build.Disks[0].SpilledBytes);
        Assert.Throws<StorageException>(() => build.Disks[0].Write(100 << 20, piece));
        Assert.Contains("limit of 80 MiB", build.Disks[0].Warning);
        Assert.Empty(Directory.GetFileSystemEntries(folder.File("cache/overlays")));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData((512L << 30) + 1)]
    public void An_overlay_limit_out_of_range_is_refused(long limit)
    {
        using VmHost host = new(null);
        VmException error = Assert.Throws<VmException>(() => host.Create(Vm.Guest("hello") with { Disks = [new VmDisk("disk.img", OverlayLimit: limit)] }));
        Assert.Equal(VmErrorKind.InvalidDefinition, error.Kind);
        Assert.Contains("disk.img", error.Message);
    }

    [Fact]
    public void Disks_are_locked_while_a_VM_runs_and_free_afterwards()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("disk.img");
        File.WriteAllBytes(path, new byte[1 << 20]);
        using VmHost host = new(null);
        VmDefinition withDisk = Vm.Guest("echo") with { Disks = [new VmDisk("disk.img", DiskAccess.ReadWrite)], BaseFolder = folder.Path };
        VirtualMachine one = host.Started(withDisk with { Name = "one" });
        VirtualMachine two = host.Create(withDisk with { Name = "two" });
        VmException error = Assert.Throws<VmException>(() => two.Start());
        Assert.Equal(VmErrorKind.StorageFailed, error.Kind);
        one.TurnOff();
        two.Start();
        two.TurnOff();
    }

    [Fact]
    public void Under_overlays_any_number_of_VMs_share_an_image()
    {
        using TemporaryFolder folder = new();
        File.WriteAllBytes(folder.File("disk.img"), new byte[1 << 20]);
        using VmHost host = new(null);
        VirtualMachine[] all = [.. Enumerable.Range(0, 3).Select(i => host.Started(Vm.Guest("hello", $"vm{i}") with
        {
            Disks = [new VmDisk("disk.img"), new VmDisk("disk.img", DiskAccess.ReadOnly)],
            BaseFolder = folder.Path,
        }))];
        Assert.All(all, vm =>
        {
            vm.AwaitEnd();
            Assert.Equal(VmEndKind.PowerOff, vm.End);
            Assert.Empty(vm.Warnings);
        });
    }

    /// <summary>A disk on a host that has no memory left.</summary>
    private sealed class OutOfMemoryDisk : IBlockDevice
    {
        public long Length => 4096;

        public bool IsReadOnly => false;

        public void Read(long offset, Span<byte> destination)
        {
        }

        public void Write(long offset, ReadOnlySpan<byte> source) => throw new OutOfMemoryException();

        public void Flush()
        {
        }

        public void Discard(long offset, long length)
        {
        }

        public void Dispose()
        {
        }
    }
}
