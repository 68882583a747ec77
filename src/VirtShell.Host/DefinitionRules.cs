using System;
using System.Linq;

namespace VirtShell.Host;

/// <summary>What a definition has to obey, told in words that say what to change.</summary>
internal static class DefinitionRules
{
    public const int LongestName = 100;

    /// <exception cref="VmException">With <see cref="VmErrorKind.InvalidDefinition"/>.</exception>
    public static void Check(VmDefinition definition)
    {
        ArgumentNullException.ThrowIfNull(definition);
        string? problem = MissingProblem(definition) ?? NameProblem(definition.Name) ?? BootProblem(definition) ?? ValueProblem(definition) ?? DrivePlaces.Problem(definition.Disks, definition.Cds, definition.Floppies.Count)
            ?? VmParts.Problem(definition.Parts, definition.Disks, definition.Cds.Count, definition.Floppies.Count);
        if (problem is not null)
        {
            throw new VmException(VmErrorKind.InvalidDefinition, problem);
        }
    }

    /// <summary>Nulls where there are none by the types: JSON and careless callers bring them all the same.</summary>
    private static string? MissingProblem(VmDefinition definition)
    {
        string? part = VmSettings.All.Select(s => s.FindNull(definition)).FirstOrDefault(found => found is not null) ?? (definition.BaseFolder is null ? "baseFolder" : null);
        return part is null ? null : $"'{part}' is null or holds a null where a value is needed. Give it a value, or leave it out.";
    }

    /// <summary>What each setting has to obey by itself.</summary>
    private static string? ValueProblem(VmDefinition definition) =>
        VmSettings.All.Select(s => s.Problem(definition)).FirstOrDefault(found => found is not null) is { } problem
            ? $"{char.ToUpperInvariant(problem[0])}{problem[1..]}."
            : null;

    private static string? NameProblem(string name)
    {
        if (string.IsNullOrWhiteSpace(name))
        {
            return "A VM needs a name.";
        }

        if (name.Length > LongestName)
        {
            return $"A VM's name has at most {LongestName} characters; this one has {name.Length}.";
        }

        if (char.IsWhiteSpace(name[0]) || char.IsWhiteSpace(name[^1]))
        {
            return $"The VM name '{name}' begins or ends with a space; leave that out.";
        }

        foreach (char c in name)
        {
            if (char.IsControl(c))
            {
                return $"A VM's name holds no control characters (found U+{(int)c:X4}).";
            }

            if (c is '*' or '?' or '[' or ']' or '`')
            {
                return $"The VM name '{name}' holds '{c}', which is a wildcard character; choose a name without * ? [ ] `.";
            }
        }

        return null;
    }

    private static string? BootProblem(VmDefinition definition)
    {
        if (definition.Guest is not null && definition.Kernel is not null)
        {
            return "A VM boots either a bundled guest or a kernel; give one of the two.";
        }

        if (definition.Firmware is { } firmware)
        {
            if (definition.Guest is not null || definition.Kernel is not null || definition.Initrd is not null || definition.Initramfs is not null)
            {
                return "Firmware starts what it finds on disks: a VM with a firmware image has no guest, kernel or initramfs. Give one of the two.";
            }

            if (firmware.StartsWith("https:", StringComparison.OrdinalIgnoreCase))
            {
                return $"The firmware '{firmware}' would come over the network unchecked. Download it and give its path, or name a package (apt:).";
            }
        }

        if (definition.Initrd is not null && definition.Initramfs is not null)
        {
            return "A VM has either an initramfs file or an initramfs to build; give one of the two.";
        }

        if (definition.Modules.Count > 0 && (definition.Kernel is null || definition.Initrd is not null || definition.Initramfs is not null))
        {
            return "Modules go with a Multiboot kernel, in place of an initramfs: give a kernel and leave the initramfs out, or name it as a module.";
        }

        if (definition.Modules.FirstOrDefault(module => module.Length == 0 || char.IsWhiteSpace(module[0])) is { } nameless)
        {
            return $"The module '{nameless}' names no file. Write a path or an apt: source, and its command line behind a space.";
        }

        if (definition.Guest is not null && (definition.Initrd is not null || definition.Initramfs is not null))
        {
            return "A bundled guest takes no initramfs; leave it out or give a kernel.";
        }

        if (definition.Kernel is { } kernel && kernel.StartsWith("https:", StringComparison.OrdinalIgnoreCase) && definition.KernelSha256 is null)
        {
            return $"The kernel '{kernel}' comes over the network; give its sha256 too.";
        }

        return null;
    }
}
