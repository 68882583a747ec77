using System.CommandLine;
using VirtShell.Cpu;
using VirtShell.Host;
using VirtShell.Settings;

namespace VirtShell.Cli.Commands;

/// <summary>The option <c>--engine</c>, which commands that run guests share.</summary>
internal static class EngineOption
{
    private static SettingKind<EngineKind> Kind => VmSettings.Engine.Kind;

    public static Option<string?> Create(string description) => new("--engine") { Description = $"{description}: {Kind.Choices(FrontEnd.Console)}.", HelpName = "engine" };

    /// <summary>The engine that was named; null where none was.</summary>
    /// <exception cref="UsageException">There is no such engine.</exception>
    public static EngineKind? Read(string? text) => text is null ? null : GuestOptions.Read((ScalarKind<EngineKind>)Kind, "--engine", text);
}
