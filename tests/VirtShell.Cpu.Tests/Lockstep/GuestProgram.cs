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

    /// <summary>Linear addresses of the services behind call gates: without parameters, and with two dwords of them.</summary>
    public ulong[] Gates { get; set; } = [];

    /// <summary>Instruction pointer of the routine behind the call gate to the program's own privilege; 0 where there is none.</summary>
    public ulong GateRoutine { get; set; }

    /// <summary>Linear addresses at which the tasks of a 32-bit and of a 16-bit TSS begin.</summary>
    public ulong[] Tasks { get; set; } = [];

    /// <summary>A switch to the first of them is followed by a debug trap (T in its TSS).</summary>
    public bool TrapsTask { get; set; }

    /// <summary>CR3 of the two address spaces; empty without paging.</summary>
    public ulong[] Roots { get; set; } = [];

    /// <summary>It writes CR3 of more than one address space, so a changed mapping may be cached for several PCIDs.</summary>
    public bool SwitchesSpaces { get; set; }

    /// <summary>Bytes of translated code that there is room for; 0 for what there is.</summary>
    public int TranslationBytes { get; set; }

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
