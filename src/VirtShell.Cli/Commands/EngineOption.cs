using System;
using System.CommandLine;
using System.Linq;
using VirtShell.Cpu;
using VirtShell.Harness;

namespace VirtShell.Cli.Commands;

/// <summary>The option <c>--engine</c>, which commands that run guests share.</summary>
internal static class EngineOption
{
    private static string Words => string.Join(", ", Engines.Words.Select(w => w.Word));

    public static Option<string?> Create(string description) => new("--engine") { Description = $"{description}: {Words}.", HelpName = "engine" };

    /// <summary>The engine that was named; null where none was.</summary>
    /// <exception cref="UsageException">There is no such engine.</exception>
    public static EngineKind? Read(string? text)
    {
        if (text is null)
        {
            return null;
        }

        foreach ((string word, EngineKind engine) in Engines.Words)
        {
            if (string.Equals(word, text, StringComparison.OrdinalIgnoreCase))
            {
                return engine;
            }
        }

        throw new UsageException($"--engine knows {Words}, not \"{text}\".");
    }
}
