using System;
using VirtShell.Machine.Bus;
using VirtShell.State;
using VirtShell.Storage;

namespace VirtShell.Machine.Drives;

/// <summary>
/// A CD or DVD drive on an IDE channel (ATA/ATAPI-6, 9.8; MMC-3): the ATA commands that it knows, the way of a packet, and the
/// state of drive and medium. A medium is one track of data (mode 1) in one session.
/// </summary>
internal sealed partial class AtapiCd : IdeDevice
{
    /// <summary>Bytes of user data in a sector.</summary>
    public const int SectorBytes = 2048;

    private const int PacketBytes = 12;
    private const int IdentifyBytes = 512;

    // Features of a PACKET command.
    private const byte UseDma = 0x01;
    private const byte Overlapped = 0x02;

    // Bytes of a block at the data port, as registers say it: all ones are the largest even number.
    private const int MostBlockBytes = 0xFFFE;

    private const byte DefaultTransferMode = 0x22;
    private const byte PowerActive = 0xFF;

    // What GET EVENT STATUS NOTIFICATION tells of the medium next (MMC-3, 6.6.6).
    private const byte NoEvent = 0;
    private const byte EventNewMedium = 2;
    private const byte EventMediumRemoved = 3;

    // Saved state.
    private readonly byte[] _packet = new byte[PacketBytes];
    private byte _senseKey;
    private byte _senseCode;
    private byte _senseQualifier;
    private bool _attention;
    private byte _event;
    private bool _isLocked;
    private byte _transferMode;
    private bool _usesDma;
    private int _blockLimit;
    private byte _form;
    private long _sector;
    private int _left;

    public AtapiCd(IdeChannel channel, Drive drive, MachineClock clock)
        : base(channel, drive, clock)
    {
        drive.MediumChanged = NoteMedium;
    }

    protected override bool TakesDeviceReset => true;

    // Not ready before the first command, so that it is not taken for a hard disk (9.12).
    protected override byte ResetStatus => 0;

    protected override bool HasMore => _left > 0;

    private ScsiSense Sense
    {
        get => new(_senseKey, _senseCode, _senseQualifier);
        set => (_senseKey, _senseCode, _senseQualifier) = (value.Key, value.Code, value.Qualifier);
    }

    protected override void TakeSignature()
    {
        SetRegister(IdeRegister.SectorCount, 0x01);
        SetRegister(IdeRegister.LbaLow, 0x01);
        SetRegister(IdeRegister.LbaMid, 0x14);
        SetRegister(IdeRegister.LbaHigh, 0xEB);
        SetRegister(IdeRegister.Device, (byte)(Register(IdeRegister.Device) & IdeControl.DeviceSelect));
    }

    protected override void ResetSettings(bool isPowerOn)
    {
        _left = 0;
        _sector = 0;
        Sense = ScsiSense.None;
        _isLocked = false;
        if (isPowerOn)
        {
            Array.Clear(_packet);
            _attention = false;
            _event = NoEvent;
            _transferMode = DefaultTransferMode;
            _usesDma = false;
            _blockLimit = 0;
            _form = 0;
            Drive.IsOpen = false;
        }
    }

    protected override void DescribeDrive(StateVisitor visitor)
    {
        visitor.Array("packet", _packet.AsSpan());
        visitor.Value("sense-key", ref _senseKey);
        visitor.Value("sense-code", ref _senseCode);
        visitor.Value("sense-qualifier", ref _senseQualifier);
        visitor.Value("attention", ref _attention);
        visitor.Value("event", ref _event);
        visitor.Value("locked", ref _isLocked);
        visitor.Value("transfer-mode", ref _transferMode);
        visitor.Value("uses-dma", ref _usesDma);
        visitor.Clamped("block-limit", ref _blockLimit, 0, MostBlockBytes);
        visitor.Value("form", ref _form);
        visitor.Value("sector", ref _sector, 0, long.MaxValue / SectorBytes);
        visitor.Value("left", ref _left, 0);
        Drive.IsOpen = visitor.Value("open", Drive.IsOpen);

        // Another medium than the one that was saved has been put in meanwhile.
        long present = Drive.Medium?.Length ?? 0;
        long saved = visitor.Value("medium-length", present);
        if (visitor.IsLoading && saved != present)
        {
            Drive.IsOpen = false;
            NoteMedium();
        }
    }

    protected override void Execute()
    {
        _left = 0;
        switch (Command)
        {
            case IdeCommand.Packet when (Features & Overlapped) == 0:
                TakePacket();
                break;
            case IdeCommand.IdentifyPacket:
                AtaIdentify.Cd(Buffer[..IdentifyBytes], Drive, _transferMode);
                Fill(IdentifyBytes);
                SendByPort();
                break;
            case IdeCommand.Identify or IdeCommand.ReadSectors:
                // By its signature a driver knows what to ask instead (9.12).
                byte selection = Register(IdeRegister.Device);
                TakeSignature();
                SetRegister(IdeRegister.Device, (byte)(selection & IdeControl.DeviceSelect));
                Abort();
                break;
            case IdeCommand.SetFeatures when Features == 0x03:
                _transferMode = (Register(IdeRegister.SectorCount) & 0x60) != 0 ? Register(IdeRegister.SectorCount) : _transferMode;
                End(ReadyStatus);
                break;
            case IdeCommand.CheckPower or IdeCommand.OldCheckPower:
                SetRegister(IdeRegister.SectorCount, PowerActive);
                End(ReadyStatus);
                break;
            case IdeCommand.StandbyImmediate or IdeCommand.IdleImmediate or IdeCommand.Sleep or IdeCommand.OldStandbyImmediate or IdeCommand.OldIdleImmediate or IdeCommand.OldSleep:
                End(ReadyStatus);
                break;
            default:
                Abort();
                break;
        }
    }

    protected override int NextLength() => PacketBytes;

    // The only data that comes from the guest is a packet.
    protected override bool TryDrain()
    {
        Buffer[..PacketBytes].CopyTo(_packet);
        Fill(0);
        Carry();
        return false;
    }

    protected override bool TryFill()
    {
        IBlockDevice? medium = Drive.Loaded;
        if (medium is null || _sector >= SectorsOf(medium))
        {
            Check(medium is null ? NoMedium() : ScsiSense.AddressOutOfRange);
            return false;
        }

        int size = CdSector.SizeOf(_form);
        int room = _usesDma ? BufferBytes : Math.Min(BufferBytes, _blockLimit);
        int count = (int)Math.Min(Math.Min(_left, Math.Max(1, room / size)), SectorsOf(medium) - _sector);
        try
        {
            if (size == SectorBytes)
            {
                ReadMedium(medium, _sector, Buffer[..(count * size)]);
            }
            else
            {
                Span<byte> data = stackalloc byte[SectorBytes];
                for (int i = 0; i < count; i++)
                {
                    ReadMedium(medium, _sector + i, data);
                    CdSector.Write(Buffer.Slice(i * size, size), _form, _sector + i, data);
                }
            }
        }
        catch (StorageException e)
        {
            Faulted?.Invoke(e);
            Check(ScsiSense.UnrecoveredRead);
            return false;
        }

        Fill(count * size);
        _sector += count;
        _left -= count;
        return true;
    }

    // 9.8: the registers say how much comes, and which way.
    protected override int BeginBlock(int available)
    {
        if (Command != IdeCommand.Packet)
        {
            return available;
        }

        int length = Math.Min(available, _blockLimit);
        length = length < available ? Math.Max(2, length & ~1) : length;
        length = Math.Min(length, available);
        SetRegister(IdeRegister.InterruptReason, IdeReason.ToHost);
        SetByteCount(length);
        return length;
    }

    protected override void AllTaken()
    {
        if (Command == IdeCommand.Packet)
        {
            Succeed();
        }
    }

    protected override void Succeed()
    {
        SetRegister(IdeRegister.InterruptReason, IdeReason.Done);
        End(ReadyStatus);
    }

    private static long SectorsOf(IBlockDevice medium) => (medium.Length + SectorBytes - 1) / SectorBytes;

    // Beyond the end of a file that is no multiple of a sector are zeros.
    private static void ReadMedium(IBlockDevice medium, long sector, Span<byte> destination)
    {
        long offset = sector * SectorBytes;
        int length = (int)Math.Clamp(medium.Length - offset, 0, destination.Length);
        medium.Read(offset, destination[..length]);
        destination[length..].Clear();
    }

    private void TakePacket()
    {
        _usesDma = (Features & UseDma) != 0;
        int limit = Register(IdeRegister.LbaMid) | (Register(IdeRegister.LbaHigh) << 8);
        _blockLimit = limit == 0 ? MostBlockBytes : Math.Min(limit, MostBlockBytes);
        SetRegister(IdeRegister.InterruptReason, IdeReason.Command);
        ReceiveByPort();
    }

    private void SetByteCount(int count)
    {
        SetRegister(IdeRegister.LbaMid, (byte)count);
        SetRegister(IdeRegister.LbaHigh, (byte)(count >> 8));
    }

    private void Abort()
    {
        Error = IdeError.Aborted;
        End((byte)(ReadyStatus | IdeStatus.Error));
    }

    private void NoteMedium()
    {
        _attention = Drive.Loaded is not null;
        _event = _attention ? EventNewMedium : EventMediumRemoved;
    }

    private ScsiSense NoMedium() => Drive.IsOpen ? ScsiSense.NoMediumTrayOpen : ScsiSense.NoMediumTrayClosed;

    // A command that failed: the sense data say why, and the key is in the Error register.
    private void Check(ScsiSense sense)
    {
        Sense = sense;
        _left = 0;
        SetRegister(IdeRegister.InterruptReason, IdeReason.Done);
        Error = (byte)((sense.Key << 4) | (sense.Key == ScsiSense.IllegalRequestKey ? IdeError.Aborted : 0));
        End((byte)(ReadyStatus | IdeStatus.Error));
    }
}
