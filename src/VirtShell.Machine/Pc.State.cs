using System;
using System.Collections.Generic;
using System.IO;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Processors;
using VirtShell.State;

namespace VirtShell.Machine;

/// <summary>Power-on, reset, and saved state.</summary>
public sealed partial class Pc : IStateful
{
    private const int StateVersion = 1;

    /// <summary>Back to power-on: devices reset, RAM cleared, boot image loaded again. Instruction count and guest time go on.</summary>
    /// <exception cref="MachineBootException">There is no boot image, or it is damaged or does not fit.</exception>
    public void Reset()
    {
        if (_configuration.Boot is null)
        {
            throw new MachineBootException("The machine was made from a saved state without its boot image, so there is nothing to start it from. Make it again with the image that the VM boots.");
        }

        _processors.Reset();
        _processors.DropCaches();
        Memory.ClearRam();
        _exit = null;
        PowerOn();
    }

    /// <summary>A machine as it was when its state was saved, without booting: firmware does not run, and the boot image is looked at only when <see cref="Reset"/> asks for it, so it may be missing until then.</summary>
    /// <param name="configuration">What the saved machine was built from.</param>
    /// <param name="state">What <see cref="SavedState.Save(IStateful, Stream)"/> wrote; need not be seekable.</param>
    /// <exception cref="StateFormatException">The state is damaged, or of another kind of machine.</exception>
    public static Pc FromState(MachineConfiguration configuration, Stream state)
    {
        ArgumentNullException.ThrowIfNull(state);
        Pc machine = Blank(configuration);
        try
        {
            machine.Load(state);
            return machine;
        }
        catch
        {
            machine.Dispose();
            throw;
        }
    }

    /// <summary>A machine that has not been switched on, for its state to be loaded as part of a larger one; fit for <see cref="Describe(StateVisitor)"/> by a visitor that loads, or <see cref="Reset"/>.</summary>
    /// <param name="configuration">What the saved machine was built from.</param>
    /// <exception cref="PartException">The parts do not go together.</exception>
    public static Pc Blank(MachineConfiguration configuration) => new(configuration, powersOn: false);

    /// <summary>Writes the state of every part for people, a line for each value; the content of memory and disks as digests.</summary>
    public void WriteStateTo(TextWriter writer) => StateTree.Of(this).WriteTo(writer);

    /// <summary>Between runs only. What is loaded must be of a machine of the same configuration, as far as both have the same parts: one that was not saved is reset, and what was saved of one that this machine lacks is skipped. A machine that fails to load is fit for <see cref="Reset"/> only.</summary>
    public void Describe(StateVisitor visitor) => Describe(visitor, Memory);

    // What stands for memory: it itself, or an image that has it already.
    private void Describe(StateVisitor visitor, IStateful memory)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        using StateScope machine = visitor.Section("machine", StateVersion, isRequired: true);
        if (visitor.IsLoading)
        {
            _exit = null;
            _hostPaced = false;
            _clock.Cancel(_alarm);
            _processors.DropCaches();
        }

        // What the display has in pages of memory belongs to its own state.
        _display?.Window.Settle();
        visitor.Part("memory", memory, isRequired: true);
        foreach (Processor processor in _processors.All)
        {
            // The first one's name is from when there was no other.
            visitor.Part(processor.Number == 0 ? "processor" : $"processor-{processor.Number}", processor, isRequired: true);
        }

        visitor.Part("clock", _clock, isRequired: true);
        if (visitor.IsLoading)
        {
            _board.Reset();
            _firmware.PrepareParts(_board);
        }

        // The opposite order of building, as far as the rows ask for it: PartLayer says why.
        List<IStateful> parts = [.. _board.Devices, new RunState(this)];
        visitor.Parts(parts, static part => part is IDevice device ? device.Name : RunState.Name, _board.ControllerCount);
        if (visitor.IsLoading)
        {
            _interrupts.Resynchronize();
        }
    }

    private void PowerOn()
    {
        _board.Reset();
        _firmware.PrepareParts(_board);
        _firmware.Start(_board, Cpu);
    }

    // What a run that was interrupted has yet to do: the end that the guest asked for while its console still sends, and the alarm.
    private sealed class RunState(Pc machine) : IStateful
    {
        public const string Name = "run";

        public void Describe(StateVisitor visitor)
        {
            const int None = -1;
            int kind = machine._exit is { } exit ? (int)exit.Kind : None;
            int code = machine._exit?.Code ?? 0;
            visitor.Value("exit", ref kind, None, (int)MachineExitKind.Panicked);
            visitor.Value("exit-code", ref code);
            machine._alarm.Describe(visitor, "alarm", machine._clock);
            if (visitor.IsLoading)
            {
                machine._exit = kind == None ? null : new MachineExit((MachineExitKind)kind, code);
            }
        }
    }
}
