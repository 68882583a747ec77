using System;
using System.Collections.Generic;
using System.IO.Enumeration;
using System.Linq;

namespace VirtShell.Bench;

/// <summary>The programs of the comparison, in the order in which they run; their sources are in <c>Programs/</c>.</summary>
public static class BenchCatalog
{
    public static IReadOnlyList<BenchProgram> All { get; } =
    [
        new("sieve", BenchGroup.Integer, "sieve of Eratosthenes over a megabyte"),
        new("crc32", BenchGroup.Integer, "CRC-32 by table"),
        new("sha256", BenchGroup.Integer, "SHA-256 of 8 MiB"),
        new("quicksort", BenchGroup.Integer, "quicksort of 100,000 numbers"),
        new("bytecode", BenchGroup.Integer, "a register machine, one switch for each step"),
        new("calls", BenchGroup.Integer, "Fibonacci numbers by recursion"),
        new("virtual-calls", BenchGroup.Integer, "calls through tables of functions"),
        new("pointer-chase", BenchGroup.Integer, "a linked list in random order, 512 KiB"),
        new("copy", BenchGroup.Memory, "memcpy, 7 bytes to 64 KiB"),
        new("set", BenchGroup.Memory, "memset, 7 bytes to 64 KiB"),
        new("scan", BenchGroup.Memory, "strlen, strchr, strstr, memchr"),
        new("nbody", BenchGroup.Floating, "five bodies under gravity, scalar doubles"),
        new("matrix-scalar", BenchGroup.Floating, "matrix product, scalar doubles"),
        new("matrix-packed", BenchGroup.Floating, "matrix product, packed doubles"),
        new("pixels", BenchGroup.Floating, "blending and comparing, packed bytes and words"),
        new("system-calls", BenchGroup.System, "getppid"),
        new("page-faults", BenchGroup.System, "mmap, touch, munmap"),
        new("spawn", BenchGroup.System, "fork, exec and wait, 200 times"),
        new("ping-pong", BenchGroup.System, "two processes and two pipes"),
        new("files", BenchGroup.System, "create, write, read and unlink on tmpfs"),
    ];

    /// <summary>The programs that any of the patterns names (<c>*</c> and <c>?</c> match; a group's name stands for all of it); all where there are no patterns.</summary>
    /// <exception cref="BenchException">A pattern names nothing.</exception>
    public static IReadOnlyList<BenchProgram> Select(IReadOnlyCollection<string> patterns)
    {
        ArgumentNullException.ThrowIfNull(patterns);
        foreach (string pattern in patterns)
        {
            if (!All.Any(program => Matches(program, pattern)))
            {
                throw new BenchException($"there is no benchmark program \"{pattern}\". There are: {string.Join(", ", All.Select(p => p.Name))}.");
            }
        }

        return patterns.Count == 0 ? All : [.. All.Where(program => patterns.Any(pattern => Matches(program, pattern)))];
    }

    private static bool Matches(BenchProgram program, string pattern) =>
        FileSystemName.MatchesSimpleExpression(pattern, program.Name) || string.Equals(pattern, program.Group.ToString(), StringComparison.OrdinalIgnoreCase);
}
