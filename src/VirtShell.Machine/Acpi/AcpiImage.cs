using System.Collections.Generic;

namespace VirtShell.Machine.Acpi;

/// <summary>ACPI tables at an address, the RSDP first.</summary>
/// <param name="Image">All of them; empty for a board without power management.</param>
/// <param name="Pointers">Each address of one table in another, or in the RSDP.</param>
/// <param name="Linked">The tables with such addresses, whose checksums follow when they change.</param>
internal sealed record AcpiImage(byte[] Image, IReadOnlyList<AcpiPointer> Pointers, IReadOnlyList<AcpiTableRange> Linked);

/// <summary>Where an address stands in the image, and its bytes (4 or 8).</summary>
internal readonly record struct AcpiPointer(int Offset, int Size);

/// <summary>A table in the image.</summary>
internal readonly record struct AcpiTableRange(int Offset, int Length);
