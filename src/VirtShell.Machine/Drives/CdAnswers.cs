using System;
using System.Buffers.Binary;
using System.Text;

namespace VirtShell.Machine.Drives;

/// <summary>
/// What a CD drive answers to packet commands that ask for facts (MMC-3, clause 6; SPC-2, clause 7). Each writes into the drive's
/// buffer and gives the length, or a number below 0 where the packet asks for what there is not.
/// </summary>
internal static class CdAnswers
{
    /// <summary>GET EVENT STATUS NOTIFICATION: the class of events of the medium, as a bit.</summary>
    public const byte MediumEvents = 0x10;

    private const int Wrong = -1;
    private const byte FirstTrack = 1;
    private const byte LeadOut = 0xAA;

    // Q subchannel mode 1 (position), and a data track that was recorded at once.
    private const byte DataTrack = 0x14;

    // Discs of more sectors than a CD of 99 minutes holds are DVDs.
    private const long MostCdSectors = 99 * 60 * 75;
    private const ushort CdProfile = 0x0008;
    private const ushort DvdProfile = 0x0010;

    // Speeds in kB/s: 24 times that of an audio CD.
    private const ushort Speed = 4234;
    private const ushort BufferKilobytes = 64;

    public static int Sense(Span<byte> answer, ScsiSense sense)
    {
        const int length = 18;
        answer[..length].Clear();
        answer[0] = 0x70;
        answer[2] = sense.Key;
        answer[7] = length - 8;
        answer[12] = sense.Code;
        answer[13] = sense.Qualifier;
        return length;
    }

    public static int Inquiry(Span<byte> answer, ReadOnlySpan<byte> packet)
    {
        const int length = 36;
        const byte vitalProductData = 0x01;
        if ((packet[1] & vitalProductData) != 0 || packet[2] != 0)
        {
            return Wrong;
        }

        // A CD drive, removable; no version of SCSI claimed, ATAPI 2 and answers of format 1.
        answer[..length].Clear();
        (answer[0], answer[1], answer[3], answer[4]) = (0x05, 0x80, 0x21, length - 5);
        Text(answer.Slice(8, 8), "VirtShel");
        Text(answer.Slice(16, 16), "VirtShell CD");
        Text(answer.Slice(32, 4), AtaIdentify.Firmware);
        return length;
    }

    /// <summary>READ TOC/PMA/ATIP: formats 0 (tracks), 1 (sessions) and 2 (as the lead-in has it). Pressed discs have no others.</summary>
    public static int Toc(Span<byte> answer, ReadOnlySpan<byte> packet, long sectors)
    {
        bool minutes = (packet[1] & 0x02) != 0;
        int format = packet[2] & 0x0F;
        format = format == 0 ? packet[9] >> 6 : format;
        byte start = packet[6];
        answer[..64].Clear();
        int length = 4;
        switch (format)
        {
            case 0 when start is <= FirstTrack or LeadOut:
                (answer[2], answer[3]) = (FirstTrack, FirstTrack);
                if (start != LeadOut)
                {
                    length += Track(answer[length..], FirstTrack, 0, minutes);
                }

                length += Track(answer[length..], LeadOut, sectors, minutes);
                break;
            case 1:
                (answer[2], answer[3]) = (1, 1);
                length += Track(answer[length..], FirstTrack, 0, minutes);
                break;
            case 2 when start <= 1:
                (answer[2], answer[3]) = (1, 1);
                length += Point(answer[length..], 0xA0, (FirstTrack, 0, 0));
                length += Point(answer[length..], 0xA1, (FirstTrack, 0, 0));
                length += Point(answer[length..], 0xA2, CdSector.MinutesOf(sectors));
                length += Point(answer[length..], FirstTrack, CdSector.MinutesOf(0));
                break;
            default:
                return Wrong;
        }

        BinaryPrimitives.WriteUInt16BigEndian(answer, (ushort)(length - 2));
        return length;
    }

    public static int Header(Span<byte> answer, ReadOnlySpan<byte> packet, long sector, long sectors)
    {
        const int length = 8;
        if (sector >= sectors)
        {
            return Wrong;
        }

        answer[..length].Clear();
        answer[0] = 1;
        Address(answer[4..], sector, (packet[1] & 0x02) != 0);
        return length;
    }

    public static int Subchannel(Span<byte> answer, ReadOnlySpan<byte> packet)
    {
        const byte wantsQ = 0x40;
        const byte nothingPlays = 0x15;
        answer[..24].Clear();
        answer[1] = nothingPlays;
        if ((packet[2] & wantsQ) == 0)
        {
            return 4;
        }

        int length = packet[3] switch { 1 => 16, 2 or 3 => 24, _ => Wrong };
        if (length > 0)
        {
            (answer[3], answer[4], answer[5], answer[6], answer[7]) = ((byte)(length - 4), packet[3], DataTrack, FirstTrack, 1);
        }

        return length;
    }

    public static int DiscInformation(Span<byte> answer, ReadOnlySpan<byte> packet)
    {
        const int length = 34;
        if ((packet[1] & 0x07) != 0)
        {
            return Wrong;
        }

        // One complete session of one track, free of use; where there is no place to write on, all ones.
        answer[..length].Clear();
        (answer[1], answer[2], answer[3], answer[4], answer[5], answer[6], answer[7]) = (length - 2, 0x0E, 1, 1, FirstTrack, FirstTrack, 0x20);
        answer[16..24].Fill(0xFF);
        return length;
    }

    public static int TrackInformation(Span<byte> answer, long sectors)
    {
        const int length = 36;
        answer[..length].Clear();
        (answer[1], answer[2], answer[3], answer[5], answer[6]) = (length - 2, FirstTrack, 1, 0x04, 1);
        BinaryPrimitives.WriteUInt32BigEndian(answer[24..], (uint)Math.Min(sectors, uint.MaxValue));
        return length;
    }

    /// <summary>GET CONFIGURATION: what kinds of discs the drive reads, and what the medium is now (0 sectors: none).</summary>
    public static int Configuration(Span<byte> answer, ReadOnlySpan<byte> packet, long sectors)
    {
        const byte isPersistent = 0x02;
        const byte isCurrent = 0x01;
        int type = packet[1] & 3;
        int first = BinaryPrimitives.ReadUInt16BigEndian(packet[2..]);
        if (type == 3)
        {
            return Wrong;
        }

        ushort profile = sectors == 0 ? (ushort)0 : sectors > MostCdSectors ? DvdProfile : CdProfile;
        answer[..128].Clear();
        BinaryPrimitives.WriteUInt16BigEndian(answer[6..], profile);
        int length = 8;
        ReadOnlySpan<byte> profiles = [0x00, 0x10, (byte)(profile == DvdProfile ? 1 : 0), 0x00, 0x00, 0x08, (byte)(profile == CdProfile ? 1 : 0), 0x00];
        Feature(answer, ref length, 0x0000, isPersistent | isCurrent, profiles);
        Feature(answer, ref length, 0x0001, isPersistent | isCurrent, [0, 0, 0, 2]);
        Feature(answer, ref length, 0x0003, isPersistent | isCurrent, [0x29, 0, 0, 0]);
        byte present = sectors > 0 ? isCurrent : (byte)0;
        Feature(answer, ref length, 0x0010, present, [0, 0, AtapiCd.SectorBytes >> 8, 0, 0, 1, 1, 0]);
        Feature(answer, ref length, 0x001E, profile == CdProfile ? isCurrent : (byte)0, [0, 0, 0, 0]);
        Feature(answer, ref length, 0x001F, profile == DvdProfile ? isCurrent : (byte)0, []);
        BinaryPrimitives.WriteUInt32BigEndian(answer, (uint)(length - 4));
        return length;

        // Which of them are wanted: all from a number on, those of them that are current, or the one of the number.
        void Feature(Span<byte> all, ref int at, int code, byte flags, ReadOnlySpan<byte> content)
        {
            if (code < first || (type == 1 && (flags & isCurrent) == 0) || (type == 2 && code != first))
            {
                return;
            }

            BinaryPrimitives.WriteUInt16BigEndian(all[at..], (ushort)code);
            all[at + 2] = flags;
            all[at + 3] = (byte)content.Length;
            content.CopyTo(all[(at + 4)..]);
            at += 4 + content.Length;
        }
    }

    public static int EventStatus(Span<byte> answer, ReadOnlySpan<byte> packet, byte mediumEvent, Drive drive)
    {
        const byte polled = 0x01;
        const byte nothingAvailable = 0x80;
        const byte mediumClass = 4;
        if ((packet[1] & polled) == 0)
        {
            // There is no queue of commands to wait in.
            return Wrong;
        }

        answer[..8].Clear();
        answer[3] = MediumEvents;
        if ((packet[4] & MediumEvents) == 0)
        {
            (answer[1], answer[2]) = (2, nothingAvailable);
            return 4;
        }

        (answer[1], answer[2], answer[4]) = (6, mediumClass, mediumEvent);
        answer[5] = (byte)((drive.IsOpen ? 1 : 0) | (drive.Loaded is not null ? 2 : 0));
        return 8;
    }

    /// <summary>MODE SENSE: error recovery (01h), audio (0Eh) and capabilities (2Ah); none can be changed.</summary>
    public static int ModePages(Span<byte> answer, int headerBytes, int page, bool changeable, bool isLocked)
    {
        const int all = 0x3F;
        answer[..96].Clear();
        int length = headerBytes;
        if (page is 0x01 or all)
        {
            Page(answer, ref length, [0x01, 6, 0, 5, 0, 0, 0, 0]);
        }

        if (page is 0x0E or all)
        {
            Page(answer, ref length, [0x0E, 14, 4, 0, 0, 0, 0, 75, 1, 0xFF, 2, 0xFF, 0, 0, 0, 0]);
        }

        if (page is 0x2A or all)
        {
            // Reads CD-R, CD-RW and DVD, several sessions and mode 2; a tray that ejects and can be locked.
            byte mechanism = (byte)(0x29 | (isLocked ? 0x02 : 0));
            Page(answer, ref length, [0x2A, 18, 0x0B, 0, 0x70, 0, mechanism, 0, Speed >> 8, Speed & 0xFF, 0, 0, 0, (byte)BufferKilobytes, Speed >> 8, Speed & 0xFF, 0, 0, 0, 0]);
        }

        if (length == headerBytes)
        {
            return Wrong;
        }

        if (headerBytes == 4)
        {
            answer[0] = (byte)(length - 1);
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(answer, (ushort)(length - 2));
        }

        return length;

        void Page(Span<byte> pages, ref int at, ReadOnlySpan<byte> content)
        {
            content[..(changeable ? 2 : content.Length)].CopyTo(pages[at..]);
            at += content.Length;
        }
    }

    private static int Track(Span<byte> answer, byte track, long sector, bool minutes)
    {
        (answer[1], answer[2]) = (DataTrack, track);
        Address(answer[4..], sector, minutes);
        return 8;
    }

    private static int Point(Span<byte> answer, byte point, (byte Minute, byte Second, byte Frame) place)
    {
        (answer[0], answer[1], answer[3]) = (1, DataTrack, point);
        (answer[8], answer[9], answer[10]) = place;
        return 11;
    }

    private static void Address(Span<byte> answer, long sector, bool minutes)
    {
        if (minutes)
        {
            (answer[1], answer[2], answer[3]) = CdSector.MinutesOf(sector);
        }
        else
        {
            BinaryPrimitives.WriteUInt32BigEndian(answer, (uint)Math.Min(sector, uint.MaxValue));
        }
    }

    private static void Text(Span<byte> field, string text)
    {
        field.Fill((byte)' ');
        Encoding.ASCII.GetBytes(text, field);
    }
}
