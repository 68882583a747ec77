using System;
using System.IO;
using System.Linq;
using Xunit;

namespace VirtShell.Host.Tests;

/// <summary>IDE disks, CD and floppy drives of VMs: their places, and media that change while the VM runs.</summary>
public sealed class DriveTests : IDisposable
{
    private const long IsoBytes = 64 << 10;
    private readonly TemporaryFolder _folder = new();
    private readonly VmHost _host = new(homeFolder: null);

    public void Dispose()
    {
        _host.Dispose();
        _folder.Dispose();
    }

    /// <summary>Disks and CD drives, each as its place, and the numbers that they get.</summary>
    [Theory]
    [InlineData(new[] { IdePlace.Next, IdePlace.Next }, new[] { IdePlace.Next }, new[] { 0, 1 }, new[] { 2 })]
    [InlineData(new[] { IdePlace.Next, IdePlace.Next, IdePlace.Next }, new[] { IdePlace.Next }, new[] { 0, 1, 2 }, new[] { 3 })]
    [InlineData(new[] { IdePlace.Next }, new[] { IdePlace.PrimaryMaster, IdePlace.Next }, new[] { 1 }, new[] { 0, 2 })]
    [InlineData(new[] { IdePlace.SecondarySlave }, new[] { IdePlace.Next, IdePlace.Next, IdePlace.Next }, new[] { 3 }, new[] { 2, 1, 0 })]
    public void Drives_get_the_places_that_they_name_and_then_the_next_that_are_free(IdePlace[] disks, IdePlace[] cds, int[] diskPlaces, int[] cdPlaces)
    {
        DrivePlaces places = DrivePlaces.Of(Define(disks, cds));
        Assert.Equal(diskPlaces, places.Disks);
        Assert.Equal(cdPlaces, places.Cds);
    }

    public static TheoryData<string, string> Wrongs => new()
    {
        { "five", "four" },
        { "same", "primary-master" },
        { "virtio", "has no places" },
        { "floppies", "at most 2 floppy drives" },
        { "off", "'ide'" },
        { "no dma", "'dma'" },
    };

    [Theory]
    [MemberData(nameof(Wrongs))]
    public void What_does_not_fit_is_refused_in_words(string wrong, string told)
    {
        VmDefinition definition = wrong switch
        {
            "five" => Define([IdePlace.Next, IdePlace.Next, IdePlace.Next, IdePlace.Next], [IdePlace.Next]),
            "same" => Define([IdePlace.PrimaryMaster], [IdePlace.PrimaryMaster]),
            "virtio" => Define([], []) with { Disks = [new VmDisk("d.img", Place: IdePlace.PrimarySlave)] },
            "floppies" => Define([], []) with { Floppies = [new(), new(), new()] },
            "off" => Define([], [IdePlace.Next]) with { Parts = ["ide=off"] },
            _ => Define([], []) with { Floppies = [new()], Parts = ["dma=off"] },
        };
        VmException refused = Assert.Throws<VmException>(() => _host.Create(definition));
        Assert.Equal(VmErrorKind.InvalidDefinition, refused.Kind);
        Assert.Contains(told == "four" ? "4 places" : told, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_medium_changes_while_the_vm_runs()
    {
        string first = Image("first.iso", IsoBytes, 1);
        string second = Image("second.iso", 2 * IsoBytes, 2);
        string floppy = Image("a.img", 1440 << 10, 3);
        VirtualMachine vm = _host.Create(Define([], []) with { Cds = [new(first)], Floppies = [new()], Clock = Machine.ClockMode.Host });
        vm.Start();
        try
        {
            VmDefinition definition = vm.Definition;
            vm.Configure(definition with { Cds = [new(second)], Floppies = [new(floppy, DiskAccess.ReadWrite)] });
            Assert.Equal(second, vm.Definition.Cds[0].Source);

            // The image that was taken out is free for others.
            File.Delete(first);
            vm.Configure(vm.Definition with { Cds = [new()] });
            Assert.Null(vm.Definition.Cds[0].Source);
            VmException missing = Assert.Throws<VmException>(() => vm.Configure(vm.Definition with { Cds = [new(first)] }));
            Assert.Equal(VmErrorKind.StorageFailed, missing.Kind);
            Assert.Null(vm.Definition.Cds[0].Source);
            string large = Image("large.img", 4 << 20, 4);
            Assert.Contains("2.88 MB", Assert.Throws<VmException>(() => vm.Configure(vm.Definition with { Floppies = [new(large)] })).Message, StringComparison.Ordinal);

            // A drive more or less is not a medium.
            Assert.Equal(VmErrorKind.InvalidState, Assert.Throws<VmException>(() => vm.Configure(vm.Definition with { Cds = [] })).Kind);
            Assert.Equal(VmErrorKind.InvalidState, Assert.Throws<VmException>(() => vm.Configure(vm.Definition with { Floppies = [new(), new()] })).Kind);
        }
        finally
        {
            vm.TurnOff();
        }
    }

    [Fact]
    public void A_definition_with_drives_is_the_same_after_it_was_stored()
    {
        VmDefinition definition = Define([IdePlace.SecondaryMaster], [IdePlace.Next]) with { Floppies = [new("a.img", DiskAccess.ReadWrite)] };
        string home = _folder.File("home");
        using (VmHost writer = new(home))
        {
            writer.Create(definition);
        }

        using VmHost reader = new(home);
        VmDefinition read = reader.Find(definition.Name)!.Definition;
        Assert.Equal(definition.Disks, read.Disks);
        Assert.Equal(definition.Cds, read.Cds);
        Assert.Equal(definition.Floppies, read.Floppies);
    }

    private static VmDefinition Define(IdePlace[] disks, IdePlace[] cds) => new()
    {
        Name = "drives",
        Guest = "echo",
        Disks = [.. disks.Select((place, i) => new VmDisk($"disk{i}.img") { Interface = DiskInterface.Ide, Place = place })],
        Cds = [.. cds.Select(place => new VmCdDrive(null, place))],
    };

    private string Image(string name, long length, int seed)
    {
        byte[] content = new byte[length];
        new Random(seed).NextBytes(content);
        string path = _folder.File(name);
        File.WriteAllBytes(path, content);
        return path;
    }
}
