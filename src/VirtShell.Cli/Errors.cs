using System;
using System.IO;
using System.Threading.Tasks;
using VirtShell.Bench;
using VirtShell.Harness;
using VirtShell.Host;
using VirtShell.Images;
using VirtShell.Storage;

namespace VirtShell.Cli;

/// <summary>Something that the user can put right; the message says how.</summary>
internal sealed class UsageException : Exception
{
    public UsageException(string message)
        : base(message)
    {
    }

    public UsageException()
    {
    }

    public UsageException(string message, Exception inner)
        : base(message, inner)
    {
    }
}

/// <summary>Turns errors into one clear line and an exit code; never a stack trace unless VIRTSHELL_DEBUG asks for it.</summary>
internal static class Errors
{
    private const string DebugVariable = "VIRTSHELL_DEBUG";

    public static async Task<int> GuardAsync(Func<Task<int>> action)
    {
        try
        {
            return await action().ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return ExitCodes.Interrupted;
        }
        catch (Exception e)
        {
            await Console.Error.WriteLineAsync(Describe(e)).ConfigureAwait(false);
            if (!string.IsNullOrEmpty(Environment.GetEnvironmentVariable(DebugVariable)))
            {
                await Console.Error.WriteLineAsync(Printable.Log(e.ToString())).ConfigureAwait(false);
            }

            return ExitCodes.CannotRun;
        }
    }

    public static string Describe(Exception e) => e switch
    {
        // Diagnostics begin with the file's name, as compilers write them and editors read them.
        SuiteException { Diagnostics.Count: > 0 } suite => string.Join(Environment.NewLine, suite.Diagnostics),
        SuiteException or UsageException or VmException or ImageException or StorageException or BenchException => $"virtshell: {Printable.Escape(e.Message)}",
        IOException or UnauthorizedAccessException => $"virtshell: {Printable.Escape(e.Message)}",
        AggregateException { InnerException: { } inner } => Describe(inner),
        _ => $"virtshell: internal error: {e.GetType().Name}: {Printable.Escape(e.Message)} This is a defect in VirtShell; please report it with the command line and, from a second try with {DebugVariable}=1, the details.",
    };
}
