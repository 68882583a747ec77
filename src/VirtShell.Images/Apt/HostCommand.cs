using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Text;
using System.Threading;

namespace VirtShell.Images.Apt;

/// <param name="ExitCode">The program's exit status.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Errors">Standard error.</param>
internal readonly record struct CommandResult(int ExitCode, string Output, string Errors)
{
    /// <summary>The end of what it complained about, for messages.</summary>
    public string Complaint
    {
        get
        {
            const int lines = 4;
            var all = Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            return all.Length == 0 ? $"exit status {ExitCode}" : string.Join(" / ", all[Math.Max(0, all.Length - lines)..]);
        }
    }
}

/// <summary>Runs the host's own tools, without a shell and in the C locale.</summary>
internal static class HostCommand
{
    /// <summary>The program's path, or null where the host does not have it.</summary>
    public static string? Find(string name)
    {
        if (OperatingSystem.IsWindows())
        {
            return null;
        }

        var folders = (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(':', StringSplitOptions.RemoveEmptyEntries);
        foreach (var folder in (IEnumerable<string>)[.. folders, "/usr/bin", "/bin"])
        {
            var path = Path.Combine(folder, name);
            if (File.Exists(path))
            {
                return path;
            }
        }

        return null;
    }

    public static ProcessStartInfo Prepare(string program, IEnumerable<string> arguments, string? workingFolder = null, IEnumerable<KeyValuePair<string, string>>? environment = null)
    {
        var start = new ProcessStartInfo(program)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = workingFolder ?? string.Empty,
        };
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["LC_ALL"] = "C";
        foreach (var (name, value) in environment ?? [])
        {
            start.Environment[name] = value;
        }

        return start;
    }

    /// <exception cref="ImageException">The program cannot be started.</exception>
    public static CommandResult Run(ProcessStartInfo start, CancellationToken cancellation)
    {
        using var process = Start(start);
        using var registration = cancellation.Register(() => Kill(process));
        var errors = new StringBuilder();
        process.ErrorDataReceived += (_, e) => errors.Append(e.Data).Append('\n');
        process.BeginErrorReadLine();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        cancellation.ThrowIfCancellationRequested();
        return new CommandResult(process.ExitCode, output, errors.ToString());
    }

    public static Process Start(ProcessStartInfo start)
    {
        try
        {
            var process = Process.Start(start) ?? throw new ImageException($"Cannot start {start.FileName}.");
            process.StandardInput.Close();
            return process;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new ImageException($"Cannot start {start.FileName}: {e.Message}", e);
        }
    }

    public static void Kill(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // It has ended by itself.
        }
    }
}
