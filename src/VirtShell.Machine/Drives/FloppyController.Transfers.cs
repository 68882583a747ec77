using System;
using VirtShell.State;
using VirtShell.Storage;

namespace VirtShell.Machine.Drives;

/// <summary>Commands that look for sectors: READ, WRITE, VERIFY, SCAN, FORMAT and READ ID (82077AA, 5.1 and 5.2).</summary>
internal sealed partial class FloppyController
{
    // Sectors of 512 bytes.
    private const byte SizeCode = 2;
    private const int IdBytes = 4;

    // VERIFY: the last byte says how many sectors.
    private const byte EnableCount = 0x80;

    private const int MostResultBytes = 7;

    // Saved state: the sector that is next, and how many there were.
    private byte _cylinder;
    private byte _head;
    private byte _record;
    private int _done;
    private bool _isLast;

    private bool IsWrite => Code is FloppyCommand.Write or FloppyCommand.WriteDeleted;

    private bool IsScan => Code is FloppyCommand.ScanEqual or FloppyCommand.ScanLowOrEqual or FloppyCommand.ScanHighOrEqual;

    private bool IsFromHost => IsWrite || IsScan || Code == FloppyCommand.Format;

    private bool UsesDma => (_headLoad & NonDmaMode) == 0;

    private void ResetTransfer()
    {
        _cylinder = _head = _record = 0;
        _done = 0;
        _isLast = false;
    }

    private void DescribeTransfer(StateVisitor visitor)
    {
        visitor.Value("cylinder", ref _cylinder);
        visitor.Value("head", ref _head);
        visitor.Value("record", ref _record);
        visitor.Value("done", ref _done, 0);
        visitor.Value("is-last", ref _isLast);
    }

    private void BeginTransfer()
    {
        Now = Phase.Execution;
        ResetTransfer();
        (_cylinder, _head, _record) = (_fifo[2], _fifo[3], Code == FloppyCommand.ReadTrack ? (byte)1 : _fifo[4]);
        if (Code is not (FloppyCommand.ReadId or FloppyCommand.Format))
        {
            _lastSector = _fifo[6];
            if ((_configuration & ImpliedSeek) != 0)
            {
                Place.MoveTo(_cylinder);
            }
        }
        else if (Code == FloppyCommand.Format)
        {
            _lastSector = _fifo[3];
        }

        if (Code is not (FloppyCommand.ReadId or FloppyCommand.Verify) && UsesDma)
        {
            _dma.SetRequest(true);
        }

        _clock.ScheduleAfter(_timer, SectorNanoseconds);
    }

    private void Step()
    {
        if (Now == Phase.Reset)
        {
            ResetEnded();
            return;
        }

        if (Place.Format is not { } format || (format.Rates & (1 << _rate)) == 0 || Head >= format.Heads || Place.CylinderOn(format) >= format.Cylinders)
        {
            // No disk, one of another density, or beyond what is formatted: nothing under the head looks like a sector.
            Fail(FloppyResult.MissingAddressMark, 0);
            return;
        }

        try
        {
            switch (Code)
            {
                case FloppyCommand.ReadId:
                    ReadId(format);
                    break;
                case FloppyCommand.Format:
                    FormatSector(format);
                    break;
                default:
                    MoveSector(format);
                    break;
            }
        }
        catch (StorageException e)
        {
            _faulted(e);
            Fail(FloppyResult.DataError, FloppyResult.DataErrorInData);
        }
    }

    // The disk turns with the clock: which sector comes next follows from it.
    private void ReadId(FloppyFormat format)
    {
        (_cylinder, _head) = ((byte)Place.CylinderOn(format), (byte)Head);
        _record = (byte)((_clock.Now / SectorNanoseconds % format.Sectors) + 1);
        End(0, 0, 0);
    }

    private void MoveSector(FloppyFormat format)
    {
        if (!TryFind(format, out long offset))
        {
            return;
        }

        if (IsWrite && Place.IsWriteProtected)
        {
            Fail(FloppyResult.NotWritable, 0);
            return;
        }

        // Sectors with a deleted mark are on no image: the command for them passes over all others, or takes one and stops.
        bool isUnwanted = Code == FloppyCommand.ReadDeleted;
        if (isUnwanted && (_fifo[0] & FloppyCommand.Skip) != 0)
        {
            Advance();
            return;
        }

        if (!IsFromHost)
        {
            Place.Read(offset, _sector);
        }

        if (Code == FloppyCommand.Verify)
        {
            _isLast = (_fifo[1] & EnableCount) != 0 && _done + 1 >= _fifo[8];
            Advance();
        }
        else if (UsesDma)
        {
            if (TryMoveByDma(SectorBytes))
            {
                SectorMoved(offset);
            }
        }
        else
        {
            OfferData(SectorBytes);
        }
    }

    // All that a sector needs once its data is here.
    private void SectorMoved(long offset)
    {
        if (IsWrite && !Place.TryWrite(offset, _sector))
        {
            Fail(FloppyResult.DataError, FloppyResult.DataErrorInData);
        }
        else if (IsScan)
        {
            Scan(offset);
        }
        else if (Code == FloppyCommand.ReadDeleted)
        {
            Next();
            End(0, 0, FloppyResult.ControlMark);
        }
        else
        {
            Advance();
        }
    }

    // The sector that the command names. False where the command is ended.
    private bool TryFind(FloppyFormat format, out long offset)
    {
        offset = ((((long)_cylinder * format.Heads) + Head) * format.Sectors * SectorBytes) + ((_record - 1L) * SectorBytes);
        if (!Place.IsOn(_cylinder, format))
        {
            Fail(FloppyResult.NoData, FloppyResult.WrongCylinder);
            return false;
        }

        if (_head != Head || _record == 0 || _record > format.Sectors || _fifo[5] != SizeCode)
        {
            Fail(FloppyResult.NoData, 0);
            return false;
        }

        return true;
    }

    private void FormatSector(FloppyFormat format)
    {
        if (Place.IsWriteProtected)
        {
            Fail(FloppyResult.NotWritable, 0);
        }
        else if (_fifo[2] != SizeCode || _fifo[3] > format.Sectors)
        {
            // An image has no place for sectors of another size, nor for more of them.
            Fail(FloppyResult.NoData, 0);
        }
        else if (_done >= _fifo[3])
        {
            End(0, 0, 0);
        }
        else if (!UsesDma)
        {
            OfferData(IdBytes);
        }
        else if (TryMoveByDma(IdBytes))
        {
            IdGiven(format);
        }
    }

    // Cylinder, head, number and size of a sector, whose data becomes the fill byte.
    private void IdGiven(FloppyFormat format)
    {
        (_cylinder, _head, _record) = (_sector[0], _sector[1], _sector[2]);
        byte size = _sector[3];
        _sector.AsSpan().Fill(_fifo[5]);
        if (size != SizeCode || _record == 0 || _record > format.Sectors || !Place.IsOn(_cylinder, format))
        {
            Fail(FloppyResult.NoData, 0);
            return;
        }

        long offset = ((((long)_cylinder * format.Heads) + Head) * format.Sectors * SectorBytes) + ((_record - 1L) * SectorBytes);
        if (!Place.TryWrite(offset, _sector))
        {
            Fail(FloppyResult.DataError, FloppyResult.DataErrorInData);
            return;
        }

        _done++;
        ContinueAfter();
    }

    // Bytes of the image beside those of the host; all ones of either fit anything.
    private void Scan(long offset)
    {
        Span<byte> disk = stackalloc byte[SectorBytes];
        Place.Read(offset, disk);
        int order = 0;
        for (int i = 0; i < SectorBytes && order == 0; i++)
        {
            order = disk[i] == 0xFF || _sector[i] == 0xFF ? 0 : disk[i].CompareTo(_sector[i]);
        }

        bool isHit = order == 0 || (Code == FloppyCommand.ScanLowOrEqual && order < 0) || (Code == FloppyCommand.ScanHighOrEqual && order > 0);
        if (isHit)
        {
            End(0, 0, order == 0 ? FloppyResult.ScanHit : (byte)0);
        }
        else if (_isLast || _record >= _fifo[6])
        {
            End(0, 0, FloppyResult.ScanNotSatisfied);
        }
        else
        {
            // By one or two.
            const byte alternate = 2;
            _record += (byte)(_fifo[8] == alternate ? 2 : 1);
            ContinueAfter();
        }
    }

    // False where the channel did not move all, and the command is ended. After the end of the count what is left is zeros.
    private bool TryMoveByDma(int length)
    {
        Span<byte> data = _sector.AsSpan(0, length);
        if (IsFromHost)
        {
            data.Clear();
        }

        int moved = IsFromHost ? _dma.Read(data, out _isLast) : _dma.Write(data, out _isLast);
        if (moved < length && !_isLast)
        {
            Fail(FloppyResult.Overrun, 0);
            return false;
        }

        return true;
    }

    private void OfferData(int length)
    {
        _count = length;
        _taken = 0;
        Now = IsFromHost ? Phase.DataFromHost : Phase.DataToHost;
        SetInterrupt(true);
    }

    private void DataTaken()
    {
        Now = Phase.Execution;
        Finish();
    }

    private void DataGiven()
    {
        Now = Phase.Execution;
        Finish();
    }

    // A sector without DMA: the host has had or given it.
    private void Finish()
    {
        if (Place.Format is not { } format)
        {
            Fail(FloppyResult.MissingAddressMark, 0);
            return;
        }

        try
        {
            if (Code == FloppyCommand.Format)
            {
                IdGiven(format);
            }
            else if (TryFind(format, out long offset))
            {
                SectorMoved(offset);
            }
        }
        catch (StorageException e)
        {
            _faulted(e);
            Fail(FloppyResult.DataError, FloppyResult.DataErrorInData);
        }
    }

    // To the next sector, or to the end of the command.
    private void Advance()
    {
        bool isEndOfTrack = _record == _fifo[6];
        bool goesOn = (_fifo[0] & FloppyCommand.MultiTrack) != 0 && Head == 0;
        _done++;
        Next();
        if (_isLast)
        {
            End(0, 0, 0);
        }
        else if (isEndOfTrack && !goesOn)
        {
            // VERIFY without a count ends here; other commands were to be ended by the host.
            bool isRight = Code == FloppyCommand.Verify && (_fifo[1] & EnableCount) == 0;
            if (isRight)
            {
                End(0, 0, 0);
            }
            else
            {
                Fail(FloppyResult.EndOfCylinder, 0);
            }
        }
        else
        {
            ContinueAfter();
        }
    }

    // Table 5-10: where the result says that a command stopped, and where a multi-track one goes on.
    private void Next()
    {
        if (_record != _fifo[6])
        {
            _record++;
            return;
        }

        _record = 1;
        if ((_fifo[0] & FloppyCommand.MultiTrack) == 0)
        {
            _cylinder++;
            return;
        }

        // The other side; behind the second the next cylinder, which no command goes on to.
        _cylinder += (byte)Head;
        _head ^= 1;
        _fifo[1] ^= 0x04;
    }

    private void ContinueAfter() => _clock.ScheduleAfter(_timer, SectorNanoseconds);

    private void Fail(byte status1, byte status2) => End(FloppyResult.Abnormal, status1, status2);

    private void End(byte status0, byte status1, byte status2)
    {
        _dma.SetRequest(false);
        byte drive = (byte)(DriveBits | (Head << 2));
        byte size = Code is FloppyCommand.Format or FloppyCommand.ReadId ? SizeCode : _fifo[5];
        (_fifo[0], _fifo[1], _fifo[2]) = ((byte)(status0 | drive), status1, status2);
        (_fifo[3], _fifo[4], _fifo[5], _fifo[6]) = (_cylinder, _head, _record, size);
        BeginResult(MostResultBytes);
        SetInterrupt(true);
    }
}
