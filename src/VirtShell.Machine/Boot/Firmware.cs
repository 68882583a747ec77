using VirtShell.Cpu;
using VirtShell.Machine.Boards;

namespace VirtShell.Machine.Boot;

/// <summary>
/// What brings a machine from its power-on state to the start of a system. It has no state of its own: all that it does is
/// in the parts, in memory and in the processor.
/// </summary>
internal abstract class Firmware
{
    /// <summary>Called at power-on and at each reset, with every part and the processor in its power-on state and RAM cleared.</summary>
    /// <exception cref="MachineBootException">There is nothing that can be started.</exception>
    public abstract void Reset(Board board, Vcpu cpu);
}
