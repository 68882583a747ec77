namespace VirtShell.Cpu;

/// <summary>What goes on after a call of firmware.</summary>
public enum FirmwareReturn
{
    /// <summary>There is no service at this address: the instruction is what it is everywhere else, #UD.</summary>
    None,

    /// <summary>The instruction has completed.</summary>
    Done,

    /// <summary>The instruction has completed, and execution goes on <see cref="Vcpu.FirmwareSkip"/> bytes behind it.</summary>
    Skip,

    /// <summary>The instruction has retired, and comes again.</summary>
    Again,
}

/// <summary>
/// Firmware that is not instructions. VMCALL in the physical range <see cref="Vcpu.FirmwareStart"/> to
/// <see cref="Vcpu.FirmwareEnd"/> calls it, in every mode and at every privilege level; VMCALL elsewhere is #UD, as on a
/// processor outside of VMX operation (SDM Vol. 3C §30.3).
/// </summary>
public interface IFirmware
{
    /// <summary>Runs the service that belongs to the VMCALL at a physical address. Called like an instruction's handler: what it raises by guest accesses is the instruction's fault, and the instruction comes again.</summary>
    FirmwareReturn Call(uint physical);
}
