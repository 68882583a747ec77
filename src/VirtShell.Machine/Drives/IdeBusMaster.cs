using System;
using System.Buffers.Binary;
using VirtShell.Cpu.Memory;
using VirtShell.State;

namespace VirtShell.Machine.Drives;

/// <summary>
/// The bus master of one IDE channel (Intel 290550, 82371SB, 2.7 and 5.2): a command and a status register, and a table of
/// regions of memory that the controller goes through by itself.
/// </summary>
internal sealed class IdeBusMaster(PhysicalMemory memory, Func<bool> isAllowed) : IStateful
{
    public const int Command = 0;
    public const int Status = 2;
    public const int Table = 4;

    /// <summary>Registers of a channel.</summary>
    public const int RegisterCount = 8;

    /// <summary>Regions that are gone through at once: drivers use some hundred at most.</summary>
    private const int RegionBudget = 512;

    // Command.
    private const byte Start = 0x01;
    private const byte ToMemory = 0x08;

    // Status.
    private const byte Active = 0x01;
    private const byte Failed = 0x02;
    private const byte Interrupt = 0x04;
    private const byte DriveCapable = 0x60;

    // A descriptor: 32 bits of address, 16 of length (0 is 64 KiB), and a last bit. Addresses and lengths are even.
    private const int DescriptorBytes = 8;
    private const uint LastDescriptor = 0x8000_0000;
    private const uint LengthMask = 0xFFFE;
    private const uint Even = 0xFFFF_FFFE;
    private const uint MostRegionBytes = 0x1_0000;
    private const uint TableMask = 0xFFFF_FFFC;

    // The table does not cross a boundary of 64 KiB: the address counts within it.
    private const uint TableWrap = 0xFFFF;

    // Saved state.
    private byte _command;
    private byte _status;
    private uint _table;
    private uint _next;
    private uint _address;
    private uint _left;
    private bool _isLast;

    /// <summary>Called when the guest starts it.</summary>
    [NotState("Wiring.")]
    public Action? Started { get; set; }

    /// <summary>Whether it moves data when the drive wants to: the guest has started it, and lets the controller access memory.</summary>
    public bool IsActive => (_status & Active) != 0 && isAllowed();

    public byte Read(int register) => register switch
    {
        Command => _command,
        Status => _status,
        >= Table and < RegisterCount => (byte)(_table >> (8 * (register - Table))),
        _ => 0,
    };

    public void Write(int register, byte value)
    {
        switch (register)
        {
            case Command:
                WriteCommand(value);
                break;
            case Status:
                // Interrupt and error are cleared by ones; what drives can do is noted by firmware, for drivers.
                _status = (byte)((_status & ~DriveCapable & ~(value & (Failed | Interrupt))) | (value & DriveCapable));
                break;
            case >= Table and < RegisterCount:
                int shift = 8 * (register - Table);
                _table = ((_table & ~(0xFFu << shift)) | ((uint)value << shift)) & TableMask;
                break;
            default:
                break;
        }
    }

    public void Reset()
    {
        _command = _status = 0;
        _table = _next = _address = _left = 0;
        _isLast = false;
    }

    /// <summary>The drive's interrupt line has risen.</summary>
    public void NoteInterrupt() => _status |= Interrupt;

    /// <summary>Moves what a drive has read into memory; gives how much, less than all where the table ends or is long.</summary>
    public int WriteMemory(ReadOnlySpan<byte> source)
    {
        int moved = 0;
        for (int regions = 0; moved < source.Length && TryTakeRegion(ref regions);)
        {
            int piece = (int)Math.Min(_left, (uint)(source.Length - moved));
            if ((_command & ToMemory) != 0)
            {
                memory.Write(_address, source.Slice(moved, piece));
            }

            moved += Pass(piece);
        }

        return moved;
    }

    /// <summary>Takes what a drive shall write from memory; gives how much, less than all where the table ends or is long.</summary>
    public int ReadMemory(Span<byte> destination)
    {
        int moved = 0;
        for (int regions = 0; moved < destination.Length && TryTakeRegion(ref regions);)
        {
            int piece = (int)Math.Min(_left, (uint)(destination.Length - moved));
            memory.Read(_address, destination.Slice(moved, piece));
            moved += Pass(piece);
        }

        return moved;
    }

    public void Describe(StateVisitor visitor)
    {
        visitor.Value("command", ref _command, Start | ToMemory);
        visitor.Value("status", ref _status, Active | Failed | Interrupt | DriveCapable);
        visitor.Value("table", ref _table, TableMask);
        visitor.Value("next", ref _next, TableMask);
        visitor.Value("address", ref _address);
        visitor.Value("left", ref _left);
        visitor.Value("is-last", ref _isLast);
        if (visitor.IsLoading)
        {
            _left = Math.Min(_left, MostRegionBytes);
        }
    }

    private void WriteCommand(byte value)
    {
        bool wasStarted = (_command & Start) != 0;
        _command = (byte)(value & (Start | ToMemory));
        if ((_command & Start) == 0)
        {
            _status &= unchecked((byte)~Active);
        }
        else if (!wasStarted)
        {
            _status |= Active;
            _next = _table;
            _left = 0;
            _isLast = false;
            Started?.Invoke();
        }
    }

    // Whether a region is open, after taking the next from the table where it must be.
    private bool TryTakeRegion(ref int regions)
    {
        if (!IsActive || _left > 0)
        {
            return IsActive;
        }

        Span<byte> descriptor = stackalloc byte[DescriptorBytes];
        if (regions++ >= RegionBudget)
        {
            return false;
        }

        if (!memory.Read(_next, descriptor))
        {
            _status = (byte)((_status & ~Active) | Failed);
            return false;
        }

        uint word = BinaryPrimitives.ReadUInt32LittleEndian(descriptor[4..]);
        _address = BinaryPrimitives.ReadUInt32LittleEndian(descriptor) & Even;
        _left = word & LengthMask;
        _left = _left == 0 ? MostRegionBytes : _left;
        _isLast = (word & LastDescriptor) != 0;
        _next = (_next & ~TableWrap) | ((_next + DescriptorBytes) & TableWrap);
        return true;
    }

    // The end of the last region ends the activity.
    private int Pass(int bytes)
    {
        _address += (uint)bytes;
        _left -= (uint)bytes;
        if (_left == 0 && _isLast)
        {
            _status &= unchecked((byte)~Active);
        }

        return bytes;
    }
}
