using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Threading;
using VirtShell.Storage;

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
    /// <summary>The most bytes of a definition, inline text of its initramfs included.</summary>
    internal const int LargestDefinition = 16 << 20;

    private const int LargestCrashReport = 16 << 20;

    private static readonly TimeSpan s_lockPatience = TimeSpan.FromSeconds(10);
    private readonly string _folder;

    public DefinitionStore(string homeFolder)
    {
        _folder = Path.Combine(homeFolder, "vms");
        try
        {
            if (Directory.Exists(homeFolder))
            {
                // It may hold other things, which are none of our business.
                PrivateFile.CloseFolder(homeFolder, "vms", "cache");
            }
            else
            {
                PrivateFile.CreateFolder(homeFolder);
            }

            if (Directory.Exists(_folder))
            {
                PrivateFile.CloseFolder(_folder);
            }

            PrivateFile.CreateFolder(_folder);
            PrivateFile.DeleteLeftovers(_folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VmException(VmErrorKind.StorageFailed, $"The folder '{homeFolder}' for VM definitions cannot be used: {HostError.Reason(e)} Set {VmHost.HomeVariable} to a folder that you can write to.", e);
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

    /// <summary>A VM's last crash report; null where there is none that can be read.</summary>
    public CrashReport? ReadCrashReport(Guid id)
    {
        try
        {
            return File.Exists(CrashPathOf(id)) ? CrashReport.FromJson(Encoding.UTF8.GetString(FileContent.Read(CrashPathOf(id), LargestCrashReport))) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    public void WriteCrashReport(Guid id, CrashReport report) => PrivateFile.Replace(CrashPathOf(id), Encoding.UTF8.GetBytes(report.ToJson()));

    public void DeleteCrashReport(Guid id)
    {
        try
        {
            File.Delete(CrashPathOf(id));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // An old report that stays is an annoyance, no reason not to start.
        }
    }

    public void WriteClock(Guid id, DateTime stood) => PrivateFile.Replace(ClockPathOf(id), Encoding.UTF8.GetBytes(RtcStart.At(stood).ToString()));

    /// <summary>Lists every definition file with what tells whether it has changed.</summary>
    public Dictionary<Guid, FileStamp> Scan()
    {
        Dictionary<Guid, FileStamp> found = [];
        try
        {
            foreach (FileInfo file in new DirectoryInfo(_folder).EnumerateFiles("*.json"))
            {
                if (Guid.TryParseExact(Path.GetFileNameWithoutExtension(file.Name), "D", out Guid id) && TryStamp(file) is { } stamp)
                {
                    found[id] = stamp;
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VmException(VmErrorKind.StorageFailed, $"The folder '{_folder}' for VM definitions cannot be read: {HostError.Reason(e)} Mend that, or set {VmHost.HomeVariable} to another folder.", e);
        }

        return found;
    }

    /// <summary>Reads one definition; null where the file has gone. Whatever is wrong with it is told in the result.</summary>
    public StoredVm? Read(Guid id, FileStamp stamp)
    {
        string path = PathOf(id);
        byte[] bytes;
        try
        {
            bytes = FileContent.Read(path, LargestDefinition);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Damaged(id, [], stamp, $"The definition '{path}' cannot be read: {HostError.Reason(e)} Mend that, or remove the VM and create it again.");
        }

        try
        {
            StoredDefinition? stored = StoredDefinition.Read(bytes);
            if (stored is null)
            {
                return Damaged(id, bytes, stamp, $"The definition '{path}' is empty. Remove the VM, or restore the file from a backup.");
            }

            if (stored.Format > StoredDefinition.CurrentFormat)
            {
                return Damaged(id, bytes, stamp, $"The definition '{path}' has format {stored.Format}; this VirtShell reads up to {StoredDefinition.CurrentFormat}. Use the newer VirtShell that wrote it.");
            }

            VmDefinition definition = stored.Vm with { Id = id };
            DefinitionRules.Check(definition);
            return new StoredVm(id, definition, null, stamp);
        }
        catch (JsonException e)
        {
            string where = e.LineNumber is { } line ? $" (line {line + 1})" : string.Empty;
            return Damaged(id, bytes, stamp, $"The definition '{path}' is damaged{where}: {FirstSentence(e.Message)} Mend the file, or remove the VM and create it again.");
        }
        catch (VmException e)
        {
            return Damaged(id, bytes, stamp, $"The definition '{path}' is not valid: {e.Message}");
        }
    }

    /// <summary>Writes a definition so that a reader sees either the old one or the new one, also after a power loss.</summary>
    public FileStamp Write(VmDefinition definition)
    {
        string path = PathOf(definition.Id);
        byte[] bytes = JsonSerializer.SerializeToUtf8Bytes(new StoredDefinition { Vm = definition }, HostJson.Default.StoredDefinition);
        if (bytes.Length > LargestDefinition)
        {
            throw new VmException(VmErrorKind.InvalidDefinition, $"The definition of '{definition.Name}' has {bytes.Length:N0} bytes; {LargestDefinition:N0} are the most. Put long texts into files of their own.");
        }

        try
        {
            PrivateFile.Replace(path, bytes);
            FileInfo file = new(path);
            return new FileStamp(file.LastWriteTimeUtc, file.Length);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CannotWrite($"The definition of '{definition.Name}'", path, e);
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
            throw new VmException(VmErrorKind.StorageFailed, $"The definition of '{name}' cannot be deleted: {HostError.Reason(e)}", e);
        }
    }

    /// <summary>Keeps other processes from creating or renaming VMs until the result is disposed.</summary>
    public FileStream LockInventory()
    {
        string path = Path.Combine(_folder, "inventory.lock");
        DateTime end = DateTime.UtcNow + s_lockPatience;
        while (true)
        {
            try
            {
                return PrivateFile.OpenLock(path);
            }
            catch (IOException e) when (HostError.IsInUse(e) && DateTime.UtcNow < end)
            {
                Thread.Sleep(10);
            }
            catch (IOException e) when (HostError.IsInUse(e))
            {
                throw new VmException(VmErrorKind.StorageFailed, $"The VM inventory '{_folder}' stays locked by another process: {HostError.Reason(e)} Wait for it, or end it.", e);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw CannotWrite("The lock of the VM inventory", path, e);
            }
        }
    }

    /// <summary>Why a file of the home folder is not written, and what to do.</summary>
    public static VmException CannotWrite(string what, string path, Exception e) => new(
        VmErrorKind.StorageFailed,
        HostError.IsDiskFull(e)
            ? $"{what} cannot be written to '{path}': the host's file system (or its quota) is full. Free space on it, then try again."
            : $"{what} cannot be written to '{path}': {HostError.Reason(e)}",
        e);

    private static FileStamp? TryStamp(FileInfo file)
    {
        try
        {
            return new FileStamp(file.LastWriteTimeUtc, file.Length);
        }
        catch (FileNotFoundException)
        {
            // Removed by another process meanwhile.
            return null;
        }
    }

    private static StoredVm Damaged(Guid id, ReadOnlySpan<byte> bytes, FileStamp stamp, string error)
    {
        // The name is worth having even where the rest is not, so that people can name what they remove.
        Match name = NameInText().Match(Encoding.UTF8.GetString(bytes));
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
