using Iced.Intel;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Memory that operands may fall in: an offset range of a segment.</summary>
/// <param name="Segment">Segment to name in the instruction; none for the default.</param>
/// <param name="Start">Offset of the first byte.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Weight">How often it is taken, against the others.</param>
internal readonly record struct Region(Register Segment, ulong Start, int Length, int Weight);
