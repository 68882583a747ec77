using System;

namespace VirtShell.Cpu.Memory;

/// <summary>What stands at a guest-physical 4 KiB page. No flag at all means MMIO or nothing.</summary>
[Flags]
public enum PageKinds : byte
{
    None = 0,

    /// <summary>Readable and writable memory.</summary>
    Ram = 1,

    /// <summary>Readable memory whose writes go to the bus.</summary>
    Rom = 2,

    /// <summary>Decoded code was taken from this page: stores must tell the code cache.</summary>
    Code = 4,
}
