using System.Collections.Generic;

namespace VirtShell.Cpu;

/// <summary>The registers at one moment, for crash reports and debuggers.</summary>
/// <param name="Mode">Mode in words, such as "64-bit, CPL 0, paging on".</param>
/// <param name="CodeSize">16, 32 or 64: how the bytes at RIP decode.</param>
/// <param name="LinearRip">Linear address of the next instruction.</param>
/// <param name="LinearSp">Linear address of the top of the stack.</param>
/// <param name="Cr2">Linear address of the last page fault.</param>
/// <param name="Registers">Names and values in the order of a register dump.</param>
public sealed record VcpuSnapshot(
    string Mode,
    int CodeSize,
    ulong LinearRip,
    ulong LinearSp,
    ulong Cr2,
    IReadOnlyList<KeyValuePair<string, ulong>> Registers);
