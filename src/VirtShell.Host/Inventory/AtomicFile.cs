using System;
using System.IO;

namespace VirtShell.Host.Inventory;

/// <summary>Replaces a file's content as a whole.</summary>
internal static class AtomicFile
{
    /// <summary>Writes beside <paramref name="path"/>, forces it to the disk and renames it into place.</summary>
    public static void Replace(string path, ReadOnlySpan<byte> content)
    {
        string temporary = path + "." + Guid.NewGuid().ToString("N") + ".tmp";
        try
        {
            using (FileStream file = new(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None))
            {
                file.Write(content);
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }
}
