using System;
using System.IO;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Host.Running;
using VirtShell.State;
using VirtShell.Storage;

namespace VirtShell.Host;

/// <summary>A run as a state that can be kept, and gone on with.</summary>
public sealed partial class VirtualMachine
{
    /// <summary>
    /// Writes the run as it is: memory, processor, devices, what the guest has changed of disks that are overlays, serial logs, counts,
    /// and where its driver has got to. It goes on from there by <see cref="StartFrom"/>, here or in another process, to the same
    /// bytes under the virtual clock. The VM stays paused.
    /// </summary>
    /// <param name="state">Written on this thread, and not closed; need not be seekable.</param>
    /// <exception cref="VmException">The VM is not paused, or the stream does not take the state; what it has taken is then of no use.</exception>
    public void Save(Stream state)
    {
        ArgumentNullException.ThrowIfNull(state);
        MachineRun run = RequireMachine("saved", VmState.Paused);
        if (run.IsOnThisThread)
        {
            throw Refused("it cannot be saved from its own thread, which is in the middle of an instruction. Pause it there, and save it from another thread.");
        }

        if (!Hold(run))
        {
            throw new VmException(VmErrorKind.InvalidState, $"VM '{Name}' was resumed or ended meanwhile. Pause it first.");
        }

        // A slow disk keeps this thread waiting and no worker.
        try
        {
            run.Save(state);
        }
        catch (StorageException e)
        {
            throw new VmException(VmErrorKind.StorageFailed, $"The state of VM '{Name}' cannot be saved: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VmException(VmErrorKind.StorageFailed, $"The state of VM '{Name}' cannot be written: {HostError.Reason(e)}", e);
        }
        finally
        {
            run.Release();
        }
    }

    /// <summary>
    /// Goes on with a run where <see cref="Save"/> found it, without booting. The VM must be made of the same as the one that was saved: what it
    /// boots, memory, processor, parts, and disks, whose images nobody has changed since. Guest time goes on from where it was, under
    /// either clock: how long the state was kept does not show.
    /// </summary>
    /// <param name="state">Read to the end of the state and no further, on this thread; need not be seekable.</param>
    /// <param name="driver">Goes on where the saved run's driver of the same kind was; null goes on without. It is fit for nothing after an error.</param>
    /// <param name="paused">Whether the VM is paused at first.</param>
    /// <param name="progress">Told what is resolved before.</param>
    /// <param name="cancellation">Ends the start.</param>
    /// <exception cref="VmException">The VM is not off; the state is damaged, or of another VM; or the machine cannot be built. The VM is off then, as if nothing had been tried.</exception>
    /// <exception cref="OperationCanceledException">Cancelled, or turned off, while it was starting.</exception>
    public void StartFrom(Stream state, IGuestDriver? driver = null, bool paused = false, IProgress<string>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(state);
        Start(paused ? VmState.Paused : VmState.Running, run => PowerOn(run, state, paused), driver, progress, cancellation);
    }

    private void PowerOn(MachineRun run, Stream state, bool paused)
    {
        try
        {
            run.PowerOn(state, paused);
        }
        catch (Exception e) when (e is StateFormatException or InvalidDataException)
        {
            throw new VmException(VmErrorKind.StateInvalid, $"VM '{Name}' cannot go on from this state. {e.Message}", e);
        }
        catch (StorageException e)
        {
            throw new VmException(VmErrorKind.StorageFailed, $"The state of VM '{Name}' cannot be loaded: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VmException(VmErrorKind.StorageFailed, $"The state of VM '{Name}' cannot be read: {HostError.Reason(e)}", e);
        }
    }

    private bool Hold(MachineRun run)
    {
        Task<bool> held = run.Hold();
        if (held.Wait(s_enginePatience))
        {
            return held.GetAwaiter().GetResult();
        }

        // Should it be given all the same, nobody wants it any more.
        _ = held.ContinueWith(
            given =>
            {
                if (given is { IsCompletedSuccessfully: true, Result: true })
                {
                    run.Release();
                }
            },
            TaskScheduler.Default);
        throw new VmException(VmErrorKind.Timeout, $"VM '{Name}' does not answer: the engine has been busy for {s_enginePatience.TotalSeconds:0} s. Turn it off.");
    }
}
