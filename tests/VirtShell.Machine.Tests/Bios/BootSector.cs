using System;
using System.IO;
using Iced.Intel;
using VirtShell.Machine.Drives;
using VirtShell.Storage;

namespace VirtShell.Machine.Tests.Bios;

/// <summary>Boot sectors that are assembled for a test, and disks that begin with them.</summary>
internal static class BootSector
{
    public const int DebugExit = 0x501;
    private const int Offset = 0x7C00;
    private const int Length = 512;

    /// <summary>A sector of code at 0000:7C00, with its signature.</summary>
    public static byte[] Make(Action<Assembler> write, bool isSigned = true)
    {
        Assembler c = new(16);
        write(c);
        using MemoryStream code = new();
        c.Assemble(new StreamCodeWriter(code), Offset);
        if (code.Length > Length - 2)
        {
            throw new ArgumentException($"The boot sector has {code.Length} bytes.", nameof(write));
        }

        byte[] sector = new byte[Length];
        code.ToArray().CopyTo(sector, 0);
        if (isSigned)
        {
            (sector[510], sector[511]) = (0x55, 0xAA);
        }

        return sector;
    }

    /// <summary>A disk of zeros that begins with a sector.</summary>
    public static MemoryDisk Disk(byte[] sector, long length)
    {
        MemoryDisk disk = new(length);
        disk.Write(0, sector);
        return disk;
    }

    public static Drive Floppy(IBlockDevice? medium, int number = 0) => new(DriveKind.Floppy, DriveBus.Floppy, number, medium, "floppy");

    public static Drive Cd(IBlockDevice? medium) => new(DriveKind.Cd, DriveBus.Ide, 2, medium, "cd");

    public static Drive HardDisk(IBlockDevice medium, int number = 0) => new(DriveKind.HardDisk, DriveBus.Ide, number, medium, "disk");
}
