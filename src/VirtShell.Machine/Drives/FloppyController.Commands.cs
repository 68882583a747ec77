using System.Numerics;

namespace VirtShell.Machine.Drives;

/// <summary>Commands without data, and how those with data begin (82077AA, 5.2).</summary>
internal sealed partial class FloppyController
{
    // VERSION: an enhanced controller.
    private const byte Enhanced = 0x90;

    private byte Code => (byte)(_fifo[0] & FloppyCommand.Code);

    private FloppyDrive Place => _places[_fifo[1] & FloppyControl.DriveSelect];

    private byte DriveBits => (byte)(_fifo[1] & FloppyControl.DriveSelect);

    private int Head => (_fifo[1] >> 2) & 1;

    private void Carry()
    {
        switch (Code)
        {
            case FloppyCommand.Specify:
                (_stepRate, _headLoad) = (_fifo[1], _fifo[2]);
                BeginCommand();
                break;
            case FloppyCommand.SenseDrive:
                Answer((byte)(FloppyResult.Always | (_fifo[1] & 0x07) | (Place.IsAtTrack0 ? FloppyResult.Track0 : 0) | (Place.IsWriteProtected ? FloppyResult.WriteProtected : 0)));
                break;
            case FloppyCommand.Recalibrate:
                Place.Recalibrate(SeekNanoseconds);
                BeginCommand();
                break;
            case FloppyCommand.Seek:
                Seek();
                BeginCommand();
                break;
            case FloppyCommand.SenseInterrupt:
                SenseInterrupt();
                break;
            case FloppyCommand.DumpRegisters:
                DumpRegisters();
                break;
            case FloppyCommand.Version:
                Answer(Enhanced);
                break;
            case FloppyCommand.Perpendicular:
                Perpendicular(_fifo[1]);
                BeginCommand();
                break;
            case FloppyCommand.Configure:
                (_configuration, _precompensation) = ((byte)(_fifo[2] & ConfigurationMask), _fifo[3]);
                BeginCommand();
                break;
            case FloppyCommand.Lock:
                _locked = (_fifo[0] & FloppyCommand.LockBit) != 0;
                Answer((byte)(_locked ? 0x10 : 0));
                break;
            default:
                BeginTransfer();
                break;
        }
    }

    // A cylinder, or with bit 7 so many steps in or out.
    private void Seek()
    {
        int target = _fifo[2];
        if ((_fifo[0] & FloppyCommand.RelativeSeek) != 0)
        {
            target = Place.Cylinder + ((_fifo[0] & FloppyCommand.RelativeUp) != 0 ? _fifo[2] : -_fifo[2]);
        }

        Place.SeekTo(target, SeekNanoseconds);
    }

    // The end of a seek first, then what the polling after a reset found; nothing else is an interrupt to sense.
    private void SenseInterrupt()
    {
        byte status;
        int number;
        if (_seekEnded != 0)
        {
            number = BitOperations.TrailingZeroCount(_seekEnded);
            _seekEnded &= (byte)(_seekEnded - 1);
            status = (byte)(FloppyResult.SeekEnd | (_places[number].HasFailed ? FloppyResult.Abnormal | FloppyResult.EquipmentCheck : 0));
        }
        else if (_polled != 0)
        {
            number = BitOperations.TrailingZeroCount(_polled);
            _polled &= (byte)(_polled - 1);
            status = FloppyResult.Polling;
        }
        else
        {
            Answer(FloppyResult.Invalid);
            return;
        }

        SetInterrupt(_seekEnded != 0);
        _fifo[0] = (byte)(status | number);
        _fifo[1] = (byte)_places[number].Cylinder;
        BeginResult(2);
    }

    // OW, bit 7, says whether the drives' bits 5:2 are meant.
    private void Perpendicular(byte value)
    {
        const byte overwrite = 0x80;
        const byte driveBits = 0x3C;
        byte drives = (byte)((value & overwrite) != 0 ? value & driveBits : _perpendicular & driveBits);
        _perpendicular = (byte)(drives | (value & PerpendicularMode));
    }

    private void DumpRegisters()
    {
        for (int i = 0; i < PlaceCount; i++)
        {
            _fifo[i] = (byte)_places[i].Cylinder;
        }

        (_fifo[4], _fifo[5], _fifo[6]) = (_stepRate, _headLoad, _lastSector);
        (_fifo[7], _fifo[8], _fifo[9]) = ((byte)((_locked ? FloppyCommand.LockBit : 0) | _perpendicular), _configuration, _precompensation);
        BeginResult(10);
    }
}
