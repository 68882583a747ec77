using System;
using System.Text;
using VirtShell.Machine.Drives;
using VirtShell.State;

namespace VirtShell.Machine.Bios;

/// <summary>The way from the reset vector to a system: resumption after a reset of the processor, option ROMs, INT 19h and 18h.</summary>
[NotState("What is to be remembered stands in the guest's memory.")]
internal sealed class BiosBootstrap(BiosCpu c, BiosDrives drives, BiosDisk disk, BiosVideo video, BiosRom rom)
{
    private const ushort BootOffset = 0x7C00;
    private const ushort FlagsWithInterrupts = 0x0202;
    private const ushort FlagsWithout = 0x0002;
    private const int MostLoaded = 0x9_0000;
    private const int CmosShutdown = 0x0F;
    private const int OptionUnit = 512;
    private const int OptionStep = 2048;

    private readonly byte[] _sector = new byte[BiosDrives.DiskSector];

    /// <summary>The reset vector has been jumped to: at power-on, and by programs that want the machine to start again, or a way back from protected mode.</summary>
    public void Enter()
    {
        if (c.ExtendedByte(Ebda.IsFresh) == 1)
        {
            c.SetExtendedByte(Ebda.IsFresh, 0);
            JumpTo(BiosRom.Segment, (ushort)rom["start"], FlagsWithout);
            return;
        }

        c.Out(0x70, CmosShutdown);
        byte code = c.In(0x71);
        c.Out(0x70, CmosShutdown);
        c.Out(0x71, 0);
        if (code is 5 or 0x0A)
        {
            if (code == 5)
            {
                c.Out(Interrupts.Pic8259Pair.MasterPort, 0x20);
            }

            // Nothing of the program's own memory is written; it has a stack of its own to load.
            JumpTo(c.DataWord(Bda.ResumePointer + 2), c.DataWord(Bda.ResumePointer), FlagsWithout, c.DataWord(Bda.ExtendedSegment), BiosPost.ExtendedBytes);
            return;
        }

        c.Board.Signals.RequestExit(new MachineExit(MachineExitKind.ResetRequested));
        JumpTo(BiosRom.Segment, (ushort)rom["wait"], FlagsWithout);
    }

    /// <summary>Looks at BX:0 for an option ROM: CX tells whether it is to be called, AX how far the next may be in segments.</summary>
    public void CheckOptionRom()
    {
        uint start = (uint)c.Bx << 4;
        int length = c.Byte(start + 2) * OptionUnit;
        bool isThere = c.Word(start) == 0xAA55 && length > 0;
        int sum = 0;
        for (int i = 0; isThere && i < length; i++)
        {
            sum += c.Byte(start + (uint)i);
        }

        isThere = isThere && (byte)sum == 0;
        c.Cx = (ushort)(isThere ? 1 : 0);
        int step = isThere ? (length + OptionStep - 1) / OptionStep * OptionStep : OptionStep;
        c.Ax = (ushort)(step >> 4);
    }

    /// <summary>Starts the first thing that can be started, or the next after the one that was started and came back; says what was tried where there is none.</summary>
    public void Boot(bool first)
    {
        int started = first ? 0 : c.ExtendedByte(Ebda.BootIndex);
        int index = 0;
        StringBuilder tried = new();
        foreach (BiosDrive drive in drives.BootCandidates())
        {
            index++;
            if (index <= started)
            {
                tried.Append("  ").Append(drive.Name).Append(": ").Append(index == started ? "was started and gave up" : WhyNot(drive) ?? "was started and gave up").Append("\r\n");
                continue;
            }

            if (WhyNot(drive) is { } reason)
            {
                tried.Append("  ").Append(drive.Name).Append(": ").Append(reason).Append("\r\n");
                continue;
            }

            c.SetExtendedByte(Ebda.BootIndex, (byte)index);
            Start(drive);
            return;
        }

        c.SetExtendedByte(Ebda.BootIndex, (byte)index);
        video.Write("\r\nNo bootable device.\r\n");
        video.Write(tried.Length == 0 ? "  The machine has no floppy, CD or hard disk.\r\n" : tried.ToString());
        video.Write("Give the machine something that boots, then press Ctrl+Alt+Del or reset it.\r\n");
        JumpTo(BiosRom.Segment, (ushort)rom["wait"], FlagsWithInterrupts);
    }

    // Null where it can be started.
    private string? WhyNot(BiosDrive drive)
    {
        if (drive.Medium is null)
        {
            return "is empty";
        }

        if (drive.Kind == DriveKind.Cd)
        {
            return CdBoot.TryFind(drive, out _) ? null : "has no boot catalog (El Torito)";
        }

        if (!BiosDisk.TryRead(drive, 0, _sector))
        {
            return "cannot be read";
        }

        if (drive.Kind == DriveKind.HardDisk)
        {
            return _sector[510] == 0x55 && _sector[511] == 0xAA ? null : "has no boot sector (no 55h AAh at its end)";
        }

        // Floppies of old begin with code and have no signature; those that are formatted only are all of one byte.
        bool isBlank = !_sector.AsSpan().ContainsAnyExcept(_sector[0]);
        return isBlank ? "has no boot sector (it is blank)" : null;
    }

    private void Start(BiosDrive drive)
    {
        byte number = drive.Number;
        uint at = BootOffset;
        if (drive.Kind == DriveKind.Cd)
        {
            CdBoot.TryFind(drive, out CdBoot boot);
            at = (uint)boot.Segment << 4;
            number = disk.Emulate(drive.Number - BiosDrives.FirstCd, in boot);
            int bytes = (int)Math.Min((uint)boot.Count * BiosDrives.DiskSector, MostLoaded - Math.Min(at, MostLoaded));
            byte[] sector = new byte[BiosDrives.CdSector];
            for (int done = 0; done < bytes; done += sector.Length)
            {
                BiosDisk.TryRead(drive, boot.Start + (done / sector.Length), sector);
                c.Processor.WriteLinear(at + (uint)done, sector.AsSpan(0, Math.Min(sector.Length, bytes - done)));
            }
        }
        else
        {
            BiosDisk.TryRead(drive, 0, _sector);
            c.Processor.WriteLinear(at, (ReadOnlySpan<byte>)_sector);
        }

        (c.Eax, c.Ebx, c.Ecx, c.Esi, c.Edi) = (0xAA55, 0, 0, 0, 0);
        c.Edx = number;
        c.Bp = 0;
        c.Es = c.Ds = 0;
        JumpTo((ushort)((at >> 4) & 0xF000), (ushort)at, FlagsWithInterrupts);
    }

    // The IRET that follows the call goes there, with the stack below the boot sector.
    private void JumpTo(ushort segment, ushort offset, ushort flags, ushort stackSegment = 0, ushort stackTop = BootOffset)
    {
        const int Frame = 6;
        uint at = ((uint)stackSegment << 4) + stackTop - Frame;
        c.Ss = stackSegment;
        c.Sp = (ushort)(stackTop - Frame);
        c.SetWord(at, offset);
        c.SetWord(at + 2, segment);
        c.SetWord(at + 4, flags);
    }
}
