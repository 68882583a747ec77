using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Boot;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Dma;
using VirtShell.Machine.Drives;
using VirtShell.Machine.Interrupts;
using VirtShell.Machine.Legacy;
using VirtShell.Machine.Pci;

namespace VirtShell.Machine.Boards;

/// <summary>
/// Everything of a machine but its processors: what all parts share (memory, clock, bus, interrupt lines, A20, outlets),
/// and the parts themselves, made from the rows of a <see cref="MachineModel"/>.
/// </summary>
internal sealed class Board
{
    private readonly List<IDevice> _devices = [];
    private readonly List<object> _made = [];
    private readonly Dictionary<Outlet, IOutletInput> _inputs = [];
    private readonly DmaChannel[] _dma = new DmaChannel[DmaChannel.Count];
    private PciBus? _pci;

    /// <param name="configuration">The model, and what was chosen about its parts.</param>
    /// <param name="memory">Guest memory; its map is made here.</param>
    /// <param name="clock">The machine's clock.</param>
    /// <param name="signals">Told of what leaves the board.</param>
    /// <exception cref="PartException">The parts do not go together.</exception>
    public Board(MachineConfiguration configuration, PhysicalMemory memory, MachineClock clock, IBoardSignals signals)
    {
        Configuration = configuration;
        Memory = memory;
        Clock = clock;
        Signals = signals;
        A20 = new A20Gate(signals.SetA20);
        Interrupts = new InterruptRouter(signals.Processors);
        for (int i = 0; i < _dma.Length; i++)
        {
            _dma[i] = new DmaChannel(i);
        }

        Rows = configuration.Model.Plan(configuration.Parts, configuration);
        configuration.Parts.CheckDisks(configuration.Model, configuration.Disks.Count);
        foreach (Drive drive in configuration.Drives)
        {
            configuration.Parts.CheckDrives(drive.Bus);
        }

        ControllerCount = Rows.Count(row => row.Layer < PartLayer.Devices);
        MemoryMap.Apply(memory);
        foreach (PartRow row in Rows)
        {
            Make(row);
        }
    }

    public MachineConfiguration Configuration { get; }

    public PhysicalMemory Memory { get; }

    public MachineClock Clock { get; }

    public IBoardSignals Signals { get; }

    public IoBus Bus { get; } = new();

    public InterruptRouter Interrupts { get; }

    public A20Gate A20 { get; }

    public PciBus Pci
    {
        get => _pci ?? throw new InvalidOperationException("The board has no PCI bus yet.");
        set => _pci = value;
    }

    /// <summary>The DMA channels, 0 to 7.</summary>
    public IReadOnlyList<DmaChannel> Dma => _dma;

    /// <summary>The rows of the parts that are there, in the order of building, reset and saving.</summary>
    public IReadOnlyList<PartRow> Rows { get; }

    /// <summary>Everything that resets, saves and loads itself, in the order of the rows; the functions of the PCI bus are the bus's.</summary>
    public IReadOnlyList<IDevice> Devices => _devices;

    /// <summary>How many of the first devices are wires and interrupt controllers, which load after the others.</summary>
    public int ControllerCount { get; }

    /// <summary>The first part of a type; null where it was left out.</summary>
    public T? Find<T>()
        where T : class
    {
        foreach (object part in _made)
        {
            if (part is T found)
            {
                return found;
            }
        }

        return null;
    }

    /// <summary>All parts of a type, in order.</summary>
    public IEnumerable<T> FindAll<T>()
    {
        foreach (object part in _made)
        {
            if (part is T found)
            {
                yield return found;
            }
        }
    }

    /// <summary>Whether a switch of a part is on.</summary>
    public bool IsOn(string part, string option)
    {
        PartRow row = Configuration.Model.Find(part)!;
        return Configuration.Parts.ValueOf(row, row.Options.First(o => o.Name == option)) != 0;
    }

    /// <summary>The value of a part's option.</summary>
    public long Value(string part, string option)
    {
        PartRow row = Configuration.Model.Find(part)!;
        return Configuration.Parts.ValueOf(row, row.Options.First(o => o.Name == option));
    }

    /// <summary>What takes input at an outlet; null where the machine has none.</summary>
    public IOutletInput? Input(Outlet outlet) => _inputs.GetValueOrDefault(outlet);

    /// <summary>Puts every part into its power-on state.</summary>
    public void Reset()
    {
        foreach (IDevice device in _devices)
        {
            device.Reset();
        }
    }

    /// <summary>Puts a controller behind the DMA channels.</summary>
    internal T Connect<T>(T controller)
        where T : IDmaController
    {
        foreach (DmaChannel channel in _dma)
        {
            channel.Controller = controller;
        }

        return controller;
    }

    internal void AddInput(Outlet outlet, IOutletInput input) => _inputs.Add(outlet, input);

    /// <summary>Has <see cref="Find{T}"/> find what stands within a part, such as the device on a virtio transport.</summary>
    internal T Note<T>(T inner)
        where T : class
    {
        _made.Add(inner);
        return inner;
    }

    private void Make(PartRow row)
    {
        PartContext context = new(this, row, Configuration);
        Bus.Guard = context;
        try
        {
            if (row.Device is not null)
            {
                IDevice device = row.Device(context);
                _devices.Add(device);
                _made.Add(device);
                return;
            }

            if (row.Functions is null)
            {
                // Options alone, of what is no device.
                return;
            }

            IReadOnlyList<PciDevice> functions = row.Functions(context);
            for (int i = 0; i < functions.Count; i++)
            {
                Pci.Attach(context.Pci.Slot + i, context.Pci.Function, functions[i]);
                _made.Add(functions[i]);
            }
        }
        finally
        {
            Bus.Guard = null;
        }
    }
}
