using System;
using System.IO;

namespace VirtShell.Storage.Tests;

/// <summary>A folder of its own for each test, deleted with it.</summary>
public abstract class TemporaryFolder : IDisposable
{
    protected string Folder { get; } = Directory.CreateTempSubdirectory("virtshell-storage-").FullName;

    protected string PathOf(string name) => Path.Combine(Folder, name);

    /// <summary>A file of the given size whose content is a function of the position.</summary>
    protected string MakeImage(string name, int length)
    {
        string path = PathOf(name);
        File.WriteAllBytes(path, Pattern(0, length));
        return path;
    }

    protected static byte[] Pattern(int seed, int length)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    protected static byte[] ReadAll(IBlockDevice device)
    {
        byte[] bytes = new byte[device.Length];
        device.Read(0, bytes);
        return bytes;
    }

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
        {
            Directory.Delete(Folder, recursive: true);
        }
    }
}
