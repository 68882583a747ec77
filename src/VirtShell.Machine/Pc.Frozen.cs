using System;
using VirtShell.Cpu.Memory;
using VirtShell.State;

namespace VirtShell.Machine;

/// <summary>Machines made from one that stands still.</summary>
public sealed partial class Pc
{
    /// <summary>
    /// Takes the machine as it is, for any number of others to go on from (<see cref="FromState(MachineConfiguration, FrozenMachine)"/>).
    /// This one goes on as before; where the host shares memory, its own pages are the frozen ones until it writes to them. Between runs only.
    /// </summary>
    /// <exception cref="OutOfMemoryException">The host has no room; the machine is as it was.</exception>
    public FrozenMachine Freeze()
    {
        _display?.Window.Settle();
        MemoryImage memory = Memory.Freeze();
        try
        {
            return new FrozenMachine(_configuration, memory, new FrozenState(this, memory).Save());
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    /// <summary>A machine that goes on from a frozen one: to the same serial bytes, instruction count and memory. It takes host memory for what it changes; on hosts that share nothing, for all.</summary>
    /// <param name="configuration">What the frozen machine was built from, but with disks of its own.</param>
    /// <param name="frozen">May be disposed afterwards.</param>
    /// <exception cref="ArgumentException">The frozen machine has another amount of RAM.</exception>
    /// <exception cref="StateFormatException">The configuration is of another kind of machine.</exception>
    /// <exception cref="OutOfMemoryException">The host has no room for another machine; those that there are do not notice.</exception>
    public static Pc FromState(MachineConfiguration configuration, FrozenMachine frozen)
    {
        ArgumentNullException.ThrowIfNull(frozen);
        Pc machine = new(configuration, powersOn: false);
        try
        {
            new FrozenState(machine, frozen.Memory).Load(frozen.State);
            return machine;
        }
        catch
        {
            machine.Dispose();
            throw;
        }
    }

    // The state of everything but memory, which an image has.
    private sealed class FrozenState(Pc machine, MemoryImage image) : IStateful
    {
        public void Describe(StateVisitor visitor) => machine.Describe(visitor, new Content(machine.Memory, image));

        private sealed class Content(PhysicalMemory memory, MemoryImage image) : IStateful
        {
            public void Describe(StateVisitor visitor)
            {
                if (visitor.IsLoading)
                {
                    memory.Adopt(image);
                }
            }
        }
    }
}
