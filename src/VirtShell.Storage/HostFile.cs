using System;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace VirtShell.Storage;

/// <summary>
/// What differs by host system for image files: a file's identity, and punching holes. On Linux a file that was deleted or
/// replaced stays readable through its handle, so identity is compared by path; Windows refuses to delete an open image;
/// elsewhere existence and size are checked. Only the Linux path has been tried.
/// </summary>
internal static unsafe partial class HostFile
{
    private const int AtFdCwd = -100;
    private const int AtEmptyPath = 0x1000;
    private const uint StatxTypeInoSize = 0x1 | 0x100 | 0x200;
    private const int FileTypeMask = 0xF000;
    private const int RegularFile = 0x8000;
    private const int FallocKeepSizePunchHole = 0x01 | 0x02;
    private const uint FsctlSetSparse = 0x900C4;

    /// <summary>What a path or a handle leads to.</summary>
    internal readonly record struct Status(bool Exists, bool IsRegular, ulong Inode, ulong Device, long Size)
    {
        public bool IsSameFile(Status other) => Exists && other.Exists && Inode == other.Inode && Device == other.Device;
    }

    /// <summary>The path with a terminating zero, as <see cref="StatusOf(byte[], string)"/> takes it on every access.</summary>
    public static byte[] EncodePath(string path) => Encoding.UTF8.GetBytes(path + "\0");

    public static Status StatusOf(byte[] encodedPath, string path)
    {
        if (OperatingSystem.IsLinux())
        {
            fixed (byte* name = encodedPath)
            {
                StatxBuffer buffer;
                return Statx(AtFdCwd, name, 0, StatxTypeInoSize, &buffer) == 0 ? From(buffer) : default;
            }
        }

        FileInfo info = new(path);
        return info.Exists ? new Status(true, true, 0, 0, info.Length) : default;
    }

    public static Status StatusOf(SafeFileHandle handle)
    {
        if (OperatingSystem.IsLinux())
        {
            byte empty = 0;
            StatxBuffer buffer;
            return Statx((int)handle.DangerousGetHandle(), &empty, AtEmptyPath, StatxTypeInoSize, &buffer) == 0 ? From(buffer) : default;
        }

        return new Status(true, true, 0, 0, RandomAccess.GetLength(handle));
    }

    /// <summary>Gives a range of a file back to the file system, to read as zeros; false where that is not possible.</summary>
    public static bool TryPunchHole(SafeFileHandle handle, long offset, long length) =>
        OperatingSystem.IsLinux() && Fallocate((int)handle.DangerousGetHandle(), FallocKeepSizePunchHole, offset, length) == 0;

    /// <summary>On Windows, makes a file one whose holes take no room; false where that is not possible. Elsewhere files are so by themselves.</summary>
    public static bool TryMakeSparse(SafeFileHandle handle)
    {
        uint returned;
        return !OperatingSystem.IsWindows() || DeviceIoControl(handle, FsctlSetSparse, null, 0, null, 0, &returned, null) != 0;
    }

    private static Status From(in StatxBuffer buffer) => new(
        true,
        (buffer.Mode & FileTypeMask) == RegularFile,
        buffer.Inode,
        ((ulong)buffer.DeviceMajor << 32) | buffer.DeviceMinor,
        (long)buffer.Size);

    // stat(2) differs by architecture; statx(2) has one layout everywhere.
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct StatxBuffer
    {
        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(32)]
        public ulong Inode;

        [FieldOffset(40)]
        public ulong Size;

        [FieldOffset(136)]
        public uint DeviceMajor;

        [FieldOffset(140)]
        public uint DeviceMinor;
    }

    [LibraryImport("libc", EntryPoint = "statx")]
    private static partial int Statx(int directory, byte* path, int flags, uint mask, StatxBuffer* buffer);

    [LibraryImport("libc", EntryPoint = "fallocate")]
    private static partial int Fallocate(int descriptor, int mode, long offset, long length);

    [LibraryImport("kernel32", EntryPoint = "DeviceIoControl", SetLastError = true)]
    private static partial int DeviceIoControl(SafeFileHandle handle, uint code, void* input, uint inputLength, void* output, uint outputLength, uint* returned, void* overlapped);
}
