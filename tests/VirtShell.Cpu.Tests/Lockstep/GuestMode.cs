using System;
using System.Linq;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>The surroundings that a random program runs in.</summary>
internal enum GuestMode
{
    LongKernel,
    LongUser,
    Compatibility32,
    Compatibility16,
    Flat32,
    Flat32User,
    Paged32,
    Paged32User,
    Segmented32,
    Segmented32User,
    Protected16,
    Protected16User,
    Real,
    Virtual8086,
    Virtual8086Paged,
}

internal enum PagingKind
{
    None,

    /// <summary>Two levels of 32-bit entries.</summary>
    Legacy,

    /// <summary>Three levels of 64-bit entries.</summary>
    Pae,

    /// <summary>Four levels.</summary>
    Long,
}

/// <summary>What follows from a <see cref="GuestMode"/>.</summary>
/// <param name="Mode">The mode.</param>
/// <param name="Bits">Code size of the program: 16, 32 or 64.</param>
/// <param name="KernelBits">Code size of the exception handlers and services.</param>
/// <param name="Cpl">Privilege of the program.</param>
/// <param name="Paging">Form of the page tables.</param>
/// <param name="Segmented">The program's segments have bases and limits.</param>
internal sealed record ModeInfo(GuestMode Mode, int Bits, int KernelBits, int Cpl, PagingKind Paging, bool Segmented)
{
    private static readonly ModeInfo[] s_all =
    [
        new(GuestMode.LongKernel, 64, 64, 0, PagingKind.Long, false),
        new(GuestMode.LongUser, 64, 64, 3, PagingKind.Long, false),
        new(GuestMode.Compatibility32, 32, 64, 3, PagingKind.Long, false),
        new(GuestMode.Compatibility16, 16, 64, 3, PagingKind.Long, true),
        new(GuestMode.Flat32, 32, 32, 0, PagingKind.None, false),
        new(GuestMode.Flat32User, 32, 32, 3, PagingKind.None, false),
        new(GuestMode.Paged32, 32, 32, 0, PagingKind.Legacy, false),
        new(GuestMode.Paged32User, 32, 32, 3, PagingKind.Pae, false),
        new(GuestMode.Segmented32, 32, 32, 0, PagingKind.None, true),
        new(GuestMode.Segmented32User, 32, 32, 3, PagingKind.Pae, true),
        new(GuestMode.Protected16, 16, 32, 0, PagingKind.None, true),
        new(GuestMode.Protected16User, 16, 32, 3, PagingKind.Legacy, true),
        new(GuestMode.Real, 16, 16, 0, PagingKind.None, true),
        new(GuestMode.Virtual8086, 16, 32, 3, PagingKind.None, true),
        new(GuestMode.Virtual8086Paged, 16, 32, 3, PagingKind.Legacy, true),
    ];

    public static GuestMode[] Modes { get; } = Enum.GetValues<GuestMode>();

    /// <summary>Real or virtual-8086: selectors are paragraphs.</summary>
    public bool IsReal => Mode is GuestMode.Real or GuestMode.Virtual8086 or GuestMode.Virtual8086Paged;

    /// <summary>The kernel can switch tasks.</summary>
    public bool HasTasks => KernelBits == 32;

    /// <summary>The program can load segments from a local table.</summary>
    public bool HasLocalTable => !IsReal;

    /// <summary>A call gate can lead to the program's own code: it must be 64-bit code where gates are.</summary>
    public bool HasGateToItself => !IsReal && (KernelBits == 32 || Bits == 64);

    public bool IsVirtual => Mode is GuestMode.Virtual8086 or GuestMode.Virtual8086Paged;

    public ulong CodeBase => Segmented ? Layout.Code : 0;

    public ulong DataBase => Segmented ? Layout.Data : 0;

    public ulong StackBase => Segmented ? Layout.Stack : 0;

    public static ModeInfo Of(GuestMode mode) => s_all.First(i => i.Mode == mode);
}
