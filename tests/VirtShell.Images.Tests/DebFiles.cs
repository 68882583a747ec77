using System;
using System.Collections.Generic;
using System.Formats.Tar;
using System.IO;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using VirtShell.Images.Packages;

namespace VirtShell.Images.Tests;

/// <summary>Small packages made here.</summary>
internal static class DebFiles
{
    /// <summary>A package of a kernel, links good and bad, and a tool.</summary>
    public static byte[] Sample(string compression) => Pack(compression, Tar(SampleEntries()));

    public static string Hash(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

    /// <summary>The package as a file that cannot be fetched again.</summary>
    public static PackageFile OnDisk(TemporaryFolder folder, byte[] deb) =>
        new(folder.Write("p.deb", deb), Hash(deb), () => throw new ImageException("no network"));

    public static TarEntry Regular(string name, string text) => new GnuTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(Encoding.UTF8.GetBytes(text)) };

    public static byte[] Tar(IEnumerable<TarEntry> entries)
    {
        using var tar = new MemoryStream();
        using (var writer = new TarWriter(tar, TarEntryFormat.Gnu, leaveOpen: true))
        {
            foreach (var entry in entries)
            {
                writer.WriteEntry(entry);
            }
        }

        return tar.ToArray();
    }

    /// <param name="isPacked">Whether the archive is compressed already.</param>
    public static byte[] Pack(string compression, byte[] tar, bool isPacked = false)
    {
        using var deb = new MemoryStream();
        deb.Write("!<arch>\n"u8);
        Member("debian-binary", "2.0\n"u8.ToArray());
        Member("control.tar.gz", Compress(new byte[1024], ".gz"));
        Member("data.tar" + compression, isPacked ? tar : Compress(tar, compression));
        return deb.ToArray();

        void Member(string name, byte[] content)
        {
            deb.Write(Encoding.ASCII.GetBytes($"{name,-16}{0,-12}{0,-6}{0,-6}{100644,-8}{content.Length,-10}`\n"));
            deb.Write(content);
            if (content.Length % 2 != 0)
            {
                deb.WriteByte((byte)'\n');
            }
        }
    }

    public static byte[] Compress(byte[] content, string compression)
    {
        using var packed = new MemoryStream();
        Stream stream = compression switch
        {
            ".gz" => new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true),
            ".zst" => new ZstdSharp.CompressionStream(packed, leaveOpen: true),
            _ => packed,
        };
        stream.Write(content);
        if (!ReferenceEquals(stream, packed))
        {
            stream.Dispose();
        }

        return packed.ToArray();
    }

    private static TarEntry[] SampleEntries()
    {
        static TarEntry Link(string name, string target) => new GnuTarEntry(TarEntryType.SymbolicLink, name) { LinkName = target };
        return
        [
            Regular("./boot/vmlinuz-1", "kernel"),
            Link("./boot/link", "vmlinuz-1"),
            Link("./boot/outside", "../../../etc/passwd"),
            Link("./boot/loop", "loop"),
            Regular("../escape", "no"),
            new GnuTarEntry(TarEntryType.Directory, "./usr/"),
            Regular("./usr/bin/tool", "tool"),
        ];
    }
}
