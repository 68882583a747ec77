using System;
using System.Globalization;
using System.IO;

namespace VirtShell.Storage;

/// <summary>Folders and files that only their owner can read: 0700 and 0600 where the host has such modes.</summary>
public static class PrivateFile
{
    /// <summary>The end of the names of files that <see cref="Replace"/> is about to rename.</summary>
    public const string TemporaryExtension = ".tmp";

    private const UnixFileMode FolderMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode FileModeBits = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const int TypeMask = 0xF000;
    private const int FolderType = 0x4000;
    private const int OthersMask = 0x3F; // rwx of group and others
    private const int OthersWriteMask = 0x12;
    private const int StickyBit = 0x200;

    private static readonly TimeSpan s_staleAfter = TimeSpan.FromHours(1);

    /// <summary>What tells this user from others in the name of a folder.</summary>
    public static string UserTag => OperatingSystem.IsLinux() ? HostFile.EffectiveUser().ToString(CultureInfo.InvariantCulture) : Environment.UserName;

    /// <summary>Makes a folder (and those above it) that only its owner can enter. One that exists and belongs to this user is closed to others, with the files right in it.</summary>
    /// <exception cref="IOException">It cannot be made.</exception>
    /// <exception cref="UnauthorizedAccessException">The user may not make it.</exception>
    public static void CreateFolder(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
            return;
        }

        if (!Directory.Exists(path))
        {
            Directory.CreateDirectory(path, FolderMode);
            return;
        }

        if (!OperatingSystem.IsLinux() || !IsOwnAndOpen(path))
        {
            return;
        }

        File.SetUnixFileMode(path, FolderMode);
        foreach (string file in Directory.EnumerateFiles(path))
        {
            HostFile.Status status = HostFile.StatusOf(HostFile.EncodePath(file), file, followLink: false);
            if (status.IsRegular && status.Owner == HostFile.EffectiveUser() && (status.Mode & OthersMask) != 0)
            {
                File.SetUnixFileMode(file, FileModeBits);
            }
        }
    }

    /// <summary>
    /// Closes a folder that was there already as far as it is this user's to close: to everybody else where it holds nothing but
    /// <paramref name="names"/>, and where it holds other things too, so that nobody else can rename what is in it. In one with the sticky
    /// bit, as temporary folders have it, nobody can.
    /// </summary>
    /// <exception cref="IOException">It is somebody else's, and more than its owner can rename what is in it.</exception>
    /// <exception cref="UnauthorizedAccessException">The user may not change or read it.</exception>
    public static void CloseFolder(string path, params ReadOnlySpan<string> names)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        HostFile.Status status = HostFile.StatusOf(HostFile.EncodePath(path), path);
        if ((status.Mode & OthersMask) == 0 || (status.Mode & StickyBit) != 0)
        {
            return;
        }

        if (status.Owner != HostFile.EffectiveUser())
        {
            if ((status.Mode & OthersWriteMask) != 0)
            {
                throw new IOException($"'{path}' belongs to another user, and others can put files in the place of those in it.");
            }

            return;
        }

        bool isAlone = true;
        foreach (string entry in Directory.EnumerateFileSystemEntries(path))
        {
            isAlone &= names.Contains(Path.GetFileName(entry));
        }

        UnixFileMode open = (UnixFileMode)(isAlone ? OthersMask : OthersWriteMask);
        UnixFileMode mode = File.GetUnixFileMode(path);
        if ((mode & open) != 0)
        {
            File.SetUnixFileMode(path, mode & ~open);
        }
    }

    /// <summary>Makes a folder in a place where everybody may write, or takes it when it is beyond doubt this user's own: a folder, no link, of the right owner, closed to others.</summary>
    /// <exception cref="IOException">It belongs to somebody else, is open to others, or cannot be made; the message says what to do.</exception>
    public static void CreateFolderInPublicPlace(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
            return;
        }

        if (!Path.Exists(path))
        {
            Directory.CreateDirectory(path, FolderMode);
        }

        if (OperatingSystem.IsLinux())
        {
            HostFile.Status status = HostFile.StatusOf(HostFile.EncodePath(path), path, followLink: false);
            string? problem = (status.Mode & TypeMask) != FolderType ? "is not a folder"
                : status.Owner != HostFile.EffectiveUser() ? "belongs to another user"
                : (status.Mode & OthersMask) != 0 ? "is open to other users"
                : null;
            if (problem is not null)
            {
                throw new IOException($"'{path}' {problem}, so it is not used.");
            }
        }
        else if (new DirectoryInfo(path).LinkTarget is not null || (File.GetUnixFileMode(path) & ~FolderMode) != 0)
        {
            throw new IOException($"'{path}' is a link or open to other users, so it is not used.");
        }
    }

    /// <summary>Creates a file that must not be there yet, for its owner alone, held exclusively. No link is followed.</summary>
    public static FileStream CreateNew(string path) => new(path, Options(FileMode.CreateNew, FileAccess.Write, isPrivate: true));

    /// <summary>Opens a lock file, which is made when needed. <see cref="HostError.IsInUse"/> tells of a lock that is held from all else that can go wrong.</summary>
    /// <exception cref="IOException">Another holds it, or it cannot be opened.</exception>
    public static FileStream OpenLock(string path, bool create = true) => new(path, Options(create ? FileMode.OpenOrCreate : FileMode.Open, FileAccess.ReadWrite, isPrivate: create));

    /// <summary>Replaces a file's content as a whole: written beside under a name that nobody can guess, forced to the disk, renamed.</summary>
    /// <param name="path">The file.</param>
    /// <param name="content">All of it.</param>
    /// <param name="isPrivate">For the owner alone; otherwise as new files of this user are.</param>
    /// <exception cref="IOException">It cannot be written; the old content is still there.</exception>
    /// <exception cref="UnauthorizedAccessException">The user may not write there.</exception>
    public static void Replace(string path, ReadOnlySpan<byte> content, bool isPrivate = true)
    {
        string temporary = path + "." + Guid.NewGuid().ToString("N") + TemporaryExtension;
        try
        {
            using (FileStream file = new(temporary, Options(FileMode.CreateNew, FileAccess.Write, isPrivate)))
            {
                file.Write(content);
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            TryDelete(temporary);
            throw;
        }
    }

    /// <summary>Deletes what <see cref="Replace"/> left in a folder when its process was killed: named as it names them, an hour old, and held by nobody.</summary>
    public static void DeleteLeftovers(string folder)
    {
        const int suffix = 1 + 32 + 4;
        try
        {
            foreach (FileInfo file in new DirectoryInfo(folder).EnumerateFiles("*" + TemporaryExtension))
            {
                if (file.Name.Length > suffix
                    && file.Name[^suffix] == '.'
                    && Guid.TryParseExact(file.Name[^(suffix - 1)..^TemporaryExtension.Length], "N", out _))
                {
                    DeleteIfStale(file);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Leftovers cost a little room and nothing else.
        }
    }

    /// <summary>Deletes a file that nobody has written for an hour and nobody holds open.</summary>
    public static void DeleteIfStale(FileInfo file)
    {
        ArgumentNullException.ThrowIfNull(file);
        try
        {
            if (file.LinkTarget is not null || DateTime.UtcNow - file.LastWriteTimeUtc < s_staleAfter || FileContent.KindOf(file.FullName) != FileKind.Regular)
            {
                return;
            }

            using FileStream free = OpenLock(file.FullName, create: false);
            file.Delete();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Somebody has it, or it has gone.
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What went wrong first is what matters; the next start deletes this one.
        }
    }

    private static bool IsOwnAndOpen(string path)
    {
        HostFile.Status status = HostFile.StatusOf(HostFile.EncodePath(path), path);
        return (status.Mode & TypeMask) == FolderType && status.Owner == HostFile.EffectiveUser() && (status.Mode & OthersMask) != 0;
    }

    private static FileStreamOptions Options(FileMode mode, FileAccess access, bool isPrivate)
    {
        FileStreamOptions options = new() { Mode = mode, Access = access, Share = FileShare.None, BufferSize = 0 };
        if (isPrivate && !OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = FileModeBits;
        }

        return options;
    }
}
