using System;
using System.IO;
using System.Security.Cryptography;

namespace VirtShell.Images;

/// <summary>A source that was resolved to a local file.</summary>
public sealed class ResolvedFile
{
    private string? _sha256;

    /// <param name="path">The file.</param>
    /// <param name="sha256">Its content hash, lower-case hex; null to compute it when asked for.</param>
    /// <param name="origin">What it came from, for reports: <c>apt:linux-image-amd64 6.1.192-2</c>, a path, a URL.</param>
    public ResolvedFile(string path, string? sha256, string origin)
    {
        Path = path;
        _sha256 = sha256;
        Origin = origin;
    }

    /// <summary>A pipe, which can be read once only and so was.</summary>
    internal ResolvedFile(string path, byte[] content, string origin)
        : this(path, Convert.ToHexStringLower(SHA256.HashData(content)), origin) => Content = content;

    /// <summary>The file's path; where <see cref="Content"/> is there, nothing more can be read from it.</summary>
    public string Path { get; }

    /// <summary>All bytes of what can be read once only, else null.</summary>
    public byte[]? Content { get; }

    public string Origin { get; }

    /// <summary>Whether the hash is known already, so that <see cref="Sha256"/> costs nothing.</summary>
    public bool IsHashed => _sha256 is not null;

    /// <summary>The content hash, lower-case hex. Computed at first use where it was not known: disk images are large.</summary>
    /// <exception cref="ImageException">The file cannot be read any more.</exception>
    public string Sha256 => _sha256 ??= Hash(Path);

    public override string ToString() => Origin;

    internal static string Hash(string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            return Convert.ToHexStringLower(SHA256.HashData(stream));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ImageException($"Cannot read {path}: {e.Message}", e);
        }
    }
}
