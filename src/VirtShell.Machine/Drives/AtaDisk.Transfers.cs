using System;
using VirtShell.Storage;

namespace VirtShell.Machine.Drives;

/// <summary>Commands that read and write sectors, and the three ways to say which.</summary>
internal sealed partial class AtaDisk
{
    private const int SectorSize = BlockRange.SectorSize;
    private const int MostSectors = 256;
    private const int MostSectorsExt = 65536;
    private const int MostInBuffer = BufferBytes / SectorSize;

    /// <summary>What the words of IDENTIFY DEVICE for 28-bit addresses can say, and the last of these addresses.</summary>
    internal const long MostLba28 = (1L << 28) - 1;

    protected override bool HasMore => _left > 0;

    private bool IsExt => Command is IdeCommand.ReadSectorsExt or IdeCommand.ReadDmaExt or IdeCommand.ReadMultipleExt or IdeCommand.WriteSectorsExt or IdeCommand.WriteDmaExt
        or IdeCommand.WriteMultipleExt or IdeCommand.VerifyExt or IdeCommand.WriteDmaFuaExt or IdeCommand.WriteMultipleFuaExt or IdeCommand.ReadNativeMaxExt;

    private bool IsDma => Command is IdeCommand.ReadDma or IdeCommand.ReadDmaNoRetry or IdeCommand.ReadDmaExt or IdeCommand.WriteDma or IdeCommand.WriteDmaNoRetry
        or IdeCommand.WriteDmaExt or IdeCommand.WriteDmaFuaExt;

    private bool IsMultiple => Command is IdeCommand.ReadMultiple or IdeCommand.ReadMultipleExt or IdeCommand.WriteMultiple or IdeCommand.WriteMultipleExt or IdeCommand.WriteMultipleFuaExt;

    private bool IsForced => Command is IdeCommand.WriteDmaFuaExt or IdeCommand.WriteMultipleFuaExt;

    private bool IsLba => IsExt || (Register(IdeRegister.Device) & IdeControl.Lba) != 0;

    // Sectors that go at once: at the data port one, or a block of several.
    private int Block => IsDma ? MostInBuffer : IsMultiple ? _multiple : 1;

    protected override int NextLength() => Command == IdeCommand.WriteBuffer ? SectorSize : Math.Min(_left, Block) * SectorSize;

    protected override bool TryFill()
    {
        int count = Math.Min(_left, Block);
        if (!TryUse(ref count))
        {
            return false;
        }

        try
        {
            _disk.Read(_sector * SectorSize, Buffer[..(count * SectorSize)]);
        }
        catch (StorageException e)
        {
            Faulted?.Invoke(e);
            ShowAddress(_sector);
            Fail(IdeError.Uncorrectable);
            return false;
        }

        Fill(count * SectorSize);
        Advance(count);
        return true;
    }

    protected override bool TryDrain()
    {
        if (Command == IdeCommand.WriteBuffer)
        {
            Buffer[..SectorSize].CopyTo(_sectorBuffer);
            return true;
        }

        int count = DataLength / SectorSize;
        if (!TryUse(ref count))
        {
            return false;
        }

        try
        {
            _disk.Write(_sector * SectorSize, Buffer[..(count * SectorSize)]);
            bool isLast = count == _left;
            if (isLast && (IsForced || !_writeCache))
            {
                _disk.Flush();
            }
        }
        catch (StorageException e)
        {
            Faulted?.Invoke(e);
            ShowAddress(_sector);
            Fail(IdeError.Aborted, IdeStatus.Fault);
            return false;
        }

        Advance(count);
        if (count * SectorSize < DataLength)
        {
            // The rest of the block has no place on the disk.
            int none = 1;
            return TryUse(ref none);
        }

        return true;
    }

    private void Read()
    {
        if (TryBegin())
        {
            if (IsDma)
            {
                TransferByDma(toHost: true);
            }
            else
            {
                SendByPort();
            }
        }
    }

    private void Write()
    {
        if (_disk.IsReadOnly)
        {
            Fail(IdeError.Aborted);
        }
        else if (TryBegin())
        {
            if (IsDma)
            {
                TransferByDma(toHost: false);
            }
            else
            {
                ReceiveByPort();
            }
        }
    }

    // The image is not read: what it holds is what was written.
    private void Verify()
    {
        if (!TryBegin())
        {
            return;
        }

        while (_left > 0)
        {
            int count = _left;
            if (!TryUse(ref count))
            {
                return;
            }

            Advance(count);
        }

        Succeed();
    }

    private void Seek()
    {
        long sector = ReadAddress();
        if (sector < 0 || sector >= Capacity)
        {
            Fail(IdeError.NotFound);
            return;
        }

        Succeed();
    }

    private void ReadNativeMax()
    {
        long last = Capacity - 1;
        SetRegister(IdeRegister.Device, (byte)(Register(IdeRegister.Device) | IdeControl.Lba));
        ShowAddress(IsExt ? last : Math.Min(last, MostLba28));
        Succeed();
    }

    // Which sectors. False where the command is ended.
    private bool TryBegin()
    {
        if (IsMultiple && _multiple == 0)
        {
            Fail(IdeError.Aborted);
            return false;
        }

        int count = Register(IdeRegister.SectorCount);
        _left = IsExt ? (PreviousRegister(IdeRegister.SectorCount) << 8) | count : count;
        _left = _left != 0 ? _left : IsExt ? MostSectorsExt : MostSectors;
        long sector = ReadAddress();
        if (sector < 0 || sector >= Capacity)
        {
            Fail(IdeError.NotFound);
            return false;
        }

        _sector = sector;
        return true;
    }

    // Leaves of a count what the disk has. False where that is nothing and the command is ended.
    private bool TryUse(ref int count)
    {
        count = (int)Math.Min(count, Capacity - _sector);
        if (count > 0)
        {
            return true;
        }

        ShowAddress(_sector);
        Fail(IdeError.NotFound);
        return false;
    }

    // The registers tell of the last sector, and how many are left.
    private void Advance(int count)
    {
        _sector += count;
        _left -= count;
        ShowAddress(_sector - 1);
        SetRegister(IdeRegister.SectorCount, (byte)_left);
        if (IsExt)
        {
            SetPrevious(IdeRegister.SectorCount, (byte)(_left >> 8));
        }
    }

    private long ReadAddress()
    {
        int low = Register(IdeRegister.LbaLow);
        int cylinder = Register(IdeRegister.LbaMid) | (Register(IdeRegister.LbaHigh) << 8);
        int head = Register(IdeRegister.Device) & 0xF;
        if (!IsLba)
        {
            return Geometry.NumberOf(cylinder, head, low);
        }

        uint number = (uint)low | ((uint)cylinder << 8);
        if (!IsExt)
        {
            return number | ((uint)head << 24);
        }

        uint high = PreviousRegister(IdeRegister.LbaLow) | ((uint)PreviousRegister(IdeRegister.LbaMid) << 8) | ((uint)PreviousRegister(IdeRegister.LbaHigh) << 16);
        return number | ((long)high << 24);
    }

    private void ShowAddress(long sector)
    {
        byte device = (byte)(Register(IdeRegister.Device) & 0xF0);
        if (IsLba)
        {
            SetRegister(IdeRegister.LbaLow, (byte)sector);
            SetRegister(IdeRegister.LbaMid, (byte)(sector >> 8));
            SetRegister(IdeRegister.LbaHigh, (byte)(sector >> 16));
            if (IsExt)
            {
                SetPrevious(IdeRegister.LbaLow, (byte)(sector >> 24));
                SetPrevious(IdeRegister.LbaMid, (byte)(sector >> 32));
                SetPrevious(IdeRegister.LbaHigh, (byte)(sector >> 40));
            }
            else
            {
                SetRegister(IdeRegister.Device, (byte)(device | (byte)((sector >> 24) & 0xF)));
            }

            return;
        }

        int track = Math.Max(1, Geometry.SectorsPerTrack);
        long cylinder = sector / track / Geometry.Heads;
        SetRegister(IdeRegister.LbaLow, (byte)((sector % track) + 1));
        SetRegister(IdeRegister.LbaMid, (byte)cylinder);
        SetRegister(IdeRegister.LbaHigh, (byte)(cylinder >> 8));
        SetRegister(IdeRegister.Device, (byte)(device | (byte)(sector / track % Geometry.Heads)));
    }
}
