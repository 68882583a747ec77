using System;
using System.Buffers.Binary;
using VirtShell.Cpu;
using VirtShell.Machine.Drives;
using VirtShell.State;
using VirtShell.Storage;

namespace VirtShell.Machine.Bios;

/// <summary>
/// INT 13h: drives by cylinder, head and sector, Enhanced Disk Drive services (T13 1484D, EDD-3), and disks that a CD
/// emulates (El Torito 1.0). It moves whole requests, at most 127 sectors; the drives' controllers have no part in it.
/// </summary>
[NotState("What is to be remembered stands in the guest's memory.")]
internal sealed partial class BiosDisk(BiosCpu c, BiosDrives drives)
{
    private const int MostSectors = 128;
    private const int MostExtended = 127;
    private const int BufferBytes = 64 << 10;

    private readonly byte[] _buffer = new byte[BufferBytes];

    // What INT 13h answers (Interrupt list, table 00234).
    private enum Status : byte
    {
        Ok = 0x00,
        BadCommand = 0x01,
        WriteProtected = 0x03,
        SectorNotFound = 0x04,
        Changed = 0x06,
        ControllerFailed = 0x20,
        NoMedium = 0x31,
        NotReady = 0x80,
        NotLocked = 0xB0,
    }

    private enum Transfer
    {
        Read,
        Write,
        Verify,
    }

    // A drive as DL means it: an emulated disk, or one that is there.
    private readonly record struct Target(BiosDrive Drive, byte Number, Geometry Geometry, long Start, long Sectors, bool IsEmulated)
    {
        public bool IsFloppy => Number < BiosDrives.FirstHardDisk;
    }

    public void Call()
    {
        byte function = c.Ah;
        byte number = c.Dl;
        if (function is 0x4B)
        {
            Finish(number, CallEmulation());
            return;
        }

        if (function == 0x01)
        {
            Status last = (Status)c.Data(number < BiosDrives.FirstHardDisk ? Bda.FloppyStatus : Bda.DiskStatus);
            c.Ah = (byte)last;
            c.SetCarry(last != Status.Ok);
            return;
        }

        if (!TryFind(number, out Target target))
        {
            // How many there are can be asked of any of their kind.
            if (function == 0x08 && number < BiosDrives.FirstHardDisk)
            {
                (c.Bx, c.Cx, c.Dx, c.Ax) = (0, 0, (ushort)FloppyCount(), 0);
                Finish(number, Status.Ok);
                return;
            }

            if (function == 0x15)
            {
                c.Ax = 0;
                c.SetCarry(false);
                return;
            }

            Finish(number, Status.BadCommand);
            return;
        }

        switch (function)
        {
            case 0x15:
                TellType(in target);
                return;
            default:
                Finish(number, target.IsFloppy ? CallFloppy(function, in target) : CallHardDisk(function, in target));
                return;
        }
    }

    /// <summary>Reads whole sectors of a drive for the BIOS itself; false where there is no medium, it is too short or it fails.</summary>
    public static bool TryRead(BiosDrive drive, long sector, Span<byte> destination)
    {
        IBlockDevice? medium = drive.Medium;
        long at = sector * drive.SectorSize;
        if (medium is null || at > medium.Length)
        {
            return false;
        }

        int there = (int)Math.Min(destination.Length, medium.Length - at);
        destination[there..].Clear();
        try
        {
            medium.Read(at, destination[..there]);
        }
        catch (StorageException)
        {
            return false;
        }

        return there > 0;
    }

    private int FloppyCount() => drives.Floppies.Count + (EmulatedNumber() < BiosDrives.FirstHardDisk ? 1 : 0);

    private int HardDiskCount() => drives.HardDisks.Count + (EmulatedNumber() is >= BiosDrives.FirstHardDisk and < BiosDrives.FirstCd ? 1 : 0);

    // The number that a disk emulated by a CD has; 256 for none.
    private int EmulatedNumber() => c.ExtendedByte(Ebda.EmulationKind) > 1 ? c.ExtendedByte(Ebda.EmulationDrive) : 256;

    private bool TryFind(byte number, out Target target)
    {
        target = default;
        int emulated = EmulatedNumber();
        if (emulated == number)
        {
            int cd = c.ExtendedByte(Ebda.EmulationCd);
            if (cd >= drives.Cds.Count)
            {
                return false;
            }

            Geometry geometry = new(
                c.Word(c.Extended(Ebda.EmulationCylinders)),
                c.Word(c.Extended(Ebda.EmulationHeads)),
                c.ExtendedByte(Ebda.EmulationSectors));
            long start = (long)c.Dword(c.Extended(Ebda.EmulationStart)) * (BiosDrives.CdSector / BiosDrives.DiskSector);
            target = new(drives.Cds[cd], number, geometry, start, geometry.Total, IsEmulated: true);
            return true;
        }

        // The emulated disk has pushed the others of its kind up by one.
        bool isPushed = emulated < 256 && (emulated < BiosDrives.FirstHardDisk) == (number < BiosDrives.FirstHardDisk) && number < BiosDrives.FirstCd;
        if (drives.Find((byte)(isPushed ? number - 1 : number)) is not { } drive)
        {
            return false;
        }

        long sectors = (drive.Medium?.Length ?? 0) / drive.SectorSize;
        target = new(drive, number, GeometryOf(drive, sectors), 0, sectors, IsEmulated: false);
        return true;
    }

    private Geometry GeometryOf(BiosDrive drive, long sectors)
    {
        switch (drive.Kind)
        {
            case DriveKind.Floppy:
                return Geometry.OfFloppy(drive.Medium?.Length ?? 1474560);
            case DriveKind.HardDisk:
                uint entry = c.Extended(Ebda.Geometries + ((drive.Number - BiosDrives.FirstHardDisk) * Ebda.GeometryLength));
                return new(c.Word(entry + 2), c.Byte(entry) + 1, c.Byte(entry + 1));
            default:
                return new((int)Math.Min(sectors, ushort.MaxValue), 1, 1);
        }
    }

    private Status CallFloppy(byte function, in Target target)
    {
        switch (function)
        {
            case 0x00:
                c.SetData(Bda.FloppyCalibration, 0);
                return Status.Ok;
            case 0x02 or 0x03 or 0x04:
                c.SetData(Bda.FloppyMotorTimeout, 37);
                return MoveByAddress(function, in target);
            case 0x05:
                return Format(in target);
            case 0x08:
                TellParameters(in target);
                return Status.Ok;
            case 0x16:
                return !target.IsEmulated && TakeChange(target.Drive) ? Status.Changed : target.Drive.Medium is null ? Status.NotReady : Status.Ok;
            case 0x17 or 0x18:
                return SetMediaType(function, in target);
            default:
                return Status.BadCommand;
        }
    }

    private Status CallHardDisk(byte function, in Target target)
    {
        bool isCd = target.Drive.Kind == DriveKind.Cd && !target.IsEmulated;
        switch (function)
        {
            case 0x00 or 0x09 or 0x0D or 0x10 or 0x11 or 0x14:
                return Status.Ok;
            case 0x02 or 0x03 or 0x04 when !isCd:
                return MoveByAddress(function, in target);
            case 0x05 when !isCd:
                return target.Drive.Medium is { IsReadOnly: true } ? Status.WriteProtected : Status.Ok;
            case 0x08 when !isCd:
                TellParameters(in target);
                return Status.Ok;
            case 0x0C when !isCd:
                return TryAddress(in target, out _) ? Status.Ok : Status.SectorNotFound;
            case 0x41:
                if (c.Bx != 0x55AA)
                {
                    return Status.BadCommand;
                }

                // EDD 3.0; packets, removable drives, and what tells of a drive.
                (c.Bx, c.Cx, c.Ah) = (0xAA55, 0x0007, 0x30);
                c.SetCarry(false);
                return Status.Ok;
            case 0x42:
                return MoveByPacket(Transfer.Read, in target);
            case 0x43:
                return c.Al > 2 ? Status.BadCommand : MoveByPacket(Transfer.Write, in target);
            case 0x44:
                return MoveByPacket(Transfer.Verify, in target);
            case 0x45:
                return isCd && c.Al <= 2 ? Lock() : isCd ? Status.BadCommand : Status.Ok;
            case 0x46:
                return isCd ? Eject(in target) : Status.BadCommand;
            case 0x47:
                return Status.Ok;
            case 0x48:
                return TellDrive(in target, isCd);
            case 0x49:
                return Status.Ok;
            case 0x4E:
                return c.Al is 1 or 3 or 4 or 6 ? Status.Ok : Status.BadCommand;
            default:
                return Status.BadCommand;
        }
    }

    // AL tells whether it is locked; nothing is.
    private Status Lock()
    {
        bool asksForUnlock = c.Al == 1;
        c.Al = 0;
        return asksForUnlock ? Status.NotLocked : Status.Ok;
    }

    private static Status Eject(in Target target)
    {
        if (target.Drive.Medium is null)
        {
            return Status.NoMedium;
        }

        target.Drive.Drive?.Change(null);
        return Status.Ok;
    }

    private void TellType(in Target target)
    {
        c.SetCarry(false);
        if (target.IsFloppy)
        {
            // With a line that tells of changes.
            c.Ah = 2;
            return;
        }

        long sectors = target.Drive.Kind == DriveKind.Cd && !target.IsEmulated ? target.Sectors : target.Geometry.Total;
        (c.Ah, c.Cx, c.Dx) = (3, (ushort)(sectors >> 16), (ushort)sectors);
    }

    private void TellParameters(in Target target)
    {
        int last = target.Geometry.Cylinders - 1;
        c.Ax = 0;
        c.Ch = (byte)last;
        c.Cl = (byte)(target.Geometry.Sectors | ((last >> 2) & 0xC0));
        c.Dh = (byte)(target.Geometry.Heads - 1);
        if (target.IsFloppy)
        {
            c.Dl = (byte)FloppyCount();
            c.Bx = (ushort)(target.IsEmulated ? 4 : BiosPost.TypeOfFloppy(target.Drive));
            (ushort offset, ushort segment) = (c.Word(0x1Eu * 4), c.Word((0x1Eu * 4) + 2));
            (c.Di, c.Es) = (offset, segment);
        }
        else
        {
            c.Dl = (byte)HardDiskCount();
        }
    }

    private Status SetMediaType(byte function, in Target target)
    {
        if (target.Drive.Medium is null)
        {
            return Status.NotReady;
        }

        if (function == 0x18)
        {
            // CH and CL are the last track and sector; ES:DI gets the parameters for them.
            if (c.Cl != target.Geometry.Sectors || c.Ch + 1 < target.Geometry.Cylinders - 1)
            {
                return Status.BadCommand;
            }

            (ushort offset, ushort segment) = (c.Word(0x1Eu * 4), c.Word((0x1Eu * 4) + 2));
            (c.Di, c.Es) = (offset, segment);
        }

        return Status.Ok;
    }

    // True once for each medium that was put in, or taken out.
    private bool TakeChange(BiosDrive drive)
    {
        if (drive is not { Kind: DriveKind.Floppy, Drive: { } place })
        {
            return false;
        }

        int at = Ebda.FloppyMedium + drive.Number;
        byte now = (byte)place.Changes;
        if (c.ExtendedByte(at) == now)
        {
            return false;
        }

        c.SetExtendedByte(at, now);
        return true;
    }

    private bool TryAddress(in Target target, out long sector)
    {
        int cylinder = c.Ch | (target.IsFloppy ? 0 : (c.Cl & 0xC0) << 2);
        int number = target.IsFloppy ? c.Cl : c.Cl & 0x3F;
        Geometry geometry = target.Geometry;
        sector = ((((long)cylinder * geometry.Heads) + c.Dh) * geometry.Sectors) + number - 1;
        return number >= 1 && number <= geometry.Sectors && c.Dh < geometry.Heads && cylinder < geometry.Cylinders;
    }

    private Status MoveByAddress(byte function, in Target target)
    {
        int count = c.Al;
        c.Al = 0;
        Status status = Status.SectorNotFound;
        if (count is 0 or > MostSectors)
        {
            status = Status.BadCommand;
        }
        else if (!target.IsEmulated && TakeChange(target.Drive))
        {
            status = Status.Changed;
        }
        else if (target.Drive.Medium is null)
        {
            status = Status.NotReady;
        }
        else if (TryAddress(in target, out long sector) && sector + count <= target.Geometry.Total)
        {
            Transfer transfer = function switch { 0x02 => Transfer.Read, 0x03 => Transfer.Write, _ => Transfer.Verify };
            status = Move(transfer, in target, sector, count, SegmentIndex.Es, c.Bx, linear: null);
        }

        c.Al = (byte)(status == Status.Ok ? count : 0);
        return status;
    }

    private Status MoveByPacket(Transfer transfer, in Target target)
    {
        Span<byte> packet = stackalloc byte[24];
        c.ReadDs(c.Si, packet[..16]);
        int length = packet[0];
        int count = BinaryPrimitives.ReadUInt16LittleEndian(packet[2..]);
        if (length < 16 || count > MostExtended)
        {
            return Status.BadCommand;
        }

        uint pointer = BinaryPrimitives.ReadUInt32LittleEndian(packet[4..]);
        long sector = BinaryPrimitives.ReadInt64LittleEndian(packet[8..]);
        uint? linear = null;
        if (pointer == uint.MaxValue && length >= 24)
        {
            c.ReadDs((uint)c.Si + 16, packet[16..]);
            linear = (uint)BinaryPrimitives.ReadUInt64LittleEndian(packet[16..]);
        }

        if (target.Drive.Medium is null)
        {
            return target.Drive.Kind == DriveKind.Cd ? Status.NoMedium : Status.NotReady;
        }

        Status status = sector < 0 || sector > target.Sectors - count ? Status.SectorNotFound
            : linear is null ? MoveFar(transfer, in target, sector, count, pointer)
            : Move(transfer, in target, sector, count, 0, 0, linear);
        if (status != Status.Ok)
        {
            c.WriteDs((uint)c.Si + 2, [0, 0]);
        }

        return status;
    }

    // A far pointer is no segment register: in real and virtual-8086 mode it is an address, which is all that callers of packets use.
    private Status MoveFar(Transfer transfer, in Target target, long sector, int count, uint pointer) =>
        Move(transfer, in target, sector, count, 0, 0, ((pointer >> 16) << 4) + (pointer & 0xFFFF));

    // Moves sectors between a drive and either a segment or a linear address.
    private Status Move(Transfer transfer, in Target target, long sector, int count, int segment, uint offset, uint? linear)
    {
        IBlockDevice medium = target.Drive.Medium!;
        int size = target.IsEmulated ? BiosDrives.DiskSector : target.Drive.SectorSize;
        if (transfer == Transfer.Write && (medium.IsReadOnly || target.Drive.Kind == DriveKind.Cd))
        {
            return Status.WriteProtected;
        }

        if (transfer == Transfer.Verify)
        {
            return Status.Ok;
        }

        long at = (target.Start + sector) * size;
        int left = count * size;
        int done = 0;
        try
        {
            while (left > 0)
            {
                Span<byte> part = _buffer.AsSpan(0, Math.Min(left, BufferBytes));
                if (transfer == Transfer.Read)
                {
                    // An image may end within the disk that it is of.
                    int there = (int)Math.Clamp(medium.Length - at, 0, part.Length);
                    part[there..].Clear();
                    medium.Read(Math.Min(at, medium.Length), part[..there]);
                }

                switch (transfer, linear)
                {
                    case (Transfer.Read, null):
                        c.Processor.WriteGuest(segment, offset + (uint)done, part);
                        break;
                    case (Transfer.Read, { } address):
                        c.Processor.WriteLinear(address + (uint)done, (ReadOnlySpan<byte>)part);
                        break;
                    case (_, null):
                        c.Processor.ReadGuest(segment, offset + (uint)done, part);
                        break;
                    case (_, { } address):
                        c.Processor.ReadLinear(address + (uint)done, part);
                        break;
                }

                if (transfer == Transfer.Write)
                {
                    if (at + part.Length > medium.Length)
                    {
                        return Status.SectorNotFound;
                    }

                    medium.Write(at, part);
                }

                at += part.Length;
                done += part.Length;
                left -= part.Length;
            }
        }
        catch (StorageException error)
        {
            c.Board.Signals.StorageFaulted(error);
            return Status.ControllerFailed;
        }

        return Status.Ok;
    }

    // Writes a track full of the byte that the table of INT 1Eh names.
    private Status Format(in Target target)
    {
        if (!target.IsEmulated && TakeChange(target.Drive))
        {
            return Status.Changed;
        }

        if (target.Drive.Medium is not { } medium)
        {
            return Status.NotReady;
        }

        if (medium.IsReadOnly || target.IsEmulated)
        {
            return Status.WriteProtected;
        }

        Geometry geometry = target.Geometry;
        if (c.Ch >= geometry.Cylinders || c.Dh >= geometry.Heads || c.Al > geometry.Sectors)
        {
            return Status.SectorNotFound;
        }

        uint table = ((uint)c.Word((0x1Eu * 4) + 2) << 4) + c.Word(0x1Eu * 4);
        Span<byte> track = _buffer.AsSpan(0, geometry.Sectors * BiosDrives.DiskSector);
        track.Fill(c.Byte(table + 8));
        long at = (((long)c.Ch * geometry.Heads) + c.Dh) * track.Length;
        try
        {
            medium.Write(at, track[..(int)Math.Clamp(medium.Length - at, 0, track.Length)]);
        }
        catch (StorageException error)
        {
            c.Board.Signals.StorageFaulted(error);
            return Status.ControllerFailed;
        }

        return Status.Ok;
    }

    private Status TellDrive(in Target target, bool isCd)
    {
        const int Short = 0x1A;
        const int Long = 0x1E;
        Span<byte> size = stackalloc byte[2];
        c.ReadDs(c.Si, size);
        int room = BinaryPrimitives.ReadUInt16LittleEndian(size);
        if (room < Short)
        {
            return Status.BadCommand;
        }

        Span<byte> result = stackalloc byte[Long];
        result.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(result, (ushort)(room >= Long ? Long : Short));
        if (isCd)
        {
            // Removable, can be locked, tells of changes; there is no geometry.
            BinaryPrimitives.WriteUInt16LittleEndian(result[2..], 0x0074);
            result[4..16].Fill(0xFF);
        }
        else
        {
            const int Heads = 16;
            const int Sectors = 63;
            BinaryPrimitives.WriteUInt16LittleEndian(result[2..], 0x0002);
            BinaryPrimitives.WriteUInt32LittleEndian(result[4..], (uint)Math.Clamp(target.Sectors / (Heads * Sectors), 1, 16383));
            BinaryPrimitives.WriteUInt32LittleEndian(result[8..], Heads);
            BinaryPrimitives.WriteUInt32LittleEndian(result[12..], Sectors);
        }

        BinaryPrimitives.WriteInt64LittleEndian(result[16..], target.Sectors);
        BinaryPrimitives.WriteUInt16LittleEndian(result[24..], (ushort)(target.IsEmulated ? BiosDrives.DiskSector : target.Drive.SectorSize));

        // No parameters of a controller.
        result[26..].Fill(0xFF);
        c.WriteDs(c.Si, result[..(room >= Long ? Long : Short)]);
        return Status.Ok;
    }

    private void Finish(byte number, Status status)
    {
        // 41h has its version there.
        if (status != Status.Ok || c.Ah != 0x30)
        {
            c.Ah = (byte)status;
        }

        c.SetData(number < BiosDrives.FirstHardDisk ? Bda.FloppyStatus : Bda.DiskStatus, (byte)status);
        c.SetCarry(status != Status.Ok);
    }
}
