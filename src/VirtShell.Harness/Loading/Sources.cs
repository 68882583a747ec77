using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using VirtShell.Harness.Model;
using VirtShell.Host;

namespace VirtShell.Harness.Loading;

/// <summary>The files that a suite's machines are made of.</summary>
internal static class Sources
{
    /// <summary>Every path of an item's machines that is not there, with its place.</summary>
    public static IEnumerable<SuiteDiagnostic> Missing(LoadedItem item, LoadedSuite suite)
    {
        foreach (PlacedSource source in item.Test.Neighbours.Select(n => n.Vm).Prepend(item.Test.Vm).SelectMany(v => v.Sources))
        {
            if (PathOf(source.Source, suite.Folder) is { } path && !File.Exists(path) && !Directory.Exists(path))
            {
                yield return new SuiteDiagnostic(suite.File, source.Mark.Line, source.Mark.Column, $"there is no {source.What} {Printable.Quote(source.Source, 200)} (looked for as {Printable.Escape(path)})");
            }
        }
    }

    /// <summary>The image files that an item's guest writes, and those that it only uses, by full path.</summary>
    public static IEnumerable<(string Path, bool Writes)> Images(LoadedItem item, LoadedSuite suite)
    {
        foreach (FloppySpec floppy in item.Test.Neighbours.Select(n => n.Vm).Prepend(item.Test.Vm).SelectMany(v => v.Floppies))
        {
            if (floppy.Drive.Source is { } source && PathOf(source, suite.Folder) is { } path)
            {
                yield return (Real(path), floppy.Drive.Access == DiskAccess.ReadWrite);
            }
        }

        foreach (DiskSpec disk in item.Test.Neighbours.Select(n => n.Vm).Prepend(item.Test.Vm).SelectMany(v => v.Disks))
        {
            if (!disk.IsGenerated && PathOf(disk.Disk.Source, suite.Folder) is { } path)
            {
                yield return (Real(path), disk.Disk.Access == DiskAccess.ReadWrite);
            }
        }
    }

    /// <summary>The path that a source names; null where it names a package or an address.</summary>
    private static string? PathOf(string source, string folder)
    {
        if (new[] { "apt:", "https:", "http:" }.Any(p => source.StartsWith(p, StringComparison.OrdinalIgnoreCase)))
        {
            return null;
        }

        string path = source.StartsWith("~/", StringComparison.Ordinal) ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), source[2..]) : source;
        return Path.GetFullPath(path, folder);
    }

    /// <summary>One file has one name here, also where links lead to it.</summary>
    private static string Real(string path)
    {
        try
        {
            return File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return path;
        }
    }
}
