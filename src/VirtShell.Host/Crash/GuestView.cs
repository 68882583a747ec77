using System;
using System.Collections.Generic;
using VirtShell.Cpu.Memory;

namespace VirtShell.Host.Crash;

/// <summary>Turns a linear address into a physical one without side effects.</summary>
internal delegate bool TranslateLinear(ulong linear, out ulong physical);

/// <summary>A stopped guest as the crash report's parts see it.</summary>
internal sealed class GuestView
{
    private const ulong PageMask = PhysicalMemory.PageSize - 1;

    public required IReadOnlyList<KeyValuePair<string, ulong>> Registers { get; init; }

    public required string Mode { get; init; }

    /// <summary>16, 32 or 64.</summary>
    public required int CodeSize { get; init; }

    /// <summary>Linear address of the current instruction.</summary>
    public required ulong InstructionPointer { get; init; }

    /// <summary>Linear address of the top of the stack.</summary>
    public required ulong StackPointer { get; init; }

    public required PhysicalMemory Memory { get; init; }

    public required TranslateLinear Translate { get; init; }

    /// <summary>The value of a register by name, without case; null where there is none of that name.</summary>
    public ulong? Register(string name)
    {
        foreach (KeyValuePair<string, ulong> one in Registers)
        {
            if (one.Key.Equals(name, StringComparison.OrdinalIgnoreCase))
            {
                return one.Value;
            }
        }

        return null;
    }

    /// <summary>Reads guest memory by linear address. Gives the number of bytes up to the first that is not mapped to memory.</summary>
    public int Read(ulong linear, Span<byte> destination)
    {
        int done = 0;
        while (done < destination.Length)
        {
            ulong at = unchecked(linear + (ulong)done);
            if (CodeSize != 64)
            {
                at = (uint)at;
            }

            int part = (int)Math.Min((ulong)(destination.Length - done), PhysicalMemory.PageSize - (at & PageMask));
            if (!Translate(at, out ulong physical) || !Memory.Read(physical, destination.Slice(done, part)))
            {
                return done;
            }

            done += part;
        }

        return done;
    }
}
