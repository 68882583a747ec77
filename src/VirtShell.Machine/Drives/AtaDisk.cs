using System;
using VirtShell.Machine.Bus;
using VirtShell.State;
using VirtShell.Storage;

namespace VirtShell.Machine.Drives;

/// <summary>A hard disk on an IDE channel (ATA/ATAPI-6, T13/1410D): which command does what, and its settings.</summary>
internal sealed partial class AtaDisk : IdeDevice
{
    /// <summary>Sectors of a block of READ and WRITE MULTIPLE at most.</summary>
    internal const int MostMultiple = 16;

    // Transfer modes of SET FEATURES 03h: kind in bits 7:3, number in bits 2:0.
    private const byte TransferPio = 0x00;
    private const byte TransferPioFlow = 0x08;
    private const byte TransferMultiwordDma = 0x20;
    private const byte TransferUltraDma = 0x40;
    private const byte TransferKind = 0xF8;
    private const byte TransferNumber = 0x07;
    private const int LastPioMode = 4;
    private const int LastMultiwordMode = 2;
    private const int LastUltraMode = 5;

    // CHECK POWER MODE: active or idle, and standby.
    private const byte PowerActive = 0xFF;
    private const byte PowerStandby = 0x00;

    // Fixed configuration.
    private readonly IBlockDevice _disk;

    // Saved state.
    private readonly byte[] _sectorBuffer = new byte[BlockRange.SectorSize];
    private int _heads;
    private int _sectorsPerTrack;
    private int _multiple;
    private byte _transferMode;
    private bool _writeCache;
    private bool _readAhead;
    private byte _power;
    private long _sector;
    private int _left;
    private int _inBuffer;

    public AtaDisk(IdeChannel channel, Drive drive, MachineClock clock)
        : base(channel, drive, clock)
    {
        _disk = drive.Medium!;
    }

    /// <summary>The geometry at power-on.</summary>
    public AtaGeometry DefaultGeometry => AtaGeometry.Of(Capacity, AtaGeometry.MostHeads, AtaGeometry.DefaultSectors);

    /// <summary>The geometry that the guest has chosen.</summary>
    public AtaGeometry Geometry => AtaGeometry.Of(Capacity, _heads, _sectorsPerTrack);

    /// <summary>Sectors of a block of READ and WRITE MULTIPLE; 0 where they are off.</summary>
    public int Multiple => _multiple;

    /// <summary>The DMA mode that SET FEATURES chose.</summary>
    public byte TransferMode => _transferMode;

    public bool HasWriteCache => _writeCache;

    public bool HasReadAhead => _readAhead;

    /// <summary>Sectors of the disk.</summary>
    public long Capacity => _disk.Length / BlockRange.SectorSize;

    protected override void TakeSignature()
    {
        SetRegister(IdeRegister.SectorCount, 1);
        SetRegister(IdeRegister.LbaLow, 1);
        SetRegister(IdeRegister.LbaMid, 0);
        SetRegister(IdeRegister.LbaHigh, 0);
        SetRegister(IdeRegister.Device, 0);
        _power = PowerActive;
    }

    // A soft reset leaves what SET FEATURES set (its 66h, keep settings, is what drives of today do); the geometry it leaves, too.
    protected override void ResetSettings(bool isPowerOn)
    {
        _left = _inBuffer = 0;
        _sector = 0;
        if (isPowerOn)
        {
            _heads = AtaGeometry.MostHeads;
            _sectorsPerTrack = AtaGeometry.DefaultSectors;
            Array.Clear(_sectorBuffer);
            _multiple = MostMultiple;
            _transferMode = TransferMultiwordDma | LastMultiwordMode;
            _writeCache = _readAhead = true;
        }
    }

    protected override void DescribeDrive(StateVisitor visitor)
    {
        visitor.Value("heads", ref _heads, 1, AtaGeometry.MostHeads);
        visitor.Value("sectors-per-track", ref _sectorsPerTrack, 0, byte.MaxValue);
        visitor.Value("multiple", ref _multiple, 0, MostMultiple);
        visitor.Value("transfer-mode", ref _transferMode);
        visitor.Value("write-cache", ref _writeCache);
        visitor.Value("read-ahead", ref _readAhead);
        visitor.Value("power", ref _power);
        visitor.Value("sector", ref _sector, 0);
        visitor.Value("left", ref _left, 0, MostSectorsExt);
        visitor.Value("in-buffer", ref _inBuffer, 0, BufferBytes / BlockRange.SectorSize);
        visitor.Array("sector-buffer", _sectorBuffer.AsSpan());
    }

    protected override void Execute()
    {
        _inBuffer = 0;
        _left = 0;
        switch (Command)
        {
            case >= IdeCommand.Recalibrate and <= IdeCommand.RecalibrateLast:
                Succeed();
                break;
            case IdeCommand.ReadSectors or IdeCommand.ReadSectorsNoRetry or IdeCommand.ReadMultiple or IdeCommand.ReadSectorsExt or IdeCommand.ReadMultipleExt
                or IdeCommand.ReadDma or IdeCommand.ReadDmaNoRetry or IdeCommand.ReadDmaExt:
                Read();
                break;
            case IdeCommand.WriteSectors or IdeCommand.WriteSectorsNoRetry or IdeCommand.WriteVerify or IdeCommand.WriteMultiple or IdeCommand.WriteSectorsExt or IdeCommand.WriteMultipleExt
                or IdeCommand.WriteMultipleFuaExt or IdeCommand.WriteDma or IdeCommand.WriteDmaNoRetry or IdeCommand.WriteDmaExt or IdeCommand.WriteDmaFuaExt:
                Write();
                break;
            case IdeCommand.Verify or IdeCommand.VerifyNoRetry or IdeCommand.VerifyExt:
                Verify();
                break;
            case >= IdeCommand.Seek and <= IdeCommand.SeekLast:
                Seek();
                break;
            case IdeCommand.InitializeParameters:
                InitializeParameters();
                break;
            case IdeCommand.SetMultiple:
                SetMultiple();
                break;
            case IdeCommand.Identify:
                AtaIdentify.Disk(Buffer[..BlockRange.SectorSize], this);
                Fill(BlockRange.SectorSize);
                SendByPort();
                break;
            case IdeCommand.ReadBuffer:
                _sectorBuffer.CopyTo(Buffer);
                Fill(BlockRange.SectorSize);
                SendByPort();
                break;
            case IdeCommand.WriteBuffer:
                ReceiveByPort();
                break;
            case IdeCommand.FlushCache or IdeCommand.FlushCacheExt:
                Flush();
                break;
            case IdeCommand.SetFeatures:
                SetFeatures();
                break;
            case IdeCommand.ReadNativeMax or IdeCommand.ReadNativeMaxExt:
                ReadNativeMax();
                break;
            case IdeCommand.IdleImmediate or IdeCommand.Idle or IdeCommand.OldIdleImmediate or IdeCommand.OldIdle:
                SetPower(PowerActive);
                break;
            case IdeCommand.StandbyImmediate or IdeCommand.Standby or IdeCommand.Sleep or IdeCommand.OldStandbyImmediate or IdeCommand.OldStandby or IdeCommand.OldSleep:
                SetPower(PowerStandby);
                break;
            case IdeCommand.CheckPower or IdeCommand.OldCheckPower:
                SetRegister(IdeRegister.SectorCount, _power);
                Succeed();
                break;
            default:
                Fail(IdeError.Aborted);
                break;
        }
    }

    protected override void Succeed() => End(ReadyStatus);

    private void Fail(byte error, byte status = 0)
    {
        Error = error;
        End((byte)(ReadyStatus | status | IdeStatus.Error));
    }

    private void SetPower(byte power)
    {
        _power = power;
        Succeed();
    }

    // 8.16: sectors of a track, and heads; without sectors there is no address by cylinder until it comes again.
    private void InitializeParameters()
    {
        _heads = (Register(IdeRegister.Device) & 0xF) + 1;
        _sectorsPerTrack = Register(IdeRegister.SectorCount);
        if (_sectorsPerTrack == 0)
        {
            Fail(IdeError.Aborted);
            return;
        }

        Succeed();
    }

    // 8.48: a power of two; 0 switches the commands off.
    private void SetMultiple()
    {
        int count = Register(IdeRegister.SectorCount);
        if (count > MostMultiple || (count & (count - 1)) != 0)
        {
            Fail(IdeError.Aborted);
            return;
        }

        _multiple = count;
        Succeed();
    }

    private void Flush()
    {
        try
        {
            _disk.Flush();
            Succeed();
        }
        catch (StorageException e)
        {
            Faulted?.Invoke(e);
            Fail(IdeError.Aborted, IdeStatus.Fault);
        }
    }

    private void SetFeatures()
    {
        switch (Features)
        {
            case 0x02:
                _writeCache = true;
                break;
            case 0x82:
                _writeCache = false;
                Flush();
                return;
            case 0x55:
                _readAhead = false;
                break;
            case 0xAA:
                _readAhead = true;
                break;

            // Keep or forget settings at a soft reset, and the length of what READ LONG gives: taken as drives of today do.
            case 0x66 or 0xCC or 0x44 or 0xBB:
                break;
            case 0x03 when IsTransferMode(Register(IdeRegister.SectorCount)):
                byte mode = Register(IdeRegister.SectorCount);
                _transferMode = (mode & TransferKind) is TransferMultiwordDma or TransferUltraDma ? mode : _transferMode;
                break;
            default:
                Fail(IdeError.Aborted);
                return;
        }

        Succeed();
    }

    private static bool IsTransferMode(byte mode)
    {
        int number = mode & TransferNumber;
        return (mode & TransferKind) switch
        {
            TransferPio => number <= 1,
            TransferPioFlow => number <= LastPioMode,
            TransferMultiwordDma => number <= LastMultiwordMode,
            TransferUltraDma => number <= LastUltraMode,
            _ => false,
        };
    }
}
