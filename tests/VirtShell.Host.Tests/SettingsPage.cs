using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Settings;

namespace VirtShell.Host.Tests;

/// <summary>The parts of the documentation that come from the tables of settings, by name.</summary>
internal static class SettingsPage
{
    public static string Render(string name) => string.Join('\n', name switch
    {
        "overview" => Overview(),
        "suites" => Table("key", VmSettings.Of(FrontEnd.Suites).Select(s => (Code(s.Name), s.Describe(FrontEnd.Suites)))),
        "disks" => Table("key", VmDiskSettings.All.Select(s => (Code(s.Name), s.Describe(FrontEnd.Suites)))),
        "cds" => Table("key", VmCdSettings.All.Select(s => (Code(s.Name), s.Describe(FrontEnd.Suites)))),
        "floppies" => Table("key", VmFloppySettings.All.Select(s => (Code(s.Name), s.Describe(FrontEnd.Suites)))),
        "initramfs" => Table("key", InitramfsSettings.All.Select(s => (Code(s.Name), s.Describe(FrontEnd.Suites)))),
        "console" => Table("option", VmSettings.Of(FrontEnd.Console).Select(s => (string.Join(", ", s.Options.Select(Code)), s.Describe(FrontEnd.Console)))),
        "cmdlets" => VmSettings.Of(FrontEnd.Cmdlets).Where(s => s != VmSettings.Name).Select(s => $"- `-{s.Parameter}`: {s.Describe(FrontEnd.Cmdlets)}"),
        _ => throw new ArgumentException($"There is no part {name}.", nameof(name)),
    });

    private static IEnumerable<string> Overview()
    {
        yield return "| in suites | console program | New-VM, Set-VM | on disk | default | while on |";
        yield return "|---|---|---|---|---|---|";
        foreach (Setting<VmDefinition> setting in VmSettings.All)
        {
            string suites = Cell(setting, FrontEnd.Suites, setting.Name);
            string console = Cell(setting, FrontEnd.Console, setting.Options[0]);
            string cmdlets = Cell(setting, FrontEnd.Cmdlets, "-" + setting.Parameter);
            yield return $"| {suites} | {console} | {cmdlets} | {Code(setting.JsonName)} | {Defaults(setting)} | {(setting.IsLive ? "yes" : string.Empty)} |";
        }
    }

    private static string Cell(Setting<VmDefinition> setting, FrontEnd frontEnd, string name) =>
        setting.Absent.TryGetValue(frontEnd, out string? reason) ? $"no: {reason}" : Code(name);

    private static string Defaults(Setting<VmDefinition> setting)
    {
        var all = Enum.GetValues<FrontEnd>().Where(setting.Has).Select(f => (FrontEnd: f, Text: setting.DefaultText(f) ?? string.Empty)).ToList();
        string last = all[^1].Text;
        return string.Join("; ", all.Where(d => !string.Equals(d.Text.TrimStart('$'), last.TrimStart('$'), StringComparison.OrdinalIgnoreCase) && d.Text != last.TrimEnd('B'))
            .Select(d => $"{d.FrontEnd.ToString().ToLowerInvariant()}: {d.Text}").Append(last).Where(t => t.Length > 0));
    }

    private static IEnumerable<string> Table(string head, IEnumerable<(string Name, string Meaning)> rows) =>
        rows.Select(r => $"| {r.Name} | {r.Meaning.Replace("|", "\\|", StringComparison.Ordinal)} |").Prepend("|---|---|").Prepend($"| {head} | |");

    private static string Code(string text) => $"`{text}`";
}
