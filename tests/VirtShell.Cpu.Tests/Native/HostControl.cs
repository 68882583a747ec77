using System.Runtime.InteropServices;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>What the host's code and the signal handler tell each other and the runner, at a fixed place in the shared memory.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 8)]
internal struct HostControl
{
    /// <summary>The thread pointer of the thread that runs the instruction; 0 while none does.</summary>
    public ulong Thread;

    /// <summary>Where execution goes on after a fault.</summary>
    public ulong Recovery;

    /// <summary>The compared instruction.</summary>
    public ulong Start;

    /// <summary>Stores the registers and returns to the runner.</summary>
    public ulong Tail;

    /// <summary>Set by the landing that was reached, or 0.</summary>
    public ulong Landed;

    /// <summary>The exception's vector, or <see cref="NoFault"/>.</summary>
    public ulong Vector;

    /// <summary>RIP at the exception.</summary>
    public ulong FaultRip;

    /// <summary>Far pointer to the compared instruction as 32-bit code: offset, then selector.</summary>
    public ulong NarrowStart;

    public const ulong NoFault = 0xFF;
    public const int ThreadOffset = 0;
    public const int RecoveryOffset = 8;
    public const int StartOffset = 16;
    public const int TailOffset = 24;
    public const int LandedOffset = 32;
    public const int VectorOffset = 40;
    public const int FaultRipOffset = 48;
    public const int NarrowStartOffset = 56;
}
