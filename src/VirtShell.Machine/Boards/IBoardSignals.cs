using System.Collections.Generic;
using VirtShell.Machine.Interrupts;
using VirtShell.Storage;

namespace VirtShell.Machine.Boards;

/// <summary>What a board tells those around it: the processors, and whoever runs the machine.</summary>
internal interface IBoardSignals
{
    /// <summary>The processors' inputs, by their numbers; one at least.</summary>
    IReadOnlyList<IProcessorPins> Processors { get; }

    /// <summary>Whether addresses above 1 MiB are told apart (the A20 line).</summary>
    void SetA20(bool isOpen);

    /// <summary>The guest wants the run to end, at this instruction.</summary>
    void RequestExit(MachineExit exit);

    /// <summary>A byte that the guest sent.</summary>
    void Output(Outlet outlet, byte value);

    /// <summary>A disk's image failed under a request of the guest, which sees an I/O error.</summary>
    void StorageFaulted(StorageException error);
}
