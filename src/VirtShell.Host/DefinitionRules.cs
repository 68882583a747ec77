using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using VirtShell.Images;

namespace VirtShell.Host;

/// <summary>What a definition has to obey, told in words that say what to change.</summary>
internal static class DefinitionRules
{
    public const int LongestName = 100;
    public const ulong LeastMemory = 64 << 10;
    public const ulong MostMemory = 1UL << 40;
    private const ulong PageSize = 4096;

    /// <exception cref="VmException">With <see cref="VmErrorKind.InvalidDefinition"/>.</exception>
    public static void Check(VmDefinition definition)
    {
        ArgumentNullException.ThrowIfNull(definition);
        string? problem = MissingProblem(definition) ?? NameProblem(definition.Name) ?? MemoryProblem(definition.MemoryBytes) ?? BootProblem(definition) ?? OtherProblem(definition);
        if (problem is not null)
        {
            throw new VmException(VmErrorKind.InvalidDefinition, problem);
        }
    }

    /// <summary>Nulls where there are none by the types: JSON and careless callers bring them all the same.</summary>
    private static string? MissingProblem(VmDefinition definition)
    {
        string? part =
            definition.Name is null ? "name"
            : definition.Notes is null ? "notes"
            : definition.CommandLine is null ? "commandLine"
            : definition.BaseFolder is null ? "baseFolder"
            : definition.Disks is null || HoldsNull(definition.Disks) ? "disks"
            : definition.Parts is null || HoldsNull(definition.Parts) ? "parts"
            : definition.Initramfs is { } parts ? MissingPart(parts)
            : null;
        return part is null ? null : $"'{part}' is null or holds a null where a value is needed. Give it a value, or leave it out.";
    }

    private static string? MissingPart(InitramfsDefinition parts) =>
        parts.Files is null || HoldsNull(parts.Files.Values) ? "initramfs.files"
        : parts.Text is null || HoldsNull(parts.Text.Values) ? "initramfs.text"
        : parts.Links is null || HoldsNull(parts.Links.Values) ? "initramfs.links"
        : parts.Nodes is null || HoldsNull(parts.Nodes.Values) ? "initramfs.nodes"
        : parts.Modules is null || HoldsNull(parts.Modules) ? "initramfs.modules"
        : null;

    private static bool HoldsNull<T>(IEnumerable<T> values) => values.Any(value => value is null);

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

    private static string? MemoryProblem(ulong bytes)
    {
        if (bytes is < LeastMemory or > MostMemory)
        {
            return $"Memory is from 64 KiB to 1 TiB; {Bytes(bytes)} is not.";
        }

        return bytes % PageSize == 0 ? null : $"Memory is a multiple of 4 KiB; {Bytes(bytes)} is not.";
    }

    private static string? BootProblem(VmDefinition definition)
    {
        if (definition.Guest is not null && definition.Kernel is not null)
        {
            return "A VM boots either a bundled guest or a kernel; give one of the two.";
        }

        if (definition.Initrd is not null && definition.Initramfs is not null)
        {
            return "A VM has either an initramfs file or an initramfs to build; give one of the two.";
        }

        if (definition.Guest is not null && (definition.Initrd is not null || definition.Initramfs is not null))
        {
            return "A bundled guest takes no initramfs; leave it out or give a kernel.";
        }

        if (definition.Kernel is { Length: 0 } || definition.Guest is { Length: 0 } || definition.Initrd is { Length: 0 })
        {
            return "A kernel, guest or initramfs is either left out or named; it cannot be empty.";
        }

        if (definition.KernelSha256 is { } hash && (hash.Length != 64 || hash.AsSpan().ContainsAnyExcept("0123456789abcdefABCDEF")))
        {
            return "The kernel's sha256 is 64 hexadecimal digits.";
        }

        if (definition.Kernel is { } kernel && kernel.StartsWith("https:", StringComparison.OrdinalIgnoreCase) && definition.KernelSha256 is null)
        {
            return $"The kernel '{kernel}' comes over the network; give its sha256 too.";
        }

        return null;
    }

    private static string? OtherProblem(VmDefinition definition)
    {
        foreach (VmDisk disk in definition.Disks)
        {
            if (string.IsNullOrWhiteSpace(disk.Source))
            {
                return "Every disk names its image.";
            }

            if (disk.OverlayLimit is < VmDisk.LeastOverlayLimit or > VmDisk.MostOverlayLimit)
            {
                return $"The overlay limit of the disk '{disk.Source}' is {disk.OverlayLimit} bytes; 1 MiB to 512 GiB can be.";
            }
        }

        string? unknown = UnknownValue(definition.Engine, "engine")
            ?? UnknownValue(definition.CpuModel, "processor model")
            ?? UnknownValue(definition.Clock, "clock")
            ?? UnknownValue(definition.CrashAction, "crash action")
            ?? UnknownValue(definition.ResetAction, "reset action")
            ?? definition.Disks.Select(disk => UnknownValue(disk.Access, "access of a disk")).FirstOrDefault(problem => problem is not null);
        if (unknown is not null)
        {
            return unknown;
        }

        if (VmParts.Problem(definition.Parts, definition.Disks.Count) is { } parts)
        {
            return parts;
        }

        if (definition.HangInstructions < 0)
        {
            return "The hang limit is a number of instructions, or 0 for none.";
        }

        return definition.CrashRestartLimit < 0 ? "The limit of restarts after crashes is 0 or more." : null;
    }

    private static string? UnknownValue<T>(T value, string what)
        where T : struct, Enum =>
        Enum.IsDefined(value) ? null : $"The {what} is {string.Join(", ", Enum.GetNames<T>())}; {value} is not.";

    private static string Bytes(ulong bytes) => bytes.ToString("N0", CultureInfo.InvariantCulture) + " bytes";
}
