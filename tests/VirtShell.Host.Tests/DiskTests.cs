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
        });
    }
}
