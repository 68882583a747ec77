using System;
using System.Linq;
using System.Threading;
using VirtShell.Cpu;
using VirtShell.Cpu.Memory;
using VirtShell.Machine;
using VirtShell.State;

namespace VirtShell.Host.Running;

/// <summary>
/// The machine of a run, which a crash may have replaced by a new one. It is built, run, replaced and let go of inside the dispatch, or
/// before there is any. Other threads count its memory under the gate, under which it is replaced, since it must not go meanwhile; and
/// they ask it to return without the gate: whoever counts holds that for a millisecond a gibibyte.
/// </summary>
internal sealed class RunMachine
{
    private readonly VmDefinition _definition;
    private readonly MachineBuild _build;
    private readonly object _gate = new();

    [NotState("Described by the run.")]
    private Pc? _machine;

    [NotState("Speed and nothing else.")]
    private EngineKind _engine;

    [NotState("Memory of this host.")]
    private long _builtBytes;

    /// <param name="definition">What the VM is.</param>
    /// <param name="build">Boot images and open disks.</param>
    public RunMachine(VmDefinition definition, MachineBuild build)
    {
        _definition = definition;
        _build = build;
        _engine = definition.Engine;
    }

    /// <summary>Takes each byte that the guest sends.</summary>
    public Action<Outlet, byte>? SerialOutput { get; set; }

    /// <summary>The machine; null before the run and after its end.</summary>
    public Pc? Current => _machine;

    public EngineKind Engine => _engine;

    public MachineBuild Build => _build;

    /// <summary>Builds a machine, switched on.</summary>
    /// <exception cref="VmException">An image is not usable after all, or the host is out of memory.</exception>
    public void PowerOn() => Take(() => _build.PowerOn(_engine));

    /// <summary>Builds the machine that is being loaded.</summary>
    /// <exception cref="VmException">The host is out of memory.</exception>
    /// <exception cref="StateFormatException">The state is damaged, or of another kind of machine.</exception>
    public void PowerOn(StateVisitor state)
    {
        Take(() => _build.Blank(_engine));
        _machine!.Describe(state);
    }

    /// <summary>Asks the machine to return soon. From any thread; one that is being disposed takes a request and does nothing.</summary>
    public void RequestYield() => Volatile.Read(ref _machine)?.RequestYield();

    /// <summary>Goes on with another engine from the instruction boundary that the machine is at.</summary>
    public void SetEngine(EngineKind engine)
    {
        _engine = engine;
        if (_machine is { } machine)
        {
            machine.Cpu.Engine = engine;
        }
    }

    /// <summary>Takes the machine away.</summary>
    public void Release()
    {
        Pc? machine = _machine;
        lock (_gate)
        {
            _machine = null;
        }

        machine?.Dispose();
    }

    public void NoteClock()
    {
        if (_machine is { } machine)
        {
            _build.NoteClock(machine.GuestTime);
        }
    }

    /// <summary>Host memory as it is now. From any thread.</summary>
    public VmHostMemory HostMemory(long logBytes)
    {
        lock (_gate)
        {
            return _machine is { } machine
                ? new VmHostMemory(
                    (long)machine.Memory.ResidentBytes(),
                    (long)machine.Cpu.HostBytes(),
                    Volatile.Read(ref _builtBytes) + (long)(_definition.MemoryBytes / PhysicalMemory.PageSize),
                    _build.Disks.Sum(disk => disk.StoredBytes),
                    logBytes)
                : new VmHostMemory(0, 0, 0, 0, logBytes);
        }
    }

    private void Take(Func<Pc> make)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        Pc machine = make();
        machine.SerialOutput = SerialOutput;
        lock (_gate)
        {
            _machine = machine;
        }

        Volatile.Write(ref _builtBytes, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
