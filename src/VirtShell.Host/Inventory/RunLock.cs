using System;
using System.IO;
using System.Text.Json;
using System.Threading;
using VirtShell.Storage;

namespace VirtShell.Host.Inventory;

/// <summary>
/// Says that a VM runs in this process: an exclusively opened file, which the system releases even when the process is
/// killed, and a readable one beside it that names the process.
/// </summary>
internal sealed class RunLock : IDisposable
{
    private const int Attempts = 20;
    private const int LargestOwner = 64 << 10;

    private readonly FileStream _lock;
    private readonly string _ownerPath;

    private RunLock(FileStream held, string ownerPath)
    {
        _lock = held;
        _ownerPath = ownerPath;
    }

    /// <exception cref="VmException">Another process (or another host in this one) runs the VM, or the lock cannot be written.</exception>
    public static RunLock Take(DefinitionStore store, Guid id, string name)
    {
        FileStream held = OpenFree(store, id, name);
        try
        {
            PrivateFile.Replace(store.OwnerPathOf(id), JsonSerializer.SerializeToUtf8Bytes(new RunOwner(Environment.ProcessId, DateTimeOffset.UtcNow), HostJson.Default.RunOwner));
            return new RunLock(held, store.OwnerPathOf(id));
        }
        catch (Exception e)
        {
            // A lock that stayed open would say for ever that the VM runs.
            held.Dispose();
            if (e is IOException or UnauthorizedAccessException)
            {
                throw DefinitionStore.CannotWrite($"Who runs VM '{name}'", store.OwnerPathOf(id), e);
            }

            throw;
        }
    }

    /// <summary>Who else runs the VM; null where nobody does.</summary>
    public static RunOwner? FindOwner(DefinitionStore store, Guid id)
    {
        RunOwner? owner = ReadOwner(store, id);
        if (owner is null)
        {
            return null;
        }

        try
        {
            using FileStream free = PrivateFile.OpenLock(store.LockPathOf(id), create: false);
            return null;
        }
        catch (IOException e) when (HostError.IsInUse(e))
        {
            return owner;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Gone, or not to be opened (by a process without free descriptors, for example): nothing says that it is held.
            return null;
        }
    }

    public void Dispose()
    {
        try
        {
            File.Delete(_ownerPath);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The lock decides; a stale name beside a free lock means nothing.
        }

        _lock.Dispose();
    }

    private static FileStream OpenFree(DefinitionStore store, Guid id, string name)
    {
        // A reader that looks who holds the lock takes it for a moment: hence several tries.
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                return PrivateFile.OpenLock(store.LockPathOf(id));
            }
            catch (IOException e) when (HostError.IsInUse(e) && attempt < Attempts)
            {
                Thread.Sleep(10);
            }
            catch (IOException e) when (HostError.IsInUse(e))
            {
                string owner = ReadOwner(store, id) is { } process ? $"process {process.ProcessId}" : "another process";
                throw new VmException(VmErrorKind.InvalidState, $"VM '{name}' runs in {owner}; stop it there first.", e);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw DefinitionStore.CannotWrite($"The lock of VM '{name}'", store.LockPathOf(id), e);
            }
        }
    }

    private static RunOwner? ReadOwner(DefinitionStore store, Guid id)
    {
        try
        {
            return HostJson.Read(FileContent.Read(store.OwnerPathOf(id), LargestOwner), HostJson.Default.RunOwner) is { ProcessId: > 0 } owner ? owner : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }
}
