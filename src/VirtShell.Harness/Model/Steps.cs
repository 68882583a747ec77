using System.Collections.Generic;
using System.Linq;
using VirtShell.Harness.Yaml;
using VirtShell.Host;
using VirtShell.Machine;
using VirtShell.Machine.Drives;
using VirtShell.Settings;
using VirtShell.State;

namespace VirtShell.Harness.Model;

/// <summary>One step of a test, as the suite says it.</summary>
internal abstract class StepSpec : IPlaced
{
    protected const string SuiteSays = "The suite says it.";

    public Mark Mark { get; set; }

    /// <summary>Shown instead of the step's own description.</summary>
    public string? Title { get; set; }

    /// <summary>Limit in guest time, in nanoseconds; null for the test's default.</summary>
    public long? Timeout { get; set; }

    protected abstract string Describe();

    public string Description => Title ?? Describe();
}

/// <summary>Switches the machine on; implied where it is not written.</summary>
[NotState(SuiteSays)]
internal sealed class BootSpec : StepSpec
{
    protected override string Describe() => "boot";
}

/// <summary>Waits for output.</summary>
[NotState(SuiteSays)]
internal sealed class ExpectSpec : StepSpec
{
    public TextPattern Pattern { get; set; } = TextPattern.FromText(string.Empty);

    public Outlet Port { get; set; } = Outlet.Com1;

    protected override string Describe() => $"expect {Pattern}{SerialPorts.Suffix(Port)}";
}

/// <summary>Types text.</summary>
[NotState(SuiteSays)]
internal sealed class SendSpec : StepSpec
{
    public string Text { get; set; } = string.Empty;

    public bool Enter { get; set; }

    public Outlet Port { get; set; } = Outlet.Com1;

    protected override string Describe() => $"send {Printable.Quote(Text)}{(Enter ? " and Enter" : string.Empty)}{SerialPorts.Suffix(Port)}";
}

/// <summary>Runs a command at a shell prompt.</summary>
[NotState(SuiteSays)]
internal sealed class RunSpec : StepSpec
{
    public string Command { get; set; } = string.Empty;

    /// <summary>What the prompt looks like; null for the test's default.</summary>
    public TextPattern? Prompt { get; set; }

    /// <summary>What the output must hold; null for anything.</summary>
    public TextPattern? Output { get; set; }

    /// <summary>The exit status that counts as success; null for any.</summary>
    public int? Status { get; set; } = 0;

    public bool KeepKernelMessages { get; set; }

    public Outlet Port { get; set; } = Outlet.Com1;

    protected override string Describe() => $"run {Printable.Quote(Command.Trim(), 60)}{SerialPorts.Suffix(Port)}";
}

/// <summary>Lets guest time pass.</summary>
[NotState(SuiteSays)]
internal sealed class WaitSpec : StepSpec
{
    public long Duration { get; set; }

    protected override string Describe() => $"wait {Units.FormatDuration(Duration)}";
}

/// <summary>A drive whose medium a step changes.</summary>
/// <param name="Kind">A CD or a floppy drive.</param>
/// <param name="Index">Which of these, from 0.</param>
internal sealed record DriveName(DriveKind Kind, int Index)
{
    /// <summary>How drives are written in suites: cd, cd2, …, floppy, floppy2.</summary>
    public static ChoiceKind<DriveName> Choices { get; } = new([.. Named(DriveKind.Cd, "cd", 4), .. Named(DriveKind.Floppy, "floppy", 2)]);

    public override string ToString() => $"{(Kind == DriveKind.Cd ? "cd" : "floppy")}{(Index == 0 ? string.Empty : Index + 1)}";

    private static IEnumerable<(string Word, DriveName Value)> Named(DriveKind kind, string word, int count) =>
        Enumerable.Range(0, count).Select(i => (i == 0 ? word : $"{word}{i + 1}", new DriveName(kind, i)));
}

/// <summary>Puts another medium into a drive, or takes it out.</summary>
internal sealed class MediumSpec : StepSpec
{
    public DriveName Drive { get; set; } = new(DriveKind.Cd, 0);

    /// <summary>The image; null empties the drive.</summary>
    public string? Source { get; set; }

    protected override string Describe() => Source is null ? $"eject {Drive}" : $"change-media {Printable.Quote(Source, 60)} in {Drive}";
}

/// <summary>How <see cref="StopSpec"/> stops the machine.</summary>
internal enum StopMethod
{
    /// <summary>Power button, then the plug when the guest has not reacted in time.</summary>
    ButtonThenPlug,
    Button,
    Plug,
}

/// <summary>Stops the machine.</summary>
[NotState(SuiteSays)]
internal sealed class StopSpec : StepSpec
{
    public StopMethod Method { get; set; }

    protected override string Describe() => Method switch
    {
        StopMethod.Button => "stop by the power button",
        StopMethod.Plug => "stop by pulling the plug",
        _ => "stop",
    };
}

/// <summary>The outlets that steps work on, by name.</summary>
internal static class SerialPorts
{
    public static readonly ChoiceKind<Outlet> Kind = new([.. Outlet.All.Where(outlet => outlet.TakesInput).Select(outlet => (outlet.Name, outlet))]);

    public static string Suffix(Outlet outlet) => outlet == Outlet.Com1 ? string.Empty : $" on {outlet.Name}";
}
