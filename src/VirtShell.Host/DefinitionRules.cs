using System;
using System.Globalization;
using VirtShell.Cpu;

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
        string? problem = NameProblem(definition.Name) ?? MemoryProblem(definition.MemoryBytes) ?? BootProblem(definition) ?? OtherProblem(definition);
        if (problem is not null)
        {
            throw new VmException(VmErrorKind.InvalidDefinition, problem);
        }
    }

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

        if (!Enum.IsDefined(definition.Engine))
        {
            return $"The engine is {string.Join(", ", Enum.GetNames<EngineKind>())}; {definition.Engine} is not.";
        }

        if (definition.HangInstructions < 0)
        {
            return "The hang limit is a number of instructions, or 0 for none.";
        }

        return definition.CrashRestartLimit < 0 ? "The limit of restarts after crashes is 0 or more." : null;
    }

    private static string Bytes(ulong bytes) => bytes.ToString("N0", CultureInfo.InvariantCulture) + " bytes";
}
