using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text;
using VirtShell.Host.Inventory;
using VirtShell.Storage;
using Xunit;

namespace VirtShell.Host.Tests;

/// <summary>The files of the home folder: damaged, full, left behind, open to others.</summary>
public sealed class HomeFolderTests
{
    /// <summary>Each is one VM's trouble only: the others are listed, this one is told of and can be removed.</summary>
    [Theory]
    [InlineData("{\"format\":1,\"vm\":null}")]
    [InlineData("{\"format\":1}")]
    [InlineData("{\"format\":1e30,\"vm\":{\"name\":\"broken\"}}")]
    [InlineData("{\"format\":1,\"vm\":{\"name\":null}}")]
    [InlineData("{\"format\":1,\"vm\":{\"name\":\"broken\",\"disks\":null}}")]
    [InlineData("{\"format\":1,\"vm\":{\"name\":\"broken\",\"disks\":[null]}}")]
    [InlineData("{\"format\":1,\"vm\":{\"name\":\"broken\",\"disks\":[{\"source\":null}]}}")]
    [InlineData("{\"format\":1,\"vm\":{\"name\":\"broken\",\"disks\":[{\"source\":\"a\",\"access\":99}]}}")]
    [InlineData("{\"format\":1,\"vm\":{\"name\":\"broken\",\"notes\":null}}")]
    [InlineData("{\"format\":1,\"vm\":{\"name\":\"broken\",\"commandLine\":null}}")]
    [InlineData("{\"format\":1,\"vm\":{\"name\":\"broken\",\"baseFolder\":null}}")]
    [InlineData("{\"format\":1,\"vm\":{\"name\":\"broken\",\"cpuModel\":99}}")]
    [InlineData("{\"format\":1,\"vm\":{\"name\":\"broken\",\"clock\":-1}}")]
    [InlineData("{\"format\":1,\"vm\":{\"name\":\"broken\",\"initramfs\":{\"files\":null}}}")]
    [InlineData("{\"format\":1,\"vm\":{\"name\":\"broken\",\"initramfs\":{\"files\":{\"a\":null}}}}")]
    [InlineData("{\"format\":1,\"vm\":{\"name\":\"broken\",\"initramfs\":{\"modules\":[null]}}}")]
    [InlineData("{\"format\":1,\"vm\":{\"name\":\"broken\",\"memoryBytes\":1e400}}")]
    [InlineData("{\"format\":1,\"vm\":{\"name\":\"broken\",\"name\":\"twice\"}}")]
    [InlineData("{\"format\":1,\"vm\":{\"name\":\"\\ud800\"}}")]
    [InlineData("[[[[")]
    [InlineData("\0\0\0\0")]
    public void A_null_or_a_wrong_value_spoils_no_other_VM(string content) => CheckDamaged(Encoding.UTF8.GetBytes(content));

    [Fact]
    public void Text_that_is_not_UTF8_and_deep_nesting_spoil_no_other_VM()
    {
        CheckDamaged([.. "{\"format\":1,\"vm\":{\"name\":\""u8, 0xFF, 0xC0, .. "\"}}"u8]);
        CheckDamaged(Encoding.UTF8.GetBytes("{\"vm\":" + new string('[', 100_000)));
    }

    [SkippableFact]
    public void A_pipe_or_a_device_in_place_of_a_file_hangs_nothing()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "mkfifo is Linux'.");
        using TemporaryFolder home = new();
        using VmHost host = new(home.Path);
        DefinitionStore store = new(home.Path);
        host.Create(new VmDefinition { Name = "good" });
        VirtualMachine bad = host.Create(new VmDefinition { Name = "bad" });
        foreach (string path in (string[])[store.PathOf(bad.Id), store.OwnerPathOf(bad.Id), store.CrashPathOf(bad.Id)])
        {
            File.Delete(path);
            MakePipe(path);
        }

        using VmHost again = new(home.Path);
        VirtualMachine damaged = again.VirtualMachines.Single(vm => vm.DefinitionError is not null);
        Assert.Contains("is a pipe", damaged.DefinitionError);
        Assert.Null(damaged.OwnerProcessId);
        Assert.Null(damaged.CrashReport);
        again.Remove(damaged);
        Assert.Equal("good", Assert.Single(again.VirtualMachines).Name);
    }

    /// <summary>Fields are only ever added: what a file of before lacks has its default, not zero.</summary>
    [Fact]
    public void What_a_definition_lacks_has_its_default()
    {
        using TemporaryFolder home = new();
        DefinitionStore store = new(home.Path);
        Guid id = Guid.NewGuid();
        File.WriteAllText(store.PathOf(id), "{\"vm\":{\"name\":\"vm\",\"createdAt\":\"2026-01-01T00:00:00Z\",\"initramfs\":{}}}");
        VmDefinition expected = new() { Name = "vm", Id = id, CreatedAt = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero) };
        using VmHost host = new(home.Path);
        VirtualMachine vm = Assert.Single(host.VirtualMachines);
        Assert.Null(vm.DefinitionError);
        Assert.Empty(vm.Definition.Initramfs!.Files);
        Assert.Empty(vm.Definition.Modules);
        Assert.Empty(vm.Definition.Disks);
        Assert.Empty(vm.Definition.Cds);
        Assert.Empty(vm.Definition.Floppies);
        Assert.Empty(vm.Definition.Parts);
        Assert.Equal(expected, vm.Definition with { Initramfs = null, Modules = expected.Modules, Disks = expected.Disks, Cds = expected.Cds, Floppies = expected.Floppies, Parts = expected.Parts });
    }

    [Fact]
    public void A_byte_order_mark_is_no_damage()
    {
        using TemporaryFolder home = new();
        using VmHost host = new(home.Path);
        VirtualMachine vm = host.Create(new VmDefinition { Name = "vm" });
        string path = new DefinitionStore(home.Path).PathOf(vm.Id);
        File.WriteAllBytes(path, [0xEF, 0xBB, 0xBF, .. File.ReadAllBytes(path)]);
        Assert.Null(Assert.Single(host.VirtualMachines).DefinitionError);
    }

    [Fact]
    public void A_good_VM_is_found_though_a_damaged_one_shows_its_name()
    {
        using TemporaryFolder home = new();
        using VmHost host = new(home.Path);
        VirtualMachine good = host.Create(new VmDefinition { Name = "one" });
        for (int i = 0; i < 8; i++)
        {
            File.WriteAllText(new DefinitionStore(home.Path).PathOf(Guid.NewGuid()), "{\"vm\":{\"name\":\"one\",\"disks\":null}}");
        }

        Assert.Same(good, host.Find("one"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{\"processId\":0,\"startedAt\":\"2026-01-01T00:00:00Z\"}")]
    [InlineData("{\"processId\":1e99}")]
    [InlineData("[[[[[[")]
    public void A_damaged_owner_is_no_owner(string content)
    {
        using TemporaryFolder home = new();
        DefinitionStore store = new(home.Path);
        Guid id = Guid.NewGuid();
        using RunLock held = RunLock.Take(store, id, "vm");
        File.WriteAllText(store.OwnerPathOf(id), content);
        Assert.Null(RunLock.FindOwner(store, id));
        Assert.Contains("another process", Assert.Throws<VmException>(() => RunLock.Take(store, id, "vm")).Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{\"registers\":{\"RAX\":null}}")]
    [InlineData("{}")]
    public void A_damaged_crash_report_is_none(string content)
    {
        using TemporaryFolder home = new();
        using VmHost host = new(home.Path);
        VirtualMachine vm = host.Create(new VmDefinition { Name = "vm" });
        File.WriteAllText(new DefinitionStore(home.Path).CrashPathOf(vm.Id), content);
        Assert.Null(vm.CrashReport);
    }

    /// <summary>A lock that leaks when its owner's name cannot be written says for ever that the VM runs.</summary>
    [Fact]
    public void A_run_that_cannot_be_noted_leaves_the_lock_free()
    {
        using TemporaryFolder home = new();
        DefinitionStore store = new(home.Path);
        Guid id = Guid.NewGuid();
        Directory.CreateDirectory(store.OwnerPathOf(id));
        VmException error = Assert.Throws<VmException>(() => RunLock.Take(store, id, "vm"));
        Assert.Equal(VmErrorKind.StorageFailed, error.Kind);
        Assert.Contains(store.OwnerPathOf(id), error.Message);
        Directory.Delete(store.OwnerPathOf(id));
        RunLock.Take(store, id, "vm").Dispose();
    }

    [SkippableFact]
    public void A_full_file_system_is_told_as_such_and_forgotten_when_there_is_room()
    {
        Skip.IfNot(OperatingSystem.IsLinux() && Environment.UserName == "root", "Mounting a small file system needs root on Linux.");
        using TemporaryFolder home = new();
        Skip.IfNot(Tool("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", home.Path) == 0, "This host mounts no tmpfs.");
        try
        {
            using VmHost host = new(home.Path);
            VirtualMachine vm = host.Create(new VmDefinition { Name = "vm" });
            string filler = home.File("filler");
            Assert.ThrowsAny<IOException>(() => File.WriteAllBytes(filler, new byte[1 << 20]));
            VmException error = Assert.Throws<VmException>(() => RunLock.Take(host.Store!, vm.Id, "vm"));
            Assert.Equal(VmErrorKind.StorageFailed, error.Kind);
            Assert.Contains("is full", error.Message);
            Assert.Contains("is full", Assert.Throws<VmException>(() => host.Create(new VmDefinition { Name = "other" })).Message);
            File.Delete(filler);
            RunLock.Take(host.Store!, vm.Id, "vm").Dispose();
            host.Create(new VmDefinition { Name = "other" });
            Assert.Empty(Directory.GetFiles(home.File("vms"), "*.tmp"));
        }
        finally
        {
            Tool("umount", home.Path);
        }
    }

    [Fact]
    public void What_a_killed_process_left_is_deleted_and_nothing_else()
    {
        using TemporaryFolder home = new();
        string folder = home.File("vms");
        Directory.CreateDirectory(folder);
        string stale = Make($"a.json.{Guid.NewGuid():N}.tmp", isOld: true);
        string young = Make($"a.json.{Guid.NewGuid():N}.tmp", isOld: false);
        string foreign = Make("notes.tmp", isOld: true);
        string held = Make($"b.json.{Guid.NewGuid():N}.tmp", isOld: true);
        using FileStream writer = new(held, FileMode.Open, FileAccess.Write, FileShare.None);
        _ = new DefinitionStore(home.Path);
        Assert.False(File.Exists(stale));
        Assert.All([young, foreign, held], path => Assert.True(File.Exists(path)));

        string Make(string name, bool isOld)
        {
            string path = Path.Combine(folder, name);
            File.WriteAllText(path, "x");
            if (isOld)
            {
                File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddDays(-1));
            }

            return path;
        }
    }

    [SkippableFact]
    public void Others_cannot_read_what_is_in_the_home_folder()
    {
        Skip.If(OperatingSystem.IsWindows(), "Windows has no file modes.");
        using TemporaryFolder parent = new();
        string home = parent.File("home");
        using VmHost host = new(home);
        VirtualMachine vm = host.Create(new VmDefinition { Name = "vm" });
        host.Store!.WriteCrashReport(vm.Id, HomeMutationTests.SampleReport);
        Assert.Equal(0, OthersBits(home));
        Assert.Equal(0, OthersBits(Path.Combine(home, "vms")));
        Assert.All(Directory.GetFiles(Path.Combine(home, "vms")), path => Assert.Equal(0, OthersBits(path)));
    }

    [SkippableFact]
    public void A_folder_of_before_is_closed_to_others()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "Who owns a folder is only looked up on Linux.");
        using TemporaryFolder home = new();
        string folder = home.File("vms");
        Directory.CreateDirectory(folder);
        string file = Path.Combine(folder, "old.json");
        File.WriteAllText(file, "{}");
        SetMode(file, (UnixFileMode)0b110_100_100);
        SetMode(folder, (UnixFileMode)0b111_101_101);
        _ = new DefinitionStore(home.Path);
        Assert.Equal(0, OthersBits(folder));
        Assert.Equal(0, OthersBits(file));
    }

    // Octal 755 is 493, 775 is 509, 777 is 511, 1777 is 1023; 700 is 448.
    [SkippableTheory]
    [InlineData(493, false, 448)]
    [InlineData(511, false, 448)]
    [InlineData(448, true, 448)]
    [InlineData(493, true, 493)]
    [InlineData(509, true, 493)]
    [InlineData(511, true, 493)]
    [InlineData(1023, true, 1023)]
    public void A_home_folder_that_is_there_is_closed_as_far_as_it_is_ours(int mode, bool holdsMore, int expected)
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "Who owns a folder is only looked up on Linux.");
        using TemporaryFolder home = new();
        Directory.CreateDirectory(home.File("vms"));
        Directory.CreateDirectory(home.File("cache"));
        if (holdsMore)
        {
            File.WriteAllText(home.File("other"), string.Empty);
        }

        SetMode(home.Path, (UnixFileMode)mode);
        _ = new DefinitionStore(home.Path);
        Assert.Equal(expected, ModeOf(home.Path));
        Assert.Equal(448, ModeOf(home.File("vms")));
    }

    [SkippableFact]
    public void A_home_folder_of_another_user_that_others_can_write_is_refused()
    {
        Skip.IfNot(OperatingSystem.IsLinux() && Environment.UserName == "root", "Giving a folder to another user needs root on Linux.");
        using TemporaryFolder home = new();
        Assert.Equal(0, Tool("chown", "65534", home.Path));
        SetMode(home.Path, (UnixFileMode)511);
        VmException error = Assert.Throws<VmException>(() => new DefinitionStore(home.Path));
        Assert.Equal(VmErrorKind.StorageFailed, error.Kind);
        Assert.Contains("belongs to another user", error.Message);
        Assert.Contains("VIRTSHELL_HOME", error.Message);
        SetMode(home.Path, (UnixFileMode)493);
        _ = new DefinitionStore(home.Path);

        // One that somebody has put where everybody may put things.
        SetMode(home.Path, (UnixFileMode)1023);
        Assert.Equal(0, Tool("chown", "65534", home.File("vms")));
        SetMode(home.File("vms"), (UnixFileMode)511);
        Assert.Throws<VmException>(() => new DefinitionStore(home.Path));
    }

    [SkippableFact]
    public void A_home_in_the_temporary_folder_is_this_users_alone_or_refused()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "Who owns a folder is only looked up on Linux.");
        using TemporaryFolder temporary = new();
        string made = VmHost.TemporaryHomeFolder(temporary.Path);
        Assert.Equal(0, OthersBits(made));
        Assert.Equal(made, VmHost.TemporaryHomeFolder(temporary.Path));

        SetMode(made, (UnixFileMode)0b111_101_101);
        Refused("is open to other users");
        Directory.Delete(made);
        Directory.CreateDirectory(temporary.File("elsewhere"));
        File.CreateSymbolicLink(made, temporary.File("elsewhere"));
        Refused("is not a folder");
        File.Delete(made);
        File.CreateSymbolicLink(made, temporary.File("nowhere"));
        Refused("virtshell-");

        void Refused(string why)
        {
            VmException error = Assert.Throws<VmException>(() => VmHost.TemporaryHomeFolder(temporary.Path));
            Assert.Equal(VmErrorKind.StorageFailed, error.Kind);
            Assert.Contains(why, error.Message);
            Assert.Contains("VIRTSHELL_HOME", error.Message);
        }
    }

    [Fact]
    public void A_file_is_not_written_through_a_link_that_stands_in_its_place()
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder.File("victim"), "untouched");
        File.CreateSymbolicLink(folder.File("file"), folder.File("victim"));
        PrivateFile.Replace(folder.File("file"), "new"u8);
        Assert.Equal("untouched", File.ReadAllText(folder.File("victim")));
        Assert.Equal("new", File.ReadAllText(folder.File("file")));
        File.CreateSymbolicLink(folder.File("trap"), folder.File("victim"));
        Assert.Throws<IOException>(() => PrivateFile.CreateNew(folder.File("trap")));
    }

    private static void CheckDamaged(byte[] content)
    {
        using TemporaryFolder home = new();
        using (VmHost host = new(home.Path))
        {
            host.Create(new VmDefinition { Name = "good" });
            File.WriteAllBytes(new DefinitionStore(home.Path).PathOf(host.Create(new VmDefinition { Name = "bad" }).Id), content);
        }

        using VmHost again = new(home.Path);
        Assert.Equal(2, again.VirtualMachines.Count);
        Assert.Null(again.Find("good")!.DefinitionError);
        VirtualMachine damaged = again.VirtualMachines.Single(vm => vm.DefinitionError is not null);
        again.Remove(damaged);
        Assert.Null(Assert.Single(again.VirtualMachines).DefinitionError);
    }

    private static void SetMode(string path, UnixFileMode mode)
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, mode);
        }
    }

    private static int ModeOf(string path) => OperatingSystem.IsWindows() ? 0 : (int)File.GetUnixFileMode(path);

    private static int OthersBits(string path) => OperatingSystem.IsWindows() ? 0 : (int)File.GetUnixFileMode(path) & 0x3F;

    private static void MakePipe(string path) => Assert.Equal(0, Tool("mkfifo", path));

    private static int Tool(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode;
    }
}
