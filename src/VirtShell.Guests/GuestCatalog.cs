using System;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace VirtShell.Guests;

/// <summary>One of our own small guests: a Multiboot image and what it is for.</summary>
/// <param name="Name">The name in suites and cmdlets, kebab-case.</param>
/// <param name="Description">One line for lists.</param>
/// <param name="Image">The Multiboot image.</param>
public sealed record BundledGuest(string Name, string Description, ReadOnlyMemory<byte> Image);

/// <summary>
/// The bundled guests by name. They are assembled while VirtShell is built (VirtShell.Guests.Assembler), embedded as
/// one resource, and read at first use.
/// </summary>
public static class GuestCatalog
{
    private const string Resource = "guests.bundle";

    private static readonly Lazy<IReadOnlyList<BundledGuest>> s_guests = new(ReadBundle);

    public static IReadOnlyList<BundledGuest> All => s_guests.Value;

    /// <summary>Finds a guest by name, case-insensitively; null where there is none.</summary>
    public static BundledGuest? Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        foreach (var guest in All)
        {
            if (string.Equals(guest.Name, name, StringComparison.OrdinalIgnoreCase))
            {
                return guest;
            }
        }

        return null;
    }

    private static IReadOnlyList<BundledGuest> ReadBundle()
    {
        using var stream = typeof(GuestCatalog).Assembly.GetManifestResourceStream(Resource)
            ?? throw new InvalidOperationException($"This build of VirtShell.Guests lacks its resource {Resource}: build the project again.");
        using var reader = new BinaryReader(stream, Encoding.UTF8);
        var guests = new BundledGuest[reader.ReadInt32()];
        for (var i = 0; i < guests.Length; i++)
        {
            var name = reader.ReadString();
            var description = reader.ReadString();
            guests[i] = new BundledGuest(name, description, reader.ReadBytes(reader.ReadInt32()));
        }

        return Array.AsReadOnly(guests);
    }
}
