using System.Collections.Generic;
using VirtShell.Images;
using VirtShell.Settings;

namespace VirtShell.Host;

/// <summary>The parts of an initramfs to build, one row each.</summary>
public static class InitramfsSettings
{
    private static readonly InitramfsDefinition s_blank = new();

    private static readonly MapOf<string> s_sources = new("a path", SettingKinds.Source);

    public static IReadOnlyList<Setting<InitramfsDefinition>> All { get; } =
    [
        new Setting<InitramfsDefinition, string>(s_blank, SettingKinds.Source, d => d.Folder, (d, v) => d with { Folder = v })
        {
            Name = "folder",
            Property = nameof(InitramfsDefinition.Folder),
            Title = "folder",
            Meaning = "A folder whose content is copied",
        },
        new Setting<InitramfsDefinition, string>(s_blank, SettingKinds.Source, d => d.Busybox, (d, v) => d with { Busybox = v })
        {
            Name = "busybox",
            Property = nameof(InitramfsDefinition.Busybox),
            Title = "busybox",
            Meaning = "A busybox binary (for example apt:busybox-static#bin/busybox), installed with a link for every applet",
        },
        new Setting<InitramfsDefinition, IReadOnlyDictionary<string, string>>(s_blank, s_sources, d => d.Files, (d, v) => d with { Files = v! })
        {
            Name = "files",
            Property = nameof(InitramfsDefinition.Files),
            Title = "file",
            Meaning = "Path in the initramfs: source (path, apt:, https:)",
        },
        new Setting<InitramfsDefinition, IReadOnlyDictionary<string, string>>(s_blank, new MapOf<string>("a path", SettingKinds.Text), d => d.Text, (d, v) => d with { Text = v! })
        {
            Name = "text",
            Property = nameof(InitramfsDefinition.Text),
            Title = "text",
            Meaning = "Path in the initramfs: content. /init, what lies in /bin and /sbin, and what begins with #! is executable",
        },
        new Setting<InitramfsDefinition, IReadOnlyDictionary<string, string>>(s_blank, new MapOf<string>("a path", SettingKinds.NonEmptyText), d => d.Links, (d, v) => d with { Links = v! })
        {
            Name = "links",
            Property = nameof(InitramfsDefinition.Links),
            Title = "link",
            Meaning = "Path in the initramfs: target of the symbolic link",
        },
        new Setting<InitramfsDefinition, IReadOnlyDictionary<string, string>>(s_blank, new MapOf<string>("a path", SettingKinds.NonEmptyText), d => d.Nodes, (d, v) => d with { Nodes = v! })
        {
            Name = "nodes",
            Property = nameof(InitramfsDefinition.Nodes),
            Title = "node",
            Meaning = "Path in the initramfs: device node as \"c MAJOR MINOR\" or \"b MAJOR MINOR\"",
        },
        new Setting<InitramfsDefinition, IReadOnlyList<string>>(s_blank, new ListOf<string>(SettingKinds.NonEmptyText), d => d.Modules, (d, v) => d with { Modules = v! })
        {
            Name = "modules",
            Property = nameof(InitramfsDefinition.Modules),
            Title = "module",
            Meaning = "Kernel modules by name; their dependencies come along, and /etc/modules-load lists all in load order",
        },
        new Setting<InitramfsDefinition, string>(s_blank, SettingKinds.Source, d => d.ModulesFrom, (d, v) => d with { ModulesFrom = v })
        {
            Name = "modules-from",
            Property = nameof(InitramfsDefinition.ModulesFrom),
            Title = "source of modules",
            Meaning = "The package (apt:PACKAGE) or folder that holds the modules. Without it, the package of the kernel",
        },
        new Setting<InitramfsDefinition, bool>(s_blank, SettingKinds.Boolean, d => d.Gzip, (d, v) => d with { Gzip = v })
        {
            Name = "gzip",
            Property = nameof(InitramfsDefinition.Gzip),
            Title = "gzip",
            Meaning = "Whether the archive is compressed; a guest unpacks a plain one in far fewer instructions",
        },
    ];

    internal static RecordOf<InitramfsDefinition> Kind { get; } = new("an initramfs", All);
}
