using System;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Text.RegularExpressions;
using Engine = System.Management.Automation.PowerShell;

namespace VirtShell.Module.Tests.Hosting;

/// <summary>
/// A runspace of the real PowerShell engine with the module imported from its manifest, and a home folder of its own.
/// Only Microsoft.PowerShell.Core's cmdlets exist besides it.
/// </summary>
internal sealed partial class ModuleHost : IDisposable
{
    private readonly bool _ownsHome;

    /// <param name="home">The home folder; null for a new one that goes with this host.</param>
    /// <param name="import">Whether to import the module at once.</param>
    public ModuleHost(string? home = null, bool import = true)
    {
        _ownsHome = home is null;
        Home = home ?? Directory.CreateTempSubdirectory("virtshell-module-").FullName;
        Environment.SetEnvironmentVariable("VIRTSHELL_HOME", Home);
        Host = new TestHost();
        Runspace = RunspaceFactory.CreateRunspace(Host, InitialSessionState.CreateDefault2());
        Runspace.Open();
        if (import)
        {
            Import();
        }
    }

    /// <summary>The repository's root folder, where the manifest is.</summary>
    public static string Root { get; } = FindRoot();

    public static string Manifest => Path.Combine(Root, "VirtShell.psd1");

    public string Home { get; }

    public TestHost Host { get; }

    public TestConsole Console => Host.Console;

    public Runspace Runspace { get; }

    /// <summary>Runs a script to its end. A terminating error is among the errors.</summary>
    public Outcome Run(string script, params object[] arguments)
    {
        using Engine shell = Shell(script, arguments);
        return Collect(shell, () => shell.Invoke());
    }

    /// <summary>Runs a script that must give no error.</summary>
    public Outcome Ok(string script, params object[] arguments)
    {
        Outcome outcome = Run(script, arguments);
        return outcome.Errors.Count == 0
            ? outcome
            : throw new InvalidOperationException($"{script}: {string.Join(Environment.NewLine, outcome.Errors.Select(e => $"{e.FullyQualifiedErrorId}: {e}"))}");
    }

    /// <summary>Runs a script and gives what a console of 80 columns shows, colours left out.</summary>
    public string Show(string script)
    {
        Console.Clear();
        Ok(script + " | Out-Host");
        return AnsiEscape().Replace(Console.Text, string.Empty);
    }

    /// <summary>Runs a script and, once <paramref name="ready"/> holds, stops it as Ctrl+C does.</summary>
    public PSInvocationState RunAndStop(string script, Func<bool> ready)
    {
        using Engine shell = Shell(script, []);
        IAsyncResult running = shell.BeginInvoke();
        while (!ready() && !running.IsCompleted)
        {
            System.Threading.Thread.Sleep(10);
        }

        shell.Stop();
        return shell.InvocationStateInfo.State;
    }

    public Engine Shell(string script, object[] arguments)
    {
        Engine shell = Engine.Create();
        shell.Runspace = Runspace;
        shell.AddScript(script);
        foreach (object argument in arguments)
        {
            shell.AddArgument(argument);
        }

        return shell;
    }

    public void SetLocation(string folder) => Ok("$null = $ExecutionContext.SessionState.Path.SetLocation($args[0])", folder);

    public void Import() => Ok("Import-Module $args[0]", Manifest);

    public void Dispose()
    {
        if (Runspace.RunspaceStateInfo.State == RunspaceState.Opened)
        {
            Run("VirtShell\\Get-VM | Where-Object State -in Running, Paused, Stopping | VirtShell\\Stop-VM -TurnOff");
        }

        Runspace.Dispose();
        if (_ownsHome)
        {
            Directory.Delete(Home, recursive: true);
        }
    }

    [GeneratedRegex("\\x1b\\[[0-9;]*m")]
    private static partial Regex AnsiEscape();

    private static Outcome Collect(Engine shell, Func<System.Collections.ObjectModel.Collection<PSObject>> invoke)
    {
        PSObject[] output = [];
        ErrorRecord[] terminating = [];
        try
        {
            output = [.. invoke()];
        }
        catch (RuntimeException e)
        {
            terminating = [e.ErrorRecord];
        }

        return new Outcome(
            output,
            [.. shell.Streams.Error, .. terminating],
            [.. shell.Streams.Warning.Select(w => w.Message)],
            [.. shell.Streams.Verbose.Select(v => v.Message)]);
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "VirtShell.psd1")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException("VirtShell.psd1 was not found above the tests' folder.");
    }
}
