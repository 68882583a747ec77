using System;

namespace VirtShell.Cpu.Memory;

/// <summary>What stands at a guest-physical 4 KiB page. Neither RAM nor ROM means MMIO or nothing.</summary>
[Flags]
public enum PageKinds : byte
{
    None = 0,

    /// <summary>Readable and writable memory.</summary>
    Ram = 1,

    /// <summary>Readable memory whose writes go to the bus.</summary>
    Rom = 2,

    /// <summary>Code was decoded from this page: stores must tell the subscribers.</summary>
    Code = 4,

    /// <summary>The page was not written since dirty pages were last asked for: the first store must take this away.</summary>
    Clean = 8,

    /// <summary>What makes stores take the slow path.</summary>
    Watched = Code | Clean,
}
