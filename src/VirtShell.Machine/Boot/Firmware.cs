using VirtShell.Cpu;
using VirtShell.Machine.Bios;
using VirtShell.Machine.Boards;

namespace VirtShell.Machine.Boot;

/// <summary>
/// What brings a machine from its power-on state to the start of a system. It has no state of its own: all that it does is
/// in the parts, in memory and in the processor.
/// </summary>
internal abstract class Firmware
{
    /// <summary>What starts a machine's image; none stands for one that is not known.</summary>
    public static Firmware For(MachineConfiguration configuration) => configuration.Boot switch
    {
        BiosBoot bios => new BiosFirmware(configuration, bios),
        RomBoot rom => new RomFirmware(rom),
        var boot => new DirectBoot(boot),
    };

    /// <summary>Leaves parts as a system finds them, when all are in their power-on state: at power-on, at each reset, and before state is loaded, which may not know all of them.</summary>
    public abstract void PrepareParts(Board board);

    /// <summary>Called at power-on and at each reset, with parts prepared, the processor in its power-on state and RAM cleared.</summary>
    /// <exception cref="MachineBootException">There is nothing that can be started.</exception>
    public abstract void Start(Board board, Vcpu cpu);

    /// <summary>Called once, when the machine is built: for firmware that the processor calls while systems run.</summary>
    public virtual void Connect(Board board, Vcpu cpu)
    {
    }
}
