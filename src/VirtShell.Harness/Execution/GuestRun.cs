using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Cpu;
using VirtShell.Harness.Loading;
using VirtShell.Harness.Model;
using VirtShell.Host;
using VirtShell.Images;
using VirtShell.Storage;

namespace VirtShell.Harness.Execution;

/// <summary>What one run of one guest came to.</summary>
internal sealed record GuestOutcome
{
    public VmEndKind End { get; init; }

    public int EndCode { get; init; }

    public byte[] Serial { get; init; } = [];

    /// <summary>Hash over all serial output, also of what a log's cap dropped.</summary>
    public ulong SerialHash { get; init; }

    public VmMetrics Metrics { get; init; }

    public VmEngineMetrics Engine { get; init; } = VmEngineMetrics.None;

    public CrashReport? CrashReport { get; init; }

    /// <summary>Why it could not be run; null where it ran.</summary>
    public string? Error { get; init; }

    public bool HostTimeExceeded { get; init; }

    /// <summary>Whether it was turned off because the whole run is cut short; what it sent until then is there.</summary>
    public bool Cancelled { get; init; }
}

/// <summary>Runs one guest from power-on to its end. Never throws for what a suite, an image or a guest does wrong.</summary>
/// <param name="engine">The engine of the whole run; null leaves it to the suite.</param>
internal sealed class GuestRun(VmHost host, string folder, GeneratedDisks generated, EngineKind? engine = null)
{
    private const string DefectHint = "This is a defect in VirtShell, not in your suite: please report it with this message and the JSON report.";

    private readonly Lock _failureGate = new();
    private long _translationFailures;
    private string? _firstTranslationFailure;

    /// <param name="name">The VM's name; unique in the host.</param>
    /// <param name="detectPanics">Whether a kernel's panic ends the run.</param>
    /// <param name="hostTimeLimit">The safety net.</param>
    /// <param name="watch">Called a few times a second with what the run has used so far.</param>
    public async Task<GuestOutcome> RunAsync(string name, VmSpec spec, IGuestDriver driver, bool detectPanics, TimeSpan hostTimeLimit, Action<string?, VmMetrics>? watch, CancellationToken cancellation)
    {
        VirtualMachine? vm = null;
        try
        {
            vm = host.Create(Define(name, spec, detectPanics));
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            VirtualMachine started = vm;
            var progress = new ImmediateProgress(text => watch?.Invoke(text, default));
            await Task.Run(() => started.Start(driver, progress, cancellation), cancellation).ConfigureAwait(false);

            // The limit is for running; downloads before it have no part in it.
            limit.CancelAfter(hostTimeLimit);
            using CancellationTokenRegistration registration = limit.Token.Register(() => (driver as Steps.ScriptDriver)?.Abandon());
            bool exceeded = await WaitAsync(vm, watch, limit.Token, cancellation).ConfigureAwait(false);
            return Noted(Gather(vm)) with { HostTimeExceeded = exceeded };
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            TurnOffQuietly(vm);
            return vm is null ? new GuestOutcome { Cancelled = true } : Noted(Gather(vm)) with { Cancelled = true };
        }
        catch (Exception e)
        {
            TurnOffQuietly(vm);
            return new GuestOutcome { Error = Explain(e) };
        }
        finally
        {
            Forget(vm);
        }
    }

    /// <summary>What the translator's own faults come to, in all runs so far; null where there were none. They cost the guests nothing but speed, so nothing else would tell of them.</summary>
    public AssertionResult? JudgeTranslator()
    {
        lock (_failureGate)
        {
            return _translationFailures == 0 ? null : new AssertionResult(
                "the translator translates without a fault of its own",
                Outcome.Error,
                $"{_translationFailures} failed (engine-translation-failures), and the interpreter took over; the first: {_firstTranslationFailure?.ReplaceLineEndings(" ").TrimEnd('.')}. {DefectHint}");
        }
    }

    /// <summary>An error in words: ours as they are, anything else as the defect that it is.</summary>
    public static string Explain(Exception e) => e switch
    {
        VmException or ImageException or StorageException => e.Message,
        IOException or UnauthorizedAccessException => HostError.Reason(e),
        AggregateException { InnerException: { } inner } => Explain(inner),
        _ => $"{e.GetType().Name}: {e.Message.TrimEnd('.')}. {DefectHint}",
    };

    public static string ExplainEngineFault(CrashReport? report) => $"The engine failed while serving this guest: {(report?.EngineError ?? report?.Summary ?? "no details are known").TrimEnd('.')}. {DefectHint}";

    private static async Task<bool> WaitAsync(VirtualMachine vm, Action<string?, VmMetrics>? watch, CancellationToken limit, CancellationToken cancellation)
    {
        Task end = vm.WaitForEndAsync(CancellationToken.None);
        try
        {
            while (!end.IsCompleted)
            {
                Task tick = Task.Delay(TimeSpan.FromMilliseconds(250), limit);
                if (await Task.WhenAny(end, tick).ConfigureAwait(false) != end)
                {
                    limit.ThrowIfCancellationRequested();
                    watch?.Invoke(null, vm.Metrics);
                }
            }

            await end.ConfigureAwait(false);
            return false;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            await Task.Run(vm.TurnOff, CancellationToken.None).ConfigureAwait(false);
            return true;
        }
    }

    private static GuestOutcome Gather(VirtualMachine vm) => new()
    {
        End = vm.End,
        EndCode = vm.EndCode,
        Serial = vm.Serial.GetBytes(vm.Serial.FirstOffset),
        SerialHash = vm.Serial.Hash,
        Metrics = vm.Metrics,
        Engine = vm.EngineMetrics,
        CrashReport = vm.CrashReport,
    };

    private GuestOutcome Noted(GuestOutcome outcome)
    {
        lock (_failureGate)
        {
            _translationFailures += outcome.Engine.TranslationFailures;
            _firstTranslationFailure ??= outcome.Engine.FirstTranslationFailure;
        }

        return outcome;
    }

    private static void TurnOffQuietly(VirtualMachine? vm)
    {
        try
        {
            if (vm is { State: not (VmState.Off or VmState.Crashed) })
            {
                vm.TurnOff();
            }
        }
        catch (VmException)
        {
            // It ended by itself in between.
        }
    }

    private void Forget(VirtualMachine? vm)
    {
        try
        {
            if (vm is not null)
            {
                host.Remove(vm);
            }
        }
        catch (VmException)
        {
            // A VM that cannot be forgotten ends with the host.
        }
    }

    private VmDefinition Define(string name, VmSpec spec, bool detectPanics) => spec.Definition with
    {
        Id = Guid.NewGuid(),
        Name = name,
        Engine = engine ?? spec.Definition.Engine,
        Disks = [.. spec.Disks.Select(d => d.IsGenerated ? d.Disk with { Source = generated.PathOf(d.Generate, d.Seed, d.Disk.Access) } : d.Disk)],
        BaseFolder = folder,
        DetectPanics = detectPanics,
    };

    /// <summary>Reports on the calling thread: <see cref="Progress{T}"/> would post and lose order.</summary>
    private sealed class ImmediateProgress(Action<string> report) : IProgress<string>
    {
        public void Report(string value) => report(value);
    }
}

/// <summary>Files with the generated disks of a run, made once and deleted with it.</summary>
internal sealed class GeneratedDisks : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, string> _files = [];
    private string? _folder;
    private int _writable;

    public string PathOf(long length, ulong seed, DiskAccess access)
    {
        lock (_gate)
        {
            _folder ??= Directory.CreateTempSubdirectory("virtshell-disks-").FullName;

            // A disk that its guest may write belongs to that guest alone.
            string key = access == DiskAccess.ReadWrite ? $"{length}-{seed}-{_writable++}" : $"{length}-{seed}";
            if (!_files.TryGetValue(key, out string? path))
            {
                path = Path.Combine(_folder, $"{key}.img");
                GeneratedDisk.Write(path, length, seed);
                _files[key] = path;
            }

            return path;
        }
    }

    public void Dispose()
    {
        try
        {
            if (_folder is not null)
            {
                Directory.Delete(_folder, recursive: true);
            }
        }
        catch (IOException)
        {
            // Left in the temporary folder; the system cleans it.
        }
    }
}
