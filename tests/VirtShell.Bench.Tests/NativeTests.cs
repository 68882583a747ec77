using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using VirtShell.Bench.Building;
using VirtShell.Bench.Running;
using Xunit;

namespace VirtShell.Bench.Tests;

/// <summary>The programs themselves, built and run on the host with next to no work.</summary>
public sealed class NativeTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("virtshell-bench-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [SkippableFact]
    public void Every_program_runs_and_computes_the_same_again()
    {
        RequireCompiler();
        BuiltPrograms programs = ProgramBuilder.Build(_folder, CancellationToken.None);
        string list = Path.Combine(_folder, "list");
        File.WriteAllText(list, GuestFiles.ListText(BenchCatalog.All, 1));
        var contestant = new ProcessContestant(Contestant.Native, programs.Main, [list, _folder, programs.Spawned], TimeSpan.FromMinutes(10));
        IReadOnlyList<Sample> first = contestant.Run(1, CancellationToken.None);
        IReadOnlyList<Sample> second = contestant.Run(2, CancellationToken.None);

        Assert.Equal(BenchCatalog.All.Select(p => p.Name), first.Select(s => s.Program));
        Assert.Equal(first.Select(s => s.Checksum), second.Select(s => s.Checksum));
        Assert.All(first, s => Assert.NotEqual(0u, s.Checksum));
    }

    [SkippableFact]
    public void A_program_that_fails_is_an_error_that_says_why()
    {
        RequireCompiler();
        BuiltPrograms programs = ProgramBuilder.Build(_folder, CancellationToken.None);
        string list = Path.Combine(_folder, "list");
        File.WriteAllText(list, "files 1\n");
        var contestant = new ProcessContestant(Contestant.Native, programs.Main, [list, Path.Combine(_folder, "missing"), programs.Spawned], TimeSpan.FromMinutes(10));

        Assert.Contains("No such file or directory", Assert.Throws<BenchException>(() => contestant.Run(1, CancellationToken.None)).Message, StringComparison.Ordinal);
    }

    private static void RequireCompiler()
    {
        Skip.IfNot(OperatingSystem.IsLinux() && System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.X64, "The programs run on x86-64 Linux.");
        Skip.If(HostTool.Find("gcc") is null, "gcc is not installed.");
    }
}
