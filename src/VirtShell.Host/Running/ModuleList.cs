using System;
using System.Collections.Generic;
using System.IO;

namespace VirtShell.Host.Running;

/// <summary>
/// What an initrd means to a Multiboot image: modules, separated by commas, each a file and perhaps arguments behind a
/// space. Two commas stand for one in a name. A text that names a file as it is stands for that file.
/// </summary>
internal static class ModuleList
{
    public static List<(string Source, string Arguments)> Read(string text, string baseFolder)
    {
        if (File.Exists(Path.Combine(baseFolder, text)))
        {
            return [(text, string.Empty)];
        }

        List<(string, string)> modules = [];
        foreach (string part in text.Replace(",,", "\0", StringComparison.Ordinal).Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            modules.Add(Split(part.Replace('\0', ',')));
        }

        return modules;
    }

    /// <summary>One module: a source, and what follows a space.</summary>
    public static (string Source, string Arguments) Split(string module)
    {
        int space = module.IndexOf(' ', StringComparison.Ordinal);
        return space < 0 ? (module, string.Empty) : (module[..space], module[space..].Trim());
    }
}
