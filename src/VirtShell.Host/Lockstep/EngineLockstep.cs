using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Threading;
using VirtShell.Machine;

namespace VirtShell.Host.Lockstep;

/// <summary>
/// Runs one system on both engines at once and compares them every so many instructions: how the translator is debugged on
/// whole systems. A difference is narrowed down to the first instruction at which it can be seen, by running again.
/// </summary>
public sealed class EngineLockstep
{
    /// <summary>A state to come back to is kept about this often, in instructions.</summary>
    private const long CheckpointInterval = 400_000_000;

    /// <summary>Differences that are told before they are looked into.</summary>
    private const int ShownAtOnce = 6;

    private readonly VmHost _host;
    private readonly VmDefinition _definition;
    private readonly EngineLockstepOptions _options;
    private readonly CancellationToken _cancellation;
    private readonly List<long> _chunks = [];
    private byte[]? _checkpoint;
    private int _checkpointAt;

    private EngineLockstep(VmHost host, VmDefinition definition, EngineLockstepOptions options, CancellationToken cancellation)
    {
        _host = host;
        _definition = definition;
        _options = options;
        _cancellation = cancellation;
    }

    /// <summary>Compares until the guest ends, the limit is reached, or the engines differ. The clock must be virtual, and no disk writable.</summary>
    /// <exception cref="VmException">The system cannot be started; the message says why.</exception>
    public static EngineLockstepResult Run(VmHost host, VmDefinition definition, EngineLockstepOptions options, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(definition);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Chunk, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MemoryInterval, 1, nameof(options));
        if (definition.Clock != ClockMode.Virtual)
        {
            throw new VmException(VmErrorKind.InvalidDefinition, "Engines are compared under the virtual clock: the host's makes no two runs alike.");
        }

        if (definition.Disks.Any(static disk => disk.Access == DiskAccess.ReadWrite) || definition.Floppies.Any(static drive => drive.Access == DiskAccess.ReadWrite))
        {
            throw new VmException(VmErrorKind.InvalidDefinition, "Engines are compared on two machines at once, which cannot both write one disk image. Take it read-only or under an overlay.");
        }

        return new EngineLockstep(host, definition, options, cancellation).Run();
    }

    private EngineLockstepResult Run()
    {
        using MachinePair pair = NewPair(_options.Messages);
        int good = 0;
        int sent = 0;
        long saved = 0;
        while (true)
        {
            _cancellation.ThrowIfCancellationRequested();
            long chunk = Math.Min(_options.Chunk, _options.InstructionLimit - pair.Interpreter.Instructions);
            if (chunk <= 0 && pair.AgreeFully())
            {
                return Result(pair, null);
            }

            _chunks.Add(Math.Max(1, chunk));
            pair.Run(_chunks[^1], _options.Disturb);
            if (pair.Translator.Cpu.FirstTranslationFailure is string failure)
            {
                // The guest has not noticed, so nothing differs; but the engine has a fault.
                return Result(pair, string.Create(CultureInfo.InvariantCulture, $"By instruction {pair.Translator.Instructions} the translator has failed, and the interpreter has taken the block over.\n{failure}"));
            }

            bool full = !pair.IsRunning || _chunks.Count % _options.MemoryInterval == 0;
            if (!(full ? pair.AgreeFully() : pair.Agree()))
            {
                return Result(pair, Narrow(pair, good));
            }

            for (; sent < pair.Serial.Count; sent++)
            {
                _options.SerialOutput?.Invoke(pair.Serial[sent]);
            }

            if (!pair.IsRunning)
            {
                return Result(pair, null);
            }

            if (full)
            {
                good = _chunks.Count;
                _options.Progress?.Invoke(pair.Interpreter.Instructions);
                if (pair.Interpreter.Instructions - saved >= CheckpointInterval && _definition.Disks.Count + _definition.Cds.Count + _definition.Floppies.Count == 0)
                {
                    // The content of disks is in no saved state: with disks everything is run again from power-on.
                    saved = pair.Interpreter.Instructions;
                    _checkpoint = pair.Save();
                    _checkpointAt = good;
                }
            }
        }
    }

    private MachinePair NewPair(IProgress<string>? messages) => new(_definition, _host.Images, messages, _cancellation);

    private static EngineLockstepResult Result(MachinePair pair, string? report) => new()
    {
        Instructions = pair.Interpreter.Instructions,
        GuestTime = pair.Interpreter.GuestTime,
        End = pair.Exit.Kind,
        Serial = pair.Serial.ToArray(),
        MemoryHash = pair.Interpreter.Memory.Hash(),
        Report = report,
    };

    /// <summary>The last chunk shows a difference; chunks before <paramref name="good"/> left none.</summary>
    private string Narrow(MachinePair seen, int good)
    {
        // What is known already first: an engine that went wrong may take the process down while it runs again.
        _options.Messages?.Report($"The engines differ by instruction {seen.Interpreter.Instructions}; looking for the first one. At the end of the chunk: {string.Join("; ", seen.Differences().Take(ShownAtOnce))}");
        if (_checkpoint is not null)
        {
            using MachinePair pair = NewPair(null);
            Replay again = new(pair, _checkpoint, _chunks, _checkpointAt, _options, _cancellation);
            if (again.Find(good) is string report)
            {
                return report;
            }

            _options.Messages?.Report("It does not come again from a saved state; running from power-on.");
        }

        Replay fromStart = new(() => NewPair(null), _chunks, _options, _cancellation);
        return fromStart.Find(good) ?? LockstepReport.Write(seen, [], seen.Differences(), "The difference did not come again: one of the engines depends on more than the guest. What was seen at the end of the chunk:");
    }
}
