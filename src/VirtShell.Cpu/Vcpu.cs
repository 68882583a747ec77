using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;
using VirtShell.Cpu.Translation;
using VirtShell.State;

namespace VirtShell.Cpu;

/// <summary>
/// One virtual x86 processor. <see cref="Run"/> is the whole contract with its machine; everything else is called on the
/// thread that runs it, between runs or from <see cref="ICpuBus"/> callbacks, unless it says otherwise.
/// </summary>
/// <remarks>
/// Unsafe code is sound here because <see cref="State"/> is allocated once, aligned, outside of the managed heap, and freed
/// only by <see cref="Dispose"/> or the finalizer.
/// </remarks>
public sealed unsafe partial class Vcpu : IDisposable
{
    private readonly GCHandle _handle;
    private readonly CodeCache _code;
    private readonly BlockBuilder _builder;
    private readonly Lock _lifetime = new();
    private CpuState* _s;
    [NotState("The host's choice.")]
    private EngineKind _engine;
    private const int SmallestTranslationBytes = 32 << 10;

    [NotState("Translates anew as code runs.")]
    private Translator? _translator;

    // InstructionsRetired at the last host breakpoint: a run that begins right there goes on past it, any other stops.
    [NotState("A debugger's.")]
    private long _brokeAt = -1;

    /// <summary>Creates a processor in its reset state.</summary>
    /// <param name="memory">Guest-physical memory; not disposed with the processor.</param>
    /// <param name="bus">Everything else around it.</param>
    /// <param name="model">What CPUID describes.</param>
    /// <param name="seed">Seed of RDRAND and RDSEED.</param>
    /// <param name="engine">Which engine to run on.</param>
    public Vcpu(PhysicalMemory memory, ICpuBus bus, CpuModel model, ulong seed = 0, EngineKind engine = EngineKind.Auto)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentNullException.ThrowIfNull(bus);
        Memory = memory;
        Bus = bus;
        Model = model;
        Seed = seed;
        Engine = engine;
        _randomState = seed;
        _s = (CpuState*)NativeMemory.AlignedAlloc((nuint)sizeof(CpuState), 64);
        NativeMemory.Clear(_s, (nuint)sizeof(CpuState));
        // Weak: a processor that nobody holds any more can be collected although its state names it.
        _handle = GCHandle.Alloc(this, GCHandleType.Weak);
        _s->Owner = GCHandle.ToIntPtr(_handle);
        Mmu = new Mmu(_s, memory, bus) { HasGigabytePages = CpuFeatures.Has(model, ModelTraits.GigabytePages) };
        _code = new CodeCache(_s, memory, Mmu);
        _builder = new BlockBuilder(_s, memory, Mmu, _code, CpuFeatures.SupportedCodes(model), CpuFeatures.DecoderOptionsOf(model));
        memory.Subscribe(_code);
        Reset();
    }

    ~Vcpu() => Release();

    public CpuModel Model { get; }

    /// <summary>Its number in the machine, which CPUID tells as its APIC ID.</summary>
    public byte ApicId { get; init; }

    public PhysicalMemory Memory { get; }

    /// <summary>The architectural state; for debuggers, tests and the machine's boot loaders.</summary>
    public CpuState* State => _s;

    /// <summary>Instructions retired since power-on (a fault that is delivered counts as one), exact also inside a bus callback (the running instruction not counted). Survives <see cref="Reset"/>.</summary>
    public long InstructionsRetired => _s->RunEnd - _s->Budget - (_s->CurrentOp != null ? _s->CurrentOp->Remaining : 0);

    /// <summary>RFLAGS.IF: whether INTR can wake a halted processor.</summary>
    public bool InterruptsEnabled => (_s->FlagsRest & Flags.Interrupt) != 0;

    /// <summary>Linear addresses before whose instruction <see cref="Run"/> stops with <see cref="ExitReason.Breakpoint"/>.</summary>
    [NotState("A debugger's.")]
    public ISet<ulong> Breakpoints { get; } = new HashSet<ulong>();

    /// <summary>Called for each fault (vector, error code) before it is delivered, RIP at its instruction; for debugging.</summary>
    public Action<int, uint>? FaultRaised { get; set; }

    /// <summary>Counters of the engine.</summary>
    public EngineStatistics Statistics
    {
        get
        {
            EngineStatistics translated = _translator?.Statistics ?? default;
            return translated with
            {
                InstructionsInterpreted = InstructionsRetired - translated.InstructionsTranslated,
                BlocksDecoded = _code.BlocksBuilt,
                BlocksInvalidated = _code.BlocksInvalidated + translated.BlocksInvalidated,
                CodeCacheFlushes = _code.Flushes + translated.CodeCacheFlushes,
                TlbMisses = Mmu.Misses,
            };
        }
    }

    /// <summary>Host memory that the engine takes for this processor, in bytes: soft TLBs, decoded and translated code. Callable from any thread while the processor is not being disposed.</summary>
    public ulong HostBytes() => Mmu.HostBytes() + _code.ResidentBytes() + (_translator?.ResidentBytes() ?? 0);

    /// <summary>What went wrong when a translation failed for the first time, with the guest's code and the stack of calls; null where none has (<see cref="EngineStatistics.TranslationFailures"/>).</summary>
    public string? FirstTranslationFailure => _translator?.FirstFailure;

    /// <summary>The engine asked for; may be changed between runs, at any instruction boundary.</summary>
    public EngineKind Engine
    {
        get => _engine;
        set
        {
            _engine = value;
            IsTranslating = value != EngineKind.Interpreter && CodeMemory.IsUsable;
        }
    }

    /// <summary>Whether emitted host code is used: what <see cref="Engine"/> comes to on this host.</summary>
    [NotState("The host's choice.")]
    public bool IsTranslating { get; private set; }

    /// <summary>The translator takes a block when it is about to run for this many times (1 to 255); makes no difference to what the guest does.</summary>
    [NotState("The host's choice.")]
    public int TranslationThreshold { get; set; } = 1;

    /// <summary>
    /// Bytes of host code that translations may fill before all of them are dropped and made anew: from 32 KiB, which has room for
    /// any block, to all of what is reserved (64 MiB). Makes no difference to what the guest does; tests take less.
    /// </summary>
    [NotState("The host's choice.")]
    internal int TranslationBytes
    {
        get;
        set => field = int.Clamp(value, SmallestTranslationBytes, Translator.CodeBytes);
    } = Translator.CodeBytes;

    internal Translator Translator => _translator ??= new Translator(this, _s, _code, _builder, CpuFeatures.SupportedCodes(Model), CpuFeatures.DecoderOptionsOf(Model));

    internal ICpuBus Bus { get; }

    internal Mmu Mmu { get; }

    internal ulong Seed { get; }

    /// <summary>Asks a running <see cref="Run"/> to return at the next instruction boundary. Callable from any thread.</summary>
    public void RequestStop()
    {
        // Another thread may be disposing the processor: its state must not be freed between the look and the write.
        lock (_lifetime)
        {
            CpuState* s = _s;
            if (s != null)
            {
                Interlocked.Or(ref *(uint*)&s->Pending, (uint)PendingEvents.StopRequested);
                Volatile.Write(ref s->StopBelow, ulong.MaxValue);
            }
        }
    }

    /// <summary>Shortens the running budget so that <see cref="Run"/> returns when <see cref="InstructionsRetired"/> reaches <paramref name="retired"/> (or at the next boundary, if that has passed). For bus callbacks that schedule an event nearer than the machine's budget.</summary>
    public void LimitRun(long retired)
    {
        // The running instruction will have retired; the rest of its block, charged already, need not.
        long boundary = InstructionsRetired + (_s->CurrentOp != null ? 1 : 0);
        _finalEnd = Math.Min(_finalEnd, Math.Max(retired, boundary));
        long cut = _s->RunEnd - retired;
        if (cut > 0)
        {
            _s->RunEnd -= cut;
            _s->Budget -= cut;
        }

        if (retired <= boundary)
        {
            // Also where the run ends there anyway: a repeated instruction is cut by what is due, not by the host's budget.
            _s->StopBelow = ulong.MaxValue;
        }
        else if (_s->Budget < 0)
        {
            // Not all of what was charged may run. That cuts no repeated instruction: where blocks end is each engine's own.
            _s->StopBelow |= CpuState.CodeChanged;
        }
    }

    /// <summary>Level of the INTR input. Taken at the next instruction boundary at which interrupts are enabled.</summary>
    public void SetInterruptRequest(bool asserted)
    {
        if (asserted)
        {
            SetPending(PendingEvents.Interrupt);
        }
        else
        {
            Interlocked.And(ref *(uint*)&_s->Pending, ~(uint)PendingEvents.Interrupt);
        }
    }

    /// <summary>Pulses the NMI input.</summary>
    public void RaiseNmi() => SetPending(PendingEvents.Nmi);

    /// <summary>Level of the A20 gate; false forces physical address bit 20 to zero.</summary>
    public void SetA20(bool enabled)
    {
        if (enabled != (Mmu.A20Mask == ulong.MaxValue))
        {
            Mmu.SetA20(enabled);
            _s->StopBelow = ulong.MaxValue;
        }
    }

    /// <summary>A general register by its hardware number (0 RAX, 1 RCX, 2 RDX, 3 RBX, 4 RSP, 5 RBP, 6 RSI, 7 RDI, 8–15 R8–R15).</summary>
    public ulong GetRegister(int number)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)number, 15u, nameof(number));
        return _s->Gpr[number];
    }

    /// <summary>Sets a general register by its hardware number.</summary>
    public void SetRegister(int number, ulong value)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)number, 15u, nameof(number));
        _s->Gpr[number] = value;
    }

    /// <summary>Translates a linear address as a debugger would: no privilege checks, no side effects.</summary>
    public bool TryTranslateDebug(ulong linear, out ulong physical) => Mmu.TryTranslateDebug(linear, out physical);

    /// <summary>Gives the memory of decoded code back; it is decoded again as needed. For idle machines.</summary>
    public void DropCaches()
    {
        Mmu.FlushAll();
        _code.Flush();
        _translator?.Flush();
    }

    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    /// <summary>Latches an event for the next instruction boundary.</summary>
    internal void SetPending(PendingEvents events)
    {
        Interlocked.Or(ref *(uint*)&_s->Pending, (uint)events);
        _s->StopBelow = ulong.MaxValue;
    }

    private void Release()
    {
        if (_s == null)
        {
            return;
        }

        Memory.Unsubscribe(_code);
        _translator?.Dispose();
        _code.Dispose();
        Mmu.Dispose();
        _handle.Free();
        lock (_lifetime)
        {
            NativeMemory.AlignedFree(_s);
            _s = null;
        }
    }
}
