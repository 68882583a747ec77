using System;
using VirtShell.Cpu;
using VirtShell.Cpu.Memory;
using VirtShell.State;

namespace VirtShell.Machine;

/// <summary>
/// A PC: one processor, memory, chipset and devices, driven by one thread at a time. Nothing here is thread-safe except
/// <see cref="RequestStop"/>.
/// </summary>
public sealed partial class Machine : IDisposable
{
    public Machine(MachineConfiguration configuration) => throw new NotSupportedException();

    public Vcpu Cpu => throw new NotSupportedException();

    public PhysicalMemory Memory => throw new NotSupportedException();

    /// <summary>Guest time since power-on, in nanoseconds; exact also inside device callbacks.</summary>
    public long GuestTime => throw new NotSupportedException();

    /// <summary>Instructions retired since power-on.</summary>
    public long Instructions => throw new NotSupportedException();

    /// <summary>Called for each byte that the guest sends: port number (1 for COM1, 2 for COM2, 101 for the first virtio console), byte. On the running thread, inside the instruction that sent it.</summary>
    public Action<int, byte>? SerialOutput { get; set; }

    /// <summary>Runs until at most <paramref name="instructionLimit"/> more instructions have retired.</summary>
    public MachineExit Run(long instructionLimit) => throw new NotSupportedException();

    /// <summary>Makes <see cref="Run"/> return soon. Callable from any thread.</summary>
    public void RequestStop() => throw new NotSupportedException();

    /// <summary>Queues bytes for the guest to read from a port (numbers as in <see cref="SerialOutput"/>), delivered at the line's pace as the guest takes them; none are lost.</summary>
    public void SendSerial(int port, ReadOnlySpan<byte> bytes) => throw new NotSupportedException();

    /// <summary>Presses the ACPI power button.</summary>
    public void PressPowerButton() => throw new NotSupportedException();

    /// <summary>Calls back at a guest time (nanoseconds since power-on), at a deterministic instruction; replaces an earlier one. Null action cancels. The alarm is not part of saved state.</summary>
    public void SetAlarm(long guestTime, Action? action) => throw new NotSupportedException();

    /// <summary>Back to power-on: devices reset, RAM cleared, boot image loaded again. Instruction count and guest time go on.</summary>
    public void Reset() => throw new NotSupportedException();

    public void Save(StateWriter writer) => throw new NotSupportedException();

    /// <summary>Restores state saved from a machine of the same configuration.</summary>
    public void Load(StateReader reader) => throw new NotSupportedException();

    public void Dispose()
    {
    }
}
