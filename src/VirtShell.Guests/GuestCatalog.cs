using System;
using System.Collections.Generic;

namespace VirtShell.Guests;

/// <summary>One of our own small guests: a Multiboot image and what it is for.</summary>
/// <param name="Name">The name in suites and cmdlets, kebab-case.</param>
/// <param name="Description">One line for lists.</param>
/// <param name="Image">The Multiboot image.</param>
public sealed record BundledGuest(string Name, string Description, ReadOnlyMemory<byte> Image);

/// <summary>The bundled guests by name.</summary>
public static class GuestCatalog
{
    public static IReadOnlyList<BundledGuest> All => throw new NotSupportedException();

    /// <summary>Finds a guest by name, case-insensitively; null where there is none.</summary>
    public static BundledGuest? Find(string name) => throw new NotSupportedException(name);
}
