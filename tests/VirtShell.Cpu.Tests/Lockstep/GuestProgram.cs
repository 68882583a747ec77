using System.Collections.Generic;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>A program for both engines: what lies in memory, and what the processor starts from. Made once, run any number of times.</summary>
internal sealed class GuestProgram
{
    public required ModeInfo Mode { get; init; }

    public required int Seed { get; init; }

    /// <summary>What kind of instructions it is made of.</summary>
    public required string Mix { get; init; }

    /// <summary>Memory content beside what <see cref="GuestSetup"/> puts there for the mode.</summary>
    public List<(ulong Address, byte[] Bytes)> Memory { get; } = [];

    /// <summary>Linear addresses of the services behind INT 80h to 87h.</summary>
    public ulong[] Services { get; set; } = [];

    /// <summary>Linear address behind SYSCALL.</summary>
    public ulong SystemCall { get; set; }

    /// <summary>Linear address behind SYSENTER.</summary>
    public ulong SystemEnter { get; set; }

    /// <summary>RFLAGS that it starts with.</summary>
    public uint Flags { get; set; } = 0x202;

    /// <summary>MXCSR that it starts with.</summary>
    public uint Mxcsr { get; set; } = 0x1F80;

    /// <summary>CR4 bits that it starts with beside those of the mode.</summary>
    public ulong Cr4 { get; set; }

    /// <summary>CR0 bits that it starts with beside those of the mode.</summary>
    public ulong Cr0 { get; set; }

    /// <summary>Changes of code that keep its instructions apart: a store by DMA may make any of them at any time.</summary>
    public List<(ulong Address, byte[] Bytes)> Patches { get; } = [];

    /// <summary>Linear addresses at which instructions begin.</summary>
    public List<ulong> Starts { get; } = [];

    /// <summary>General registers, then vector registers, at the start; empty for those that the seed gives.</summary>
    public ulong[] Registers { get; set; } = [];

    /// <summary>Instructions written, by family.</summary>
    public Dictionary<Family, int> Written { get; set; } = [];

    public override string ToString() => $"{Mode.Mode} {Mix} seed {Seed}";
}
