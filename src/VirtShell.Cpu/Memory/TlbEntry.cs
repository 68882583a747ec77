using System.Runtime.InteropServices;
using VirtShell.Cpu.Execution;

namespace VirtShell.Cpu.Memory;

/// <summary>
/// One entry of the direct-mapped data TLB: <c>linear - tag &lt;= 4096 - size</c> is the whole check of miss,
/// permission and page crossing; the host address is <see cref="Page"/> plus that difference.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = 32)]
public struct TlbEntry
{
    /// <summary>Linear page address, or a tag that no address of this entry's index can match.</summary>
    public ulong TagRead;
    public ulong TagWrite;

    /// <summary>Host address of the page.</summary>
    public ulong Page;

    /// <summary>Guest-physical page address; bit 0 where the page may be written, even where <see cref="TagWrite"/> is unused because it holds code.</summary>
    public ulong Physical;
}

/// <summary>One entry of the execute TLB: linear page and mode to the decoded code of the physical page.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public unsafe struct ExecTlbEntry
{
    /// <summary>Linear page address with the mode bits of <see cref="CpuState.ExecKey"/>; all ones when unused.</summary>
    public ulong Tag;
    public CodePage* Page;
}
