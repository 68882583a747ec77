using System.Collections.Generic;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Interrupts;
using VirtShell.Storage;

namespace VirtShell.Machine;

public sealed partial class Pc
{
    // What the board tells, on its way to the processors and to whoever runs the machine.
    private sealed class Signals(Pc machine) : IBoardSignals
    {
        public IReadOnlyList<IProcessorPins> Processors => machine._processors.All;

        public void SetA20(bool isOpen) => machine._processors.SetA20(isOpen);

        public void RequestExit(MachineExit exit) => machine.RequestExit(exit);

        public void Output(Outlet outlet, byte value) => machine.SerialOutput?.Invoke(outlet, value);

        public void StorageFaulted(StorageException error) => machine.StorageFaulted?.Invoke(error);
    }
}
