using System;
using System.Globalization;
using System.IO;
using System.IO.Compression;
using System.Text;
using VirtShell.Cpu;
using VirtShell.Guests.Assembler.Attacks;
using VirtShell.Machine;
using VirtShell.State;
using VirtShell.State.Tests.Mutation;
using VirtShell.Storage;
using Xunit;

namespace VirtShell.Guests.Tests;

/// <summary>
/// States that earlier versions saved, kept as files: each loads and goes on as the version that saved it did, on either
/// engine. Beside each stands how many more instructions that version ran, how it ended, and what it said. A file is never
/// made anew; a new format gets files of its own.
/// </summary>
public sealed class SavedStateFileTests
{
    private const ulong Small = 2 << 20;
    private const long DiskBytes = 8 << 20;

    [Theory]
    [InlineData("vss1-ticker", "ticker", "", EngineKind.Interpreter)]
    [InlineData("vss1-ticker", "ticker", "", EngineKind.Translator)]
    [InlineData("vss1-echo", "echo", "", EngineKind.Interpreter)]
    [InlineData("vss1-echo", "echo", "", EngineKind.Translator)]
    [InlineData("vss1-hello64", "hello64", "", EngineKind.Interpreter)]
    [InlineData("vss1-hello64", "hello64", "", EngineKind.Translator)]
    [InlineData("vss1-disk", "attack", "attack=disk-sectors", EngineKind.Interpreter)]
    [InlineData("vss1-disk", "attack", "attack=disk-sectors", EngineKind.Translator)]
    public void A_kept_state_goes_on_to_the_same_bytes_and_count(string file, string guest, string commandLine, EngineKind engine)
    {
        using var disk = new MemoryDisk(DiskBytes);
        using var runner = guest == "attack"
            ? new GuestRunner(guest, AttackLayout.MemoryEnd, commandLine, engine, new DiskAttachment(disk, "kept"))
            : new GuestRunner(guest, Small, commandLine, engine);
        runner.Load(Unpack(file));
        var expected = File.ReadAllText(PathOf(file + ".txt"));
        var lineEnd = expected.IndexOf('\n', StringComparison.Ordinal);
        var exit = runner.Run(long.Parse(expected.AsSpan(0, lineEnd), CultureInfo.InvariantCulture));
        Assert.Equal(expected[(lineEnd + 1)..], After(runner, exit));
    }

    [Fact]
    public void Damaged_copies_of_a_kept_state_load_or_are_refused()
    {
        using var runner = new GuestRunner("echo", Small);
        MutationRun.Check(
            "states of the first format",
            [Unpack("vss1-echo")],
            ["machine", "processor", "clock", "memory", "kinds", "com1"],
            copy =>
            {
                runner.Load(copy);
                runner.Run(200);
            },
            64 << 20,
            typeof(StateFormatException));
    }

    [Fact]
    public void A_kept_state_makes_a_machine_without_a_boot_image()
    {
        using var state = new GZipStream(File.OpenRead(PathOf("vss1-echo.gz")), CompressionMode.Decompress);
        using var machine = Pc.FromState(new MachineConfiguration { MemoryBytes = Small, Boot = null }, state);
        var serial = new StringBuilder();
        machine.SerialOutput = (outlet, value) => serial.Append(outlet == Outlet.Com1 ? ((char)value).ToString() : string.Empty);
        Assert.Equal(MachineExitKind.PowerOff, machine.Run(5_000_000).Kind);
        Assert.EndsWith(serial.ToString(), File.ReadAllText(PathOf("vss1-echo.txt")), StringComparison.Ordinal);
        Assert.Contains("bye", serial.ToString(), StringComparison.Ordinal);
        Assert.Contains("boot image", Assert.Throws<MachineBootException>(machine.Reset).Message, StringComparison.Ordinal);
    }

    private static string After(GuestRunner runner, MachineExit exit) => string.Create(
        CultureInfo.InvariantCulture,
        $"{exit.Kind}\n{runner.Machine.Instructions} instructions\n{runner.Machine.GuestTime} ns\nmemory {runner.Machine.Memory.Hash():x16}\n{runner.Serial}");

    private static byte[] Unpack(string file)
    {
        using var packed = new GZipStream(File.OpenRead(PathOf(file + ".gz")), CompressionMode.Decompress);
        using var state = new MemoryStream();
        packed.CopyTo(state);
        return state.ToArray();
    }

    private static string PathOf(string file) => Path.Combine(Root(), "tests", "VirtShell.Guests.Tests", "States", file);

    private static string Root()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "VirtShell.sln")))
        {
            folder = Path.GetDirectoryName(folder)!;
        }

        return folder;
    }
}
