using System;
using System.CommandLine;
using System.CommandLine.Invocation;
using System.Threading.Tasks;
using VirtShell.Cli.Commands;
using VirtShell.Host;

namespace VirtShell.Cli;

/// <summary>The program <c>virtshell</c>.</summary>
public static class Program
{
    /// <summary>After Ctrl+C a run is given this long to end its guests in order.</summary>
    private static readonly TimeSpan s_terminationTimeout = TimeSpan.FromSeconds(20);

    /// <summary>Gives the exit code. What it names loads before anything else, so it names little.</summary>
    public static Task<int> Main(string[] args) => HostLimits.AreEnough() ? RunAsync(args) : Task.FromResult(ExitCodes.CannotRun);

    private static async Task<int> RunAsync(string[] args)
    {
        RootCommand root = Create(args is [var first, ..] ? first : null);
        ParseResult parsed = root.Parse(args);
        if (parsed.Errors.Count > 0 && parsed.Action is null or ParseErrorAction)
        {
            await Console.Error.WriteLineAsync($"virtshell: {Printable.Escape(parsed.Errors[^1].Message)} See virtshell{CommandPath(parsed)} --help.").ConfigureAwait(false);
            return ExitCodes.CannotRun;
        }

        var configuration = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = s_terminationTimeout };
        return await Errors.GuardAsync(() => parsed.InvokeAsync(configuration)).ConfigureAwait(false);
    }

    /// <summary>The program's commands; where <paramref name="first"/> names one of them that one alone, because each takes a while to describe.</summary>
    private static RootCommand Create(string? first)
    {
        (string Name, Func<Command> Create)[] commands =
        [
            ("test", TestCommand.Create),
            ("run", RunCommand.Create),
            ("lockstep", LockstepCommand.Create),
            ("bench", BenchCommand.Create),
            ("guests", GuestsCommand.Create),
            ("schema", SchemaCommand.Create),
        ];
        var root = new RootCommand("Runs whole PCs inside a process: suites of tests, single guests.");
        bool isNamed = Array.Exists(commands, c => c.Name == first);
        foreach ((string name, Func<Command> create) in commands)
        {
            if (!isNamed || name == first)
            {
                root.Add(create());
            }
        }

        return root;
    }

    private static string CommandPath(ParseResult parsed) => parsed.CommandResult.Command is RootCommand ? string.Empty : $" {parsed.CommandResult.Command.Name}";
}
