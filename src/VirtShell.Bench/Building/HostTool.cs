using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;

namespace VirtShell.Bench.Building;

/// <summary>Finds and runs programs of the host.</summary>
internal static class HostTool
{
    /// <summary>The program's path, or null where the host has none.</summary>
    public static string? Find(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? string.Empty)
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, name))
            .FirstOrDefault(File.Exists);

    /// <summary>Runs a program to its end and gives its exit code and all that it wrote.</summary>
    /// <exception cref="BenchException">It cannot be started.</exception>
    public static (int ExitCode, string Output) Run(string program, IEnumerable<string> arguments, CancellationToken cancellation)
    {
        using Process process = Start(program, arguments);
        using CancellationTokenRegistration stop = cancellation.Register(() => Kill(process));
        process.StandardInput.Close();
        System.Threading.Tasks.Task<string> errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        cancellation.ThrowIfCancellationRequested();
        return (process.ExitCode, output + errors.GetAwaiter().GetResult());
    }

    /// <summary>Starts a program with its three streams in our hands.</summary>
    /// <exception cref="BenchException">It cannot be started.</exception>
    public static Process Start(string program, IEnumerable<string> arguments, IEnumerable<KeyValuePair<string, string>>? environment = null)
    {
        var start = new ProcessStartInfo(program)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        foreach ((string name, string value) in environment ?? [])
        {
            start.Environment[name] = value;
        }

        try
        {
            return Process.Start(start) ?? throw new BenchException($"cannot start {program}.");
        }
        catch (Win32Exception e)
        {
            throw new BenchException($"cannot start {program}: {e.Message}", e);
        }
    }

    /// <summary>Ends a process that we started, unless it has ended.</summary>
    public static void Kill(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception)
        {
            // It has ended by itself.
        }
    }
}
