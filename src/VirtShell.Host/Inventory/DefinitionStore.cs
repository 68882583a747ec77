using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Threading;

namespace VirtShell.Host.Inventory;

/// <summary>One definition file as it was read: either a definition or the reason why there is none.</summary>
internal sealed record StoredVm(Guid Id, VmDefinition Definition, string? Error, FileStamp Stamp);

/// <summary>What tells that a file has changed.</summary>
internal readonly record struct FileStamp(DateTime WrittenAt, long Length);

/// <summary>
/// The folder of definitions: <c>vms/ID.json</c>, one file for each VM, replaced as a whole. Beside it
/// <c>ID.lock</c> and <c>ID.run.json</c> while the VM runs, <c>ID.clock</c> with where its clock stood at the end of its last run,
/// and <c>ID.crash.json</c> after a crash.
/// </summary>
internal sealed partial class DefinitionStore
{
    private static readonly TimeSpan LockPatience = TimeSpan.FromSeconds(10);
    private readonly string _folder;

    public DefinitionStore(string homeFolder)
    {
        _folder = Path.Combine(homeFolder, "vms");
        try
        {
            Directory.CreateDirectory(_folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VmException(VmErrorKind.StorageFailed, $"The folder '{homeFolder}' for VM definitions cannot be made: {e.Message} Set VIRTSHELL_HOME to a folder that you can write to.", e);
        }
    }

    public string PathOf(Guid id) => Path.Combine(_folder, id.ToString("D") + ".json");

    public string LockPathOf(Guid id) => Path.Combine(_folder, id.ToString("D") + ".lock");

    public string OwnerPathOf(Guid id) => Path.Combine(_folder, id.ToString("D") + ".run.json");

    public string CrashPathOf(Guid id) => Path.Combine(_folder, id.ToString("D") + ".crash.json");

    public string ClockPathOf(Guid id) => Path.Combine(_folder, id.ToString("D") + ".clock");

    /// <summary>Where a VM's clock last stood; null where that is not known.</summary>
    public DateTime? ReadClock(Guid id)
    {
        try
        {
            return RtcStart.TryParse(File.ReadAllText(ClockPathOf(id)), out RtcStart stood) ? stood.Fixed : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It has never run, or the host's time has to do.
            return null;
        }
    }

    public void WriteClock(Guid id, DateTime stood) => AtomicFile.Replace(ClockPathOf(id), Encoding.UTF8.GetBytes(RtcStart.At(stood).ToString()));

    /// <summary>Lists every definition file with what tells whether it has changed.</summary>
    public Dictionary<Guid, FileStamp> Scan()
    {
        Dictionary<Guid, FileStamp> found = [];
        foreach (FileInfo file in new DirectoryInfo(_folder).EnumerateFiles("*.json"))
        {
            if (Guid.TryParseExact(Path.GetFileNameWithoutExtension(file.Name), "D", out Guid id))
            {
                found[id] = new FileStamp(file.LastWriteTimeUtc, file.Length);
            }
        }

        return found;
    }

    /// <summary>Reads one definition; null where the file has gone.</summary>
    public StoredVm? Read(Guid id, FileStamp stamp)
    {
        string path = PathOf(id);
        string text;
        try
        {
            text = File.ReadAllText(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Damaged(id, string.Empty, stamp, $"The definition '{path}' cannot be read: {e.Message}");
        }

        try
        {
            StoredDefinition? stored = JsonSerializer.Deserialize(text, HostJson.Default.StoredDefinition);
            if (stored is null)
            {
                return Damaged(id, text, stamp, $"The definition '{path}' is empty. Remove the VM, or restore the file from a backup.");
            }

            if (stored.Format > StoredDefinition.CurrentFormat)
            {
                return Damaged(id, text, stamp, $"The definition '{path}' has format {stored.Format}; this VirtShell reads up to {StoredDefinition.CurrentFormat}. Use the newer VirtShell that wrote it.");
            }

            VmDefinition definition = stored.Vm with { Id = id };
            DefinitionRules.Check(definition);
            return new StoredVm(id, definition, null, stamp);
        }
        catch (JsonException e)
        {
            string where = e.LineNumber is { } line ? $" (line {line + 1})" : string.Empty;
            return Damaged(id, text, stamp, $"The definition '{path}' is damaged{where}: {FirstSentence(e.Message)} Mend the file, or remove the VM and create it again.");
        }
        catch (VmException e)
        {
            return Damaged(id, text, stamp, $"The definition '{path}' is not valid: {e.Message}");
        }
    }

    /// <summary>Writes a definition so that a reader sees either the old one or the new one, also after a power loss.</summary>
    public FileStamp Write(VmDefinition definition)
    {
        string path = PathOf(definition.Id);
        byte[] bytes = JsonSerializer.SerializeToUtf8Bytes(new StoredDefinition { Vm = definition }, HostJson.Default.StoredDefinition);
        try
        {
            AtomicFile.Replace(path, bytes);
            FileInfo file = new(path);
            return new FileStamp(file.LastWriteTimeUtc, file.Length);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VmException(VmErrorKind.StorageFailed, $"The definition of '{definition.Name}' cannot be written to '{path}': {e.Message}", e);
        }
    }

    public void Delete(Guid id, string name)
    {
        try
        {
            File.Delete(PathOf(id));
            File.Delete(CrashPathOf(id));
            File.Delete(ClockPathOf(id));
            File.Delete(OwnerPathOf(id));
            File.Delete(LockPathOf(id));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VmException(VmErrorKind.StorageFailed, $"The definition of '{name}' cannot be deleted: {e.Message}", e);
        }
    }

    /// <summary>Keeps other processes from creating or renaming VMs until the result is disposed.</summary>
    public FileStream LockInventory()
    {
        string path = Path.Combine(_folder, "inventory.lock");
        DateTime end = DateTime.UtcNow + LockPatience;
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1);
            }
            catch (IOException) when (DateTime.UtcNow < end)
            {
                Thread.Sleep(10);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new VmException(VmErrorKind.StorageFailed, $"The VM inventory '{_folder}' stays locked by another process: {e.Message}", e);
            }
        }
    }

    private static StoredVm Damaged(Guid id, string text, FileStamp stamp, string error)
    {
        // The name is worth having even where the rest is not, so that people can name what they remove.
        Match name = NameInText().Match(text);
        string shown = name.Success ? name.Groups[1].Value : id.ToString("D");
        return new StoredVm(id, new VmDefinition { Name = shown, Id = id }, error, stamp);
    }

    private static string FirstSentence(string message)
    {
        int path = message.IndexOf(" Path:", StringComparison.Ordinal);
        return path < 0 ? message : message[..path];
    }

    [GeneratedRegex("\"name\"\\s*:\\s*\"([^\"\\\\*?\\[\\]`\\p{Cc}]{1,100})\"", RegexOptions.CultureInvariant)]
    private static partial Regex NameInText();
}
