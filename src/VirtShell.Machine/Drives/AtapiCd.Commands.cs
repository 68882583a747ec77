using System;
using System.Buffers.Binary;
using VirtShell.Storage;

namespace VirtShell.Machine.Drives;

/// <summary>What packet commands do (MMC-3, clause 6; SPC-2, clause 7).</summary>
internal sealed partial class AtapiCd
{
    // START STOP UNIT and PREVENT ALLOW MEDIUM REMOVAL, byte 4.
    private const byte StartUnit = 0x01;
    private const byte LoadOrEject = 0x02;
    private const byte Prevent = 0x01;

    // READ CD, byte 1: which kind of sector is expected.
    private const int AnySector = 0;
    private const int Mode1Sector = 2;

    private void Carry()
    {
        byte command = _packet[0];
        if (command != ScsiCommand.RequestSense)
        {
            Sense = ScsiSense.None;
        }

        // Told once, by the first command that does not ask for such things itself.
        if (_attention && command is not (ScsiCommand.Inquiry or ScsiCommand.RequestSense or ScsiCommand.GetConfiguration or ScsiCommand.GetEventStatus))
        {
            _attention = false;
            Check(ScsiSense.MediumChanged);
            return;
        }

        if (Drive.Loaded is { } medium)
        {
            CarryWithMedium(command, medium);
        }
        else if (NeedsMedium(command))
        {
            Check(NoMedium());
        }
        else
        {
            CarryAlways(command);
        }
    }

    private static bool NeedsMedium(byte command) => command is ScsiCommand.TestUnitReady or ScsiCommand.Read6 or ScsiCommand.Read10 or ScsiCommand.Read12 or ScsiCommand.ReadCapacity
        or ScsiCommand.Seek10 or ScsiCommand.ReadSubchannel or ScsiCommand.ReadToc or ScsiCommand.ReadHeader or ScsiCommand.ReadDiscInformation or ScsiCommand.ReadTrackInformation
        or ScsiCommand.ReadCd or ScsiCommand.ReadCdMsf or ScsiCommand.PlayAudio10 or ScsiCommand.PlayAudio12 or ScsiCommand.PlayAudioMsf or ScsiCommand.PauseResume or ScsiCommand.StopPlay;

    private void CarryWithMedium(byte command, IBlockDevice medium)
    {
        long sectors = SectorsOf(medium);
        switch (command)
        {
            case ScsiCommand.TestUnitReady or ScsiCommand.StopPlay:
                Succeed();
                break;
            case ScsiCommand.Read6:
                // A count of 0 is 256 here, and nothing in the longer ones.
                Read(sectors, UInt24(1) & 0x1F_FFFF, _packet[4] == 0 ? 256 : _packet[4], CdSector.UserData);
                break;
            case ScsiCommand.Read10:
                Read(sectors, UInt32(2), UInt16(7), CdSector.UserData);
                break;
            case ScsiCommand.Read12:
                Read(sectors, UInt32(2), UInt32(6), CdSector.UserData);
                break;
            case ScsiCommand.ReadCd:
                ReadCd(sectors, UInt32(2), UInt24(6));
                break;
            case ScsiCommand.ReadCdMsf:
                long start = CdSector.NumberOf(_packet[3], _packet[4], _packet[5]);
                long end = CdSector.NumberOf(_packet[6], _packet[7], _packet[8]);
                if (start < 0 || end < start)
                {
                    Check(ScsiSense.AddressOutOfRange);
                }
                else
                {
                    ReadCd(sectors, start, end - start);
                }

                break;
            case ScsiCommand.Seek10:
                CheckOrSucceed(UInt32(2) < sectors, ScsiSense.AddressOutOfRange);
                break;
            case ScsiCommand.PlayAudio10 or ScsiCommand.PlayAudio12 or ScsiCommand.PlayAudioMsf or ScsiCommand.PauseResume:
                Check(ScsiSense.WrongTrackMode);
                break;
            case ScsiCommand.ReadCapacity:
                BinaryPrimitives.WriteUInt32BigEndian(Buffer, (uint)Math.Min(sectors - 1, uint.MaxValue));
                BinaryPrimitives.WriteUInt32BigEndian(Buffer[4..], SectorBytes);
                Reply(8, 8);
                break;
            case ScsiCommand.ReadToc:
                Answer(CdAnswers.Toc(Buffer, _packet, sectors), UInt16(7));
                break;
            case ScsiCommand.ReadHeader:
                Answer(CdAnswers.Header(Buffer, _packet, UInt32(2), sectors), UInt16(7));
                break;
            case ScsiCommand.ReadSubchannel:
                Answer(CdAnswers.Subchannel(Buffer, _packet), UInt16(7));
                break;
            case ScsiCommand.ReadDiscInformation:
                Answer(CdAnswers.DiscInformation(Buffer, _packet), UInt16(7));
                break;
            case ScsiCommand.ReadTrackInformation:
                Answer(CdAnswers.TrackInformation(Buffer, sectors), UInt16(7));
                break;
            default:
                CarryAlways(command);
                break;
        }
    }

    private void CarryAlways(byte command)
    {
        switch (command)
        {
            case ScsiCommand.RequestSense:
                RequestSense();
                break;
            case ScsiCommand.Inquiry:
                Answer(CdAnswers.Inquiry(Buffer, _packet), UInt16(3));
                break;
            case ScsiCommand.ModeSense6:
                ModeSense(headerBytes: 4, _packet[4]);
                break;
            case ScsiCommand.ModeSense10:
                ModeSense(headerBytes: 8, UInt16(7));
                break;
            case ScsiCommand.StartStopUnit:
                StartOrStop();
                break;
            case ScsiCommand.PreventRemoval:
                _isLocked = (_packet[4] & Prevent) != 0;
                Succeed();
                break;
            case ScsiCommand.GetConfiguration:
                Answer(CdAnswers.Configuration(Buffer, _packet, Drive.Loaded is { } medium ? SectorsOf(medium) : 0), UInt16(7));
                break;
            case ScsiCommand.GetEventStatus:
                Answer(CdAnswers.EventStatus(Buffer, _packet, _event, Drive), UInt16(7));
                _event = (_packet[4] & CdAnswers.MediumEvents) != 0 ? NoEvent : _event;
                break;
            case ScsiCommand.MechanismStatus:
                Buffer[..8].Clear();
                Reply(8, UInt16(8));
                break;
            case ScsiCommand.SetCdSpeed:
                Succeed();
                break;
            default:
                Check(ScsiSense.InvalidCommand);
                break;
        }
    }

    private void ReadCd(long sectors, long first, long count)
    {
        byte fields = (byte)(_packet[9] & 0xF8);
        int expected = (_packet[1] >> 2) & 7;
        if (expected is not (AnySector or Mode1Sector))
        {
            Check(ScsiSense.WrongTrackMode);
        }
        else if ((_packet[9] & 0x06) != 0 || (_packet[10] & 0x07) != 0)
        {
            // Error flags and the subchannel are on no image.
            Check(ScsiSense.InvalidField);
        }
        else
        {
            Read(sectors, first, CdSector.SizeOf(fields) == 0 ? 0 : count, fields);
        }
    }

    private void Read(long sectors, long first, long count, byte fields)
    {
        if (first >= sectors || count > sectors - first)
        {
            Check(ScsiSense.AddressOutOfRange);
        }
        else if (count == 0)
        {
            Succeed();
        }
        else
        {
            _sector = first;
            _left = (int)Math.Min(count, int.MaxValue);
            _form = fields;
            Send();
        }
    }

    // What it tells is gone afterwards.
    private void RequestSense()
    {
        if (_attention && Sense == ScsiSense.None)
        {
            Sense = ScsiSense.MediumChanged;
        }

        _attention &= Sense != ScsiSense.MediumChanged;
        Answer(CdAnswers.Sense(Buffer, Sense), _packet[4]);
        Sense = ScsiSense.None;
    }

    private void ModeSense(int headerBytes, int room)
    {
        const int savedValues = 3;
        if (_packet[2] >> 6 == savedValues)
        {
            Check(ScsiSense.SavingNotSupported);
            return;
        }

        bool changeable = _packet[2] >> 6 == 1;
        Answer(CdAnswers.ModePages(Buffer, headerBytes, _packet[2] & 0x3F, changeable, _isLocked), room);
    }

    private void StartOrStop()
    {
        switch (_packet[4] & (LoadOrEject | StartUnit))
        {
            case LoadOrEject when _isLocked:
                Check(ScsiSense.RemovalPrevented);
                return;
            case LoadOrEject:
                Drive.IsOpen = true;
                _attention = false;
                _event = EventMediumRemoved;
                break;
            case LoadOrEject | StartUnit when Drive.IsOpen:
                Drive.IsOpen = false;
                if (Drive.Loaded is not null)
                {
                    NoteMedium();
                }

                break;
            default:
                break;
        }

        Succeed();
    }

    private void CheckOrSucceed(bool isRight, ScsiSense sense)
    {
        if (isRight)
        {
            Succeed();
        }
        else
        {
            Check(sense);
        }
    }

    // An answer of a length below 0 means that a field of the packet is wrong.
    private void Answer(int length, int room)
    {
        if (length < 0)
        {
            Check(ScsiSense.InvalidField);
        }
        else
        {
            Reply(length, room);
        }
    }

    private void Reply(int length, int room)
    {
        Fill(Math.Min(length, room));
        if (DataLength == 0)
        {
            Succeed();
        }
        else
        {
            Send();
        }
    }

    private void Send()
    {
        if (_usesDma)
        {
            TransferByDma(toHost: true);
        }
        else
        {
            SendByPort();
        }
    }

    private int UInt16(int at) => BinaryPrimitives.ReadUInt16BigEndian(_packet.AsSpan(at));

    private int UInt24(int at) => (_packet[at] << 16) | UInt16(at + 1);

    private long UInt32(int at) => BinaryPrimitives.ReadUInt32BigEndian(_packet.AsSpan(at));
}
