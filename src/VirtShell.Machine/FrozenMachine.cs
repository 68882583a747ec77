using System;
using VirtShell.Cpu.Memory;
using VirtShell.State;

namespace VirtShell.Machine;

/// <summary>
/// A machine that stands still for good, and that others begin as. Its memory is shared with them until they write to it. Dispose it
/// when no more are to be made; those that there are go on. May be used from any thread.
/// </summary>
[NotState("Itself state.")]
public sealed class FrozenMachine : IDisposable
{
    private readonly MachineConfiguration _configuration;

    internal FrozenMachine(MachineConfiguration configuration, MemoryImage memory, byte[] state)
    {
        _configuration = configuration;
        Memory = memory;
        State = state;
    }

    /// <summary>Its memory.</summary>
    public MemoryImage Memory { get; }

    /// <summary>Host memory that it takes, in bytes, however many machines are made from it.</summary>
    public long Bytes => (long)Memory.Bytes + State.Length;

    /// <summary>The state of everything but memory.</summary>
    internal byte[] State { get; }

    /// <summary>Makes a machine that goes on from here.</summary>
    /// <exception cref="InvalidOperationException">The machine has disks, which two machines must not share.</exception>
    /// <inheritdoc cref="Pc.FromState(MachineConfiguration, FrozenMachine)" path="/exception"/>
    public Pc Branch() => _configuration.Disks.Count == 0 && _configuration.Drives.Count == 0
        ? Pc.FromState(_configuration, this)
        : throw new InvalidOperationException("The frozen machine has disks. Make each branch with a configuration that gives it disks of its own (Pc.FromState).");

    public void Dispose() => Memory.Dispose();
}
