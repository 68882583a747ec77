using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading.Tasks;
using VirtShell.Host;
using VirtShell.Settings;
using Xunit;

namespace VirtShell.EndToEnd.Tests;

/// <summary>The console program as a process: what it prints, where, and its exit code.</summary>
public sealed class ProgramTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("virtshell-e2e-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_good_suite_exits_0_and_writes_reports()
    {
        string report = Path.Combine(_folder, "report");
        (int code, string output, string error) = await RunAsync(["test", Write("s.yaml", "suite: s\ntests:\n  - name: t\n    vm: hello\n    assert: {end: poweroff}\n"), "--report", report]);

        Assert.True(code == 0, output + error);
        Assert.Contains("1 passed, 0 failed", output, StringComparison.Ordinal);
        Assert.All(new[] { "report.html", "report.json", "junit.xml" }, f => Assert.True(File.Exists(Path.Combine(report, f))));
        Assert.Equal(string.Empty, error);
    }

    [Fact]
    public async Task A_failing_suite_exits_1()
    {
        (int code, string output, _) = await RunAsync(["test", Write("s.yaml", "suite: s\ntests:\n  - name: t\n    vm: triple-fault\n")]);

        Assert.Equal(1, code);
        Assert.Contains("FAIL  s / t", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_broken_suite_exits_2_with_places_on_the_error_stream()
    {
        string path = Write("broken.yaml", "suite: s\ntests:\n  - name: t\n    vm: {gest: hello}\n");
        (int code, string output, string error) = await RunAsync(["test", path]);

        Assert.Equal(2, code);
        Assert.Equal(string.Empty, output);
        Assert.Contains($"{path}:4:10: unknown key \"gest\" in a vm; did you mean \"guest\"?", error, StringComparison.Ordinal);
        AssertClear(error);
    }

    [Fact]
    public async Task A_missing_kernel_exits_2_before_anything_runs()
    {
        string path = Write("s.yaml", "suite: s\ntests:\n  - name: missing\n    vm: {kernel: no/such/bzImage}\n  - name: fine\n    vm: hello\n    assert: {end: poweroff}\n");
        (int code, string output, string error) = await RunAsync(["test", path]);

        Assert.Equal(2, code);
        Assert.Equal(string.Empty, output);
        Assert.Contains($"{path}:4:18: there is no kernel \"no/such/bzImage\"", error, StringComparison.Ordinal);
        AssertClear(error);

        // What is not asked for may be missing.
        Assert.Equal(0, (await RunAsync(["test", path, "--filter", "fine"])).Code);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(700)]
    [InlineData(20_000)]
    public async Task A_truncated_kernel_is_a_clear_error(int length)
    {
        byte[] kernel = new byte[length];

        // The marks of a bzImage (Documentation/arch/x86/boot.rst): boot flag at 1FE, "HdrS" at 202, protocol 2.15, 40 setup sectors.
        if (length > 0x260)
        {
            kernel[0x1F1] = 40;
            kernel[0x1FE] = 0x55;
            kernel[0x1FF] = 0xAA;
            "HdrS"u8.CopyTo(kernel.AsSpan(0x202));
            kernel[0x206] = 0x0F;
            kernel[0x207] = 0x02;
            kernel[0x211] = 1;
        }

        string path = Path.Combine(_folder, "bzImage");
        await File.WriteAllBytesAsync(path, kernel);
        (int code, string output, string error) = await RunAsync(["run", "--kernel", path]);

        Assert.True(code == 2, $"{code}: {output}{error}");
        Assert.Contains("bzImage", error, StringComparison.Ordinal);
        AssertClear(error);
    }

    [Fact]
    public async Task Piped_input_reaches_the_guest()
    {
        (int code, string output, string error) = await RunAsync(["run", "--guest", "echo", "--stats"], "echo piped through\rexit\r");

        Assert.True(code == 0, output + error);
        Assert.Contains("> echo piped through\npiped through\n", output, StringComparison.Ordinal);
        Assert.Contains("instructions", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, ": :error::red\n## [warning]x\n")]
    [InlineData(true, "\x1b[31m::error::red\r\n##[warning]x\n")]
    public async Task What_a_guest_prints_is_plain_text_in_a_log_and_a_reset_ends_the_run(bool raw, string expected)
    {
        string kernel = Path.Combine(_folder, "kernel");
        await File.WriteAllBytesAsync(kernel, PrintAndReset("\x1b[31m::error::red\r\n##[warning]x\n"));
        (int code, string output, string error) = await RunAsync(["run", "--kernel", kernel, .. raw ? ["--raw"] : Array.Empty<string>()]);

        Assert.True(code == 0, output + error);
        Assert.Equal(expected, output);
    }

    [Fact]
    public async Task Run_has_an_option_for_every_setting_that_the_program_has()
    {
        (int code, string output, _) = await RunAsync(["run", "--help"]);

        Assert.Equal(0, code);
        Assert.All(VmSettings.Of(FrontEnd.Console).SelectMany(s => s.Options), option => Assert.Contains(option, output, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_guest_that_hangs_is_ended_by_the_hang_limit()
    {
        (int code, _, string error) = await RunAsync(["run", "--guest", "busy-loop", "--hang-after", "1M"]);

        Assert.Equal(1, code);
        Assert.Contains("the guest crashed", error, StringComparison.Ordinal);
        AssertClear(error);
    }

    [Fact]
    public async Task A_crashed_guest_is_started_again_as_often_as_it_may()
    {
        (int code, _, string once) = await RunAsync(["run", "--guest", "triple-fault", "--clock", "virtual", "--stats"]);
        (int again, _, string thrice) = await RunAsync(["run", "--guest", "triple-fault", "--clock", "virtual", "--stats", "--on-crash", "restart", "--crash-restart-limit", "2"]);

        Assert.Equal((1, 1), (code, again));
        Assert.Equal(3 * Instructions(once), Instructions(thrice));

        static long Instructions(string text) => long.Parse(text.Split(" instructions,")[0].Split('\n')[^1], System.Globalization.CultureInfo.InvariantCulture);
    }

    [Fact]
    public async Task An_initramfs_is_built_from_options()
    {
        string kernel = Path.Combine(_folder, "kernel");
        await File.WriteAllBytesAsync(kernel, PrintAndReset("up\r\n"));
        Directory.CreateDirectory(Path.Combine(_folder, "root"));
        (int code, string output, string error) = await RunAsync(["run", "--kernel", kernel, "--initramfs", Path.Combine(_folder, "root"), "--initramfs", "text=/init=#!/bin/sh", "--initramfs", "gzip=true"]);

        Assert.True(code == 0, output + error);
        Assert.Equal("up\n", output);
        Assert.Contains("Building the initramfs", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_report_s_folder_that_cannot_be_written_is_told_before_the_run()
    {
        string file = Write("file", string.Empty);
        (int code, string output, string error) = await RunAsync(["test", Write("s.yaml", "suite: s\ntests:\n  - name: t\n    vm: hello\n"), "--report", Path.Combine(file, "below")]);

        Assert.Equal((2, string.Empty), (code, output));
        Assert.Contains("Cannot write", error, StringComparison.Ordinal);
        AssertClear(error);
    }

    [Fact]
    public async Task Names_cannot_forge_lines_of_a_log()
    {
        string path = Write("s.yaml", "suite: s\ntests:\n  - name: \"t\\nPASS  s / forged\\e[2J\"\n    vm: triple-fault\n");
        (int code, string output, _) = await RunAsync(["test", path]);

        Assert.Equal(1, code);
        Assert.DoesNotContain(output.Split('\n'), l => l.StartsWith("PASS", StringComparison.Ordinal));
        Assert.DoesNotContain('\x1b', output);
    }

    [Theory]
    [InlineData("first second=2 \"third\"")]
    [InlineData("")]
    public async Task A_Multiboot_kernel_reads_the_name_of_its_file_before_its_command_line(string append)
    {
        string kernel = Path.Combine(_folder, "kernel.elf");
        await File.WriteAllBytesAsync(kernel, PrintCommandLine());
        (int code, string output, string error) = await RunAsync(["run", "--kernel", kernel, "--append", append]);

        Assert.True(code == 0, output + error);
        Assert.Equal($"kernel.elf {append}".TrimEnd(), output.TrimEnd());
    }

    // The translator needs AVX2 of its host; .NET can be told to find none.
    [SkippableTheory]
    [InlineData("auto")]
    [InlineData("translator")]
    public async Task A_host_that_cannot_run_emitted_code_runs_the_interpreter_and_says_so(string engine)
    {
        Skip.IfNot(System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.X64, "Features of x86-64 hosts are turned off.");
        using Process process = ConsoleProgram.Start(["run", "--guest", "hello", "--stats", "--engine", engine], ("DOTNET_EnableAVX2", "0"));
        (int code, string output, string error) = await ConsoleProgram.FinishAsync(process);

        Assert.True(code == 0, output + error);
        Assert.Contains("Hello from VirtShell", output, StringComparison.Ordinal);
        Assert.Contains($"Engine: interpreter ({engine} was asked for)", error, StringComparison.Ordinal);
    }

    // A Multiboot image that sends a text on COM1 and resets.
    private static byte[] PrintAndReset(string text)
    {
        List<byte> code = [0x66, 0xBA, 0xF8, 0x03]; // mov dx, 3F8h
        foreach (char c in text)
        {
            code.AddRange([0xB0, (byte)c, 0xEE]); // mov al, c; out dx, al
        }

        return MultibootImage([.. code]);
    }

    // A Multiboot image that sends its command line (0.6.96, 3.3: its address is at 16 of the information) and resets.
    private static byte[] PrintCommandLine() => MultibootImage(
    [
        0x8B, 0x73, 0x10, // mov esi, [ebx+16]
        0x66, 0xBA, 0xF8, 0x03, // mov dx, 3F8h
        0xAC, // lodsb
        0x84, 0xC0, // test al, al
        0x74, 0x03, // jz over the next two
        0xEE, // out dx, al
        0xEB, 0xF8, // jmp to lodsb
    ]);

    // A Multiboot image (0.6.96, 3.1: a header with addresses) that runs some code and then resets through port CF9h.
    private static byte[] MultibootImage(byte[] code)
    {
        const uint Magic = 0x1BADB002;
        const uint HasAddresses = 0x10000;
        const uint Base = 0x100000;
        using var image = new MemoryStream();
        using var writer = new BinaryWriter(image);
        foreach (uint value in new uint[] { Magic, HasAddresses, unchecked(0u - Magic - HasAddresses), Base, Base, 0, 0, Base + 0x20 })
        {
            writer.Write(value);
        }

        writer.Write(code);
        writer.Write([0x66, 0xBA, 0xF9, 0x0C, 0xB0, 0x06, 0xEE, 0xF4, 0xEB, 0xFD]); // mov dx, CF9h; mov al, 6; out dx, al; hlt; jmp
        writer.Flush();
        return image.ToArray();
    }

    [Theory]
    [InlineData("auto")]
    [InlineData("translator")]
    [InlineData("Interpreter")]
    public async Task Statistics_tell_which_engine_ran_and_what_it_did(string engine)
    {
        (int code, string output, string error) = await RunAsync(["run", "--guest", "hello", "--stats", "--engine", engine]);

        Assert.True(code == 0, output + error);
        Assert.Contains("Hello from VirtShell", output, StringComparison.Ordinal);
        Assert.DoesNotContain("Engine:", output, StringComparison.Ordinal);
        Assert.Contains($"({engine.ToLowerInvariant()} was asked for)", error, StringComparison.Ordinal);
        Assert.Contains("TLB misses", error, StringComparison.Ordinal);
        Assert.Contains("exits", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_engine_can_be_forced_on_a_suite_and_its_counters_held_to_a_baseline()
    {
        string suite = Write("s.yaml", "suite: s\nbaseline: b.json\ntests:\n  - name: t\n    vm: {guest: hello, engine: interpreter}\n    assert: {end: poweroff, metrics: {engine-blocks-decoded: {tolerance: 0%}, engine-tlb-misses: {tolerance: 0%}}}\n");
        string baseline = Path.Combine(_folder, "b.json");

        Assert.Equal(0, (await RunAsync(["test", suite, "--update-baseline"])).Code);
        string taken = await File.ReadAllTextAsync(baseline);
        Assert.Contains("engine-blocks-decoded", taken, StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync(["test", suite])).Code);

        await File.WriteAllTextAsync(baseline, taken.Replace("\"engine-tlb-misses\": ", "\"engine-tlb-misses\": 1", StringComparison.Ordinal));
        (int code, string output, _) = await RunAsync(["test", suite]);
        Assert.Equal(1, code);
        Assert.Contains("engine-tlb-misses within 0 % of the baseline", output, StringComparison.Ordinal);

        // The other engine has other figures: nothing is compared and nothing is written.
        string before = await File.ReadAllTextAsync(baseline);
        Assert.Equal(0, (await RunAsync(["test", suite, "--engine", "translator"])).Code);
        Assert.Equal(0, (await RunAsync(["test", suite, "--engine", "translator", "--update-baseline"])).Code);
        Assert.Equal(before, await File.ReadAllTextAsync(baseline));
    }

    /// <summary>The machine is kept until the user has seen it, at a terminal; elsewhere there is nobody.</summary>
    [SkippableFact]
    public async Task A_crash_with_pause_waits_for_whoever_is_at_the_terminal()
    {
        string[] arguments = ["run", "--guest", "triple-fault", "--on-crash", "pause"];
        (int code, string piped, string error) = await RunAsync(arguments);
        Assert.Equal((1, false), (code, (piped + error).Contains("is kept", StringComparison.Ordinal)));

        Skip.IfNot(File.Exists("/usr/bin/script"), "script (util-linux) is not here, which makes the terminal.");
        string program = Path.Combine(AppContext.BaseDirectory, "virtshell.dll");
        string dotnet = Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet";
        var start = new ProcessStartInfo("/usr/bin/script", ["-qefc", $"'{dotnet}' '{program}' {string.Join(' ', arguments)}", "/dev/null"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        using Process process = Process.Start(start)!;
        var seen = new StringBuilder();
        async Task Until(string text)
        {
            char[] one = new char[1];
            while (!seen.ToString().Contains(text, StringComparison.Ordinal))
            {
                Assert.True(await process.StandardOutput.ReadAsync(one) == 1, $"'{text}' did not come: {seen}");
                seen.Append(one[0]);
            }
        }

        async Task Press(char key)
        {
            await process.StandardInput.WriteAsync($"\x1d{key}");
            await process.StandardInput.FlushAsync();
        }

        await Until("its machine is kept");
        Assert.DoesNotContain("ud2", seen.ToString(), StringComparison.Ordinal);
        await Press('i');
        await Until("ud2");
        await Press('q');
        seen.Append(await process.StandardOutput.ReadToEndAsync());
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 1, seen.ToString());
    }

    [Fact]
    public async Task A_crash_is_told_and_exits_1()
    {
        (int code, string output, string error) = await RunAsync(["run", "--guest", "triple-fault"]);

        Assert.Equal(1, code);
        Assert.Contains("About to triple-fault.", output, StringComparison.Ordinal);
        Assert.Contains("crashed", error, StringComparison.Ordinal);
        AssertClear(error);
    }

    [Theory]
    [InlineData("tst")]
    [InlineData("run")]
    [InlineData("run --guest helo")]
    [InlineData("run --guest hello --kernel x")]
    [InlineData("run --guest hello --memory lots")]
    [InlineData("run --guest hello --cpu none")]
    [InlineData("run --guest hello --engine none")]
    [InlineData("run --guest hello --rtc noon")]
    [InlineData("run --guest hello --rtc 2026-02-30")]
    [InlineData("test no/such/suite.yaml --engine none")]
    [InlineData("run --guest hello --disk no/such/disk.img")]
    [InlineData("run --guest hello --memory 1001")]
    [InlineData("run --guest hello --memory 2T")]
    [InlineData("run --guest hello --hang-after long")]
    [InlineData("run --guest hello --on-crash explode")]
    [InlineData("run --guest hello --crash-restart-limit -1")]
    [InlineData("run --guest hello --detect-panics maybe")]
    [InlineData("run --guest hello --rtc yesterday")]
    [InlineData("run --guest hello --disk x.img,overlay-limit=4K")]
    [InlineData("run --kernel x --initramfs fils=x")]
    [InlineData("run --kernel x --initramfs text=/init")]
    [InlineData("lockstep --guest hello --on-reset end")]
    [InlineData("test")]
    [InlineData("test no/such/suite.yaml")]
    [InlineData("test no/such/suite.yaml --reprot x")]
    [InlineData("test no/such/suite.yaml --engine=")]
    [InlineData("test pipelines --shard 5/4")]
    [InlineData("bench --program seive")]
    [InlineData("bench --only kvm")]
    [InlineData("bench --engine jit")]
    [InlineData("bench --repeat 0")]
    [InlineData("bench --json no/such/folder/result.json")]
    [InlineData("bench --bochs --check")]
    [InlineData("bench --clock sundial")]
    [InlineData("bench --scale 0")]
    [InlineData("bench --only virtshell --kernel no/such/kernel")]
    public async Task Wrong_use_is_one_clear_line_and_exits_2(string arguments)
    {
        (int code, string output, string error) = await RunAsync(arguments.Split(' '));

        Assert.True(code == 2, $"{code}: {output}{error}");
        Assert.Single(error.TrimEnd().Split('\n'));
        AssertClear(error);
    }

    [Theory]
    [InlineData("--version", "0.1")]
    [InlineData("guests", "triple-fault")]
    [InlineData("schema", "\"$schema\"")]
    [InlineData("--help", "Runs suites")]
    public async Task Information_is_printed(string arguments, string expected)
    {
        (int code, string output, _) = await RunAsync(arguments.Split(' '));

        Assert.Equal(0, code);
        Assert.Contains(expected, output, StringComparison.Ordinal);
    }

    private static void AssertClear(string text)
    {
        Assert.DoesNotContain("   at ", text, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", text, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(string[] arguments, string? input = null)
    {
        using Process process = ConsoleProgram.Start(arguments);
        return await ConsoleProgram.FinishAsync(process, input);
    }

    private string Write(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
