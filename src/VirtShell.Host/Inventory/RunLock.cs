using System;
using System.IO;
using System.Text.Json;
using System.Threading;

namespace VirtShell.Host.Inventory;

/// <summary>
/// Says that a VM runs in this process: an exclusively opened file, which the system releases even when the process is
/// killed, and a readable one beside it that names the process.
/// </summary>
internal sealed class RunLock : IDisposable
{
    private readonly FileStream _lock;
    private readonly string _ownerPath;

    private RunLock(FileStream held, string ownerPath)
    {
        _lock = held;
        _ownerPath = ownerPath;
    }

    /// <exception cref="VmException">Another process (or another host in this one) runs the VM.</exception>
    public static RunLock Take(DefinitionStore store, Guid id, string name)
    {
        // A reader that looks who holds the lock takes it for a moment: hence several tries.
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                FileStream held = Open(store.LockPathOf(id), FileMode.OpenOrCreate);
                RunLock taken = new(held, store.OwnerPathOf(id));
                AtomicFile.Replace(taken._ownerPath, JsonSerializer.SerializeToUtf8Bytes(new RunOwner(Environment.ProcessId, DateTimeOffset.UtcNow), HostJson.Default.RunOwner));
                return taken;
            }
            catch (IOException) when (attempt < 20)
            {
                Thread.Sleep(10);
            }
            catch (IOException e)
            {
                string owner = ReadOwner(store, id) is { } process ? $"process {process.ProcessId}" : "another process";
                throw new VmException(VmErrorKind.InvalidState, $"VM '{name}' runs in {owner}; stop it there first.", e);
            }
            catch (UnauthorizedAccessException e)
            {
                throw new VmException(VmErrorKind.StorageFailed, $"The lock of VM '{name}' cannot be made: {e.Message}", e);
            }
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
            using FileStream free = Open(store.LockPathOf(id), FileMode.Open);
            return null;
        }
        catch (FileNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return owner;
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

    private static FileStream Open(string path, FileMode mode) => new(path, mode, FileAccess.ReadWrite, FileShare.None, 1);

    private static RunOwner? ReadOwner(DefinitionStore store, Guid id)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllText(store.OwnerPathOf(id)), HostJson.Default.RunOwner);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }
}
