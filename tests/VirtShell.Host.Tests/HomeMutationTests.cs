using System;
using System.IO;
using System.Text;
using System.Text.Json;
using VirtShell.Host.Inventory;
using VirtShell.Host.Running;
using VirtShell.Images;
using VirtShell.State.Tests.Mutation;
using Xunit;

namespace VirtShell.Host.Tests;

/// <summary>Damaged copies of every file of the home folder, and of kernels: each loads or is refused in the documented way.</summary>
public sealed class HomeMutationTests
{
    private const long MiB = 1 << 20;

    private static readonly string[] s_jsonWords = ["null", "true", "[]", "{}", "[null]", "{\"a\":null}", "\"\"", "\"\\ud800\"", "1e400", "-0", "\"x\":", ",", "NaN", "/*", "\"vm\":null", "\"disks\":[null],"];

    [Fact]
    public void Definitions()
    {
        using TemporaryFolder home = new();
        DefinitionStore store = new(home.Path);
        Guid id = Guid.NewGuid();
        FileStamp stamp = store.Write(new VmDefinition
        {
            Name = "vm",
            Id = id,
            Kernel = "kernel",
            Initramfs = new InitramfsDefinition { Files = new System.Collections.Generic.Dictionary<string, string> { ["/a"] = "b" }, Modules = ["virtio"], ModulesFrom = "m" },
            Disks = [new VmDisk("a.img", DiskAccess.ReadOnly), new VmDisk("b.img")],
        });
        byte[] good = File.ReadAllBytes(store.PathOf(id));
        MutationRun.Check("definitions", [good], s_jsonWords, Load, 16 * MiB);

        void Load(byte[] copy)
        {
            File.WriteAllBytes(store.PathOf(id), copy);
            StoredVm read = store.Read(id, stamp)!;
            DefinitionRules.Check(read.Error is null ? read.Definition : read.Definition with { Name = "damaged" });
            Assert.False(string.IsNullOrEmpty(read.Definition.Name));
        }
    }

    [Fact]
    public void Owners()
    {
        using TemporaryFolder home = new();
        DefinitionStore store = new(home.Path);
        Guid id = Guid.NewGuid();
        using RunLock held = RunLock.Take(store, id, "vm");
        MutationRun.Check("owners", [File.ReadAllBytes(store.OwnerPathOf(id))], s_jsonWords, Load, 16 * MiB);

        void Load(byte[] copy)
        {
            File.WriteAllBytes(store.OwnerPathOf(id), copy);
            Assert.True(RunLock.FindOwner(store, id) is not { ProcessId: <= 0 });
        }
    }

    [Fact]
    public void Crash_reports() =>
        MutationRun.Check("crash reports", [Encoding.UTF8.GetBytes(SampleReport.ToJson())], s_jsonWords, copy => _ = CrashReport.FromJson(Encoding.UTF8.GetString(copy)).ToText(), 16 * MiB, typeof(JsonException));

    [Fact]
    public void Kernel_formats()
    {
        byte[] kernel = new byte[4096];
        kernel[0x1F1] = 1;
        kernel[0x1F4] = 16;
        kernel[0x1FE] = 0x55;
        kernel[0x1FF] = 0xAA;
        "HdrS"u8.CopyTo(kernel.AsSpan(0x202));
        kernel[0x211] = 1;
        MutationRun.Check("kernel formats", [kernel], ["HdrS", "\u007fELF", "070701"], copy => _ = KernelFormat.Recognise(copy, "kernel"), MiB, typeof(VmException));
    }

    /// <summary>A small report with something in each part.</summary>
    internal static CrashReport SampleReport { get; } = new()
    {
        VmName = "vm",
        Kind = VmEndKind.Panic,
        Summary = "It broke.",
        At = DateTimeOffset.UnixEpoch,
        Instructions = 5,
        GuestTime = TimeSpan.FromSeconds(1),
        Mode = "64-bit, CPL 0, paging on",
        Registers = [new("RAX", 1), new("RIP", 0xFFFF_8000)],
        Disassembly = ["=> 0000 nop"],
        StackAddress = 0x1000,
        StackBytes = [1, 2, 3],
        SerialTail = ["last words"],
        FaultAddress = 4,
        PageWalk = ["PML4"],
    };
}
