using System;
using System.Formats.Tar;
using System.Globalization;
using System.IO;
using System.Text;
using System.Threading;
using VirtShell.Images.Apt;

namespace VirtShell.Images.Packages;

/// <summary>
/// The files of a Debian binary package (deb(5)): an ar archive whose member data.tar.* holds them. The host's dpkg-deb
/// unpacks where there is one, being several times faster; otherwise it is done here.
/// </summary>
internal static class DebArchive
{
    private const int ArHeaderSize = 60;
    private const int ArSizeOffset = 48;
    private const int ArSizeLength = 10;
    private const int MostEntries = 1_000_000;

    private static ReadOnlySpan<byte> ArMagic => "!<arch>\n"u8;

    /// <summary>Calls back for each entry of data.tar, in order; the entry's data is only there during the call.</summary>
    public static void ReadFiles(string path, Action<TarEntry> visit, CancellationToken cancellation, bool useHostTool = true)
    {
        try
        {
            using var file = File.OpenRead(path);
            var extension = FindData(file);
            if (useHostTool && HostCommand.Find("dpkg-deb") is { } tool)
            {
                ReadByTool(tool, path, visit, cancellation);
            }
            else
            {
                using var tar = new UnpackingStream(Decompress(file, extension, path), UnpackingStream.PackageLimit(file.Length));
                ReadTar(tar, visit, cancellation);
            }
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw new ImageException($"The package {path} is damaged ({e.Message}): delete it to have it downloaded again.", e);
        }
    }

    private static void ReadByTool(string tool, string path, Action<TarEntry> visit, CancellationToken cancellation)
    {
        using var process = HostCommand.Start(HostCommand.Prepare(tool, ["--fsys-tarfile", path]));
        var errors = new StringBuilder();
        process.ErrorDataReceived += (_, e) => errors.Append(e.Data);
        process.BeginErrorReadLine();
        var done = false;
        try
        {
            using var tar = new UnpackingStream(process.StandardOutput.BaseStream, UnpackingStream.PackageLimit(new FileInfo(path).Length));
            ReadTar(tar, visit, cancellation);
            tar.CopyTo(Stream.Null);
            process.WaitForExit();
            done = true;
        }
        finally
        {
            if (!done)
            {
                HostCommand.Kill(process);
            }
        }

        if (process.ExitCode != 0)
        {
            throw new InvalidDataException(errors.ToString());
        }
    }

    private static void ReadTar(Stream stream, Action<TarEntry> visit, CancellationToken cancellation)
    {
        using var reader = new TarReader(new TarGuard(stream), leaveOpen: true);
        for (var count = 0; Next(reader) is { } entry; count++)
        {
            cancellation.ThrowIfCancellationRequested();
            if (count >= MostEntries)
            {
                throw new InvalidDataException($"it holds more than {MostEntries} files");
            }

            visit(entry);
        }
    }

    /// <summary>The reader's complaints about an archive, as one kind of exception.</summary>
    private static TarEntry? Next(TarReader reader)
    {
        try
        {
            return reader.GetNextEntry();
        }
        catch (Exception e) when (e is FormatException or ArgumentException or InvalidOperationException or OverflowException or NotSupportedException)
        {
            throw new InvalidDataException(e.Message, e);
        }
    }

    /// <summary>Goes to the member with the files; gives the rest of its name, by which it is compressed. What it takes to unpack is bounded, also for the host's tool.</summary>
    private static string FindData(FileStream file)
    {
        Span<byte> header = stackalloc byte[ArHeaderSize];
        file.ReadExactly(header[..ArMagic.Length]);
        if (!header[..ArMagic.Length].SequenceEqual(ArMagic))
        {
            throw new InvalidDataException("it is not an ar archive");
        }

        while (true)
        {
            file.ReadExactly(header);
            var name = Encoding.ASCII.GetString(header[..16]).TrimEnd(' ', '/');
            if (!long.TryParse(Encoding.ASCII.GetString(header.Slice(ArSizeOffset, ArSizeLength)).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var size))
            {
                throw new InvalidDataException("the size of one of its members is no number");
            }

            if (name.StartsWith("data.tar", StringComparison.Ordinal))
            {
                // data.tar is the last member, so the rest of the file is it (and at most one byte of padding).
                var extension = name["data.tar".Length..];
                if (extension == ".xz")
                {
                    XzGuard.Check(file, Math.Min(file.Length, file.Position + size));
                }

                return extension;
            }

            file.Position += size + (size & 1);
        }
    }

    private static Stream Decompress(FileStream data, string extension, string path) => extension switch
    {
        "" => data,
        ".gz" or ".xz" or ".zst" => Decompressor.Open(data, extension),
        _ => throw new ImageException($"{path} is compressed as {extension}, which is not supported without dpkg-deb."),
    };
}
