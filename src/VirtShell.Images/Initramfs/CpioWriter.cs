using System;
using System.Globalization;
using System.IO;
using System.Text;

namespace VirtShell.Images.Initramfs;

/// <summary>
/// Writes the "newc" cpio format that Linux unpacks as an initramfs (kernel documentation,
/// driver-api/early-userspace/buffer-format). Owner and time are always zero and inodes are counted, so that the same
/// tree gives the same bytes.
/// </summary>
internal sealed class CpioWriter(Stream output)
{
    private const string Magic = "070701";
    private const string Trailer = "TRAILER!!!";
    private const int Alignment = 4;
    private const int BlockSize = 512;

    private long _position;
    private uint _inode;

    /// <summary>Writes one entry.</summary>
    /// <param name="path">Without leading slash.</param>
    /// <param name="mode">File type and permissions, as in st_mode.</param>
    /// <param name="data">The content of a file or the target of a link.</param>
    /// <param name="length">Its length; the stream must hold exactly that many bytes more.</param>
    /// <param name="deviceMajor">Of a device node.</param>
    /// <param name="deviceMinor">Of a device node.</param>
    public void Write(string path, uint mode, Stream? data, long length, uint deviceMajor = 0, uint deviceMinor = 0)
    {
        if (length > uint.MaxValue)
        {
            throw new ImageException($"/{path} is larger than 4 GiB, which an initramfs cannot hold.");
        }

        var links = (mode & FileMode.TypeMask) == FileMode.Folder ? 2u : 1u;
        WriteHeader(path, ++_inode, mode, links, (uint)length, deviceMajor, deviceMinor);
        if (data is not null)
        {
            var before = _position;
            Copy(data, length);
            if (_position - before != length)
            {
                throw new ImageException($"The source of /{path} changed while it was read.");
            }
        }

        Pad(Alignment);
    }

    public void Finish()
    {
        WriteHeader(Trailer, 0, 0, 1, 0, 0, 0);
        Pad(BlockSize);
    }

    private void WriteHeader(string path, uint inode, uint mode, uint links, uint size, uint major, uint minor)
    {
        var name = Encoding.UTF8.GetBytes(path + '\0');
        var header = new StringBuilder(Magic, 110);
        ReadOnlySpan<uint> fields = [inode, mode, 0, 0, links, 0, size, 0, 0, major, minor, (uint)name.Length, 0];
        foreach (var field in fields)
        {
            header.Append(field.ToString("X8", CultureInfo.InvariantCulture));
        }

        Put(Encoding.ASCII.GetBytes(header.ToString()));
        Put(name);
        Pad(Alignment);
    }

    private void Copy(Stream data, long length)
    {
        var buffer = new byte[Math.Min(length, 1 << 17) + 1];
        for (var rest = length; ;)
        {
            // One byte more than announced shows that the file grew.
            var count = data.Read(buffer, 0, (int)Math.Min(buffer.Length, rest + 1));
            if (count == 0)
            {
                return;
            }

            Put(buffer.AsSpan(0, count));
            rest -= count;
            if (rest < 0)
            {
                return;
            }
        }
    }

    private void Put(ReadOnlySpan<byte> bytes)
    {
        output.Write(bytes);
        _position += bytes.Length;
    }

    private void Pad(int alignment)
    {
        ReadOnlySpan<byte> zeros = stackalloc byte[BlockSize];
        Put(zeros[..(int)((alignment - (_position % alignment)) % alignment)]);
    }
}

/// <summary>The bits of st_mode (inode(7)).</summary>
internal static class FileMode
{
    public const uint TypeMask = 0xF000;
    public const uint Folder = 0x4000;
    public const uint CharacterDevice = 0x2000;
    public const uint BlockDevice = 0x6000;
    public const uint File = 0x8000;
    public const uint Link = 0xA000;
    public const uint Executable = 0x01ED; // rwxr-xr-x
    public const uint Plain = 0x01A4; // rw-r--r--
    public const uint LinkPermissions = 0x01FF;
    public const uint Device = 0x01B6; // rw-rw-rw-
    public const uint Private = 0x0180; // rw-------
}
